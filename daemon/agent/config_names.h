/*
 * The names that a federation is made of (federation.md section 2): pure
 * questions about texts.
 */
#ifndef AGENT_CONFIG_NAMES_H
#define AGENT_CONFIG_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/** Why text is no name of a node or datacenter, as the end of a sentence that
 * begins with the key; NULL if it is one. strict: with federation on, when it
 * becomes a label of a DNS name. */
const char *config_label_fault(const char *text, bool strict);
/** The same for a domain: labels joined by dots, none at the end. */
const char *config_domain_fault(const char *text);
/** 8-4-4-4-12 hexadecimal digits. */
bool config_is_uuid(const char *text);

#endif
