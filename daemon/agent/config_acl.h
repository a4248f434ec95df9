/*
 * acl.grants: tokens and what each may do, the one key whose value is a list of
 * objects; and what all keys below acl mean together. Private to
 * agent/config*.c, but for config_acl() of config.h.
 */
#ifndef AGENT_CONFIG_ACL_H
#define AGENT_CONFIG_ACL_H

#include <jansson.h>

#include "agent/config_keys.h"

/** Adds what the list says. 0, or BASE_EPARSE with *why, in which no secret
 * is. */
int config_add_grants(struct config *config, const struct config_key *key,
                      const char *file, const json_t *list, char **why);
void config_close_grants(struct config_grants *grants);
bool config_same_grants(const struct config_grants *a,
                        const struct config_grants *b);
/** Rules between the keys: BASE_EINVAL with *key and *fault, static. */
int config_check_acl(const struct config *config, const char **key,
                     const char **fault);

#endif
