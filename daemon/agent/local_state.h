/*
 * The services that were registered with this agent, and their checks: kept in
 * the data folder, and kept true in the catalog by anti-entropy (a sync soon
 * after each change, one a minute besides, sooner after a failure).
 * Threads: the main loop.
 */
#ifndef AGENT_LOCAL_STATE_H
#define AGENT_LOCAL_STATE_H

#include "fedstate/fedstate.pb-c.h"
#include "server/server.h"

struct local_state;

struct local_state_config {
    struct base_env *env;
    struct server *server;   /* Catalog.Register and Deregister go there */
    const char *node;        /* strings are copied */
    const char *node_id;
    struct base_addr address;
    const char *folder;      /* data_dir/services; NULL: nothing is kept */
    uint32_t check_update_interval_ms;
};

/** Loads what is kept; a file that does not parse is named in the log and left
 * alone. */
int local_state_new(const struct local_state_config *config,
                    struct local_state **out, char **why);
void local_state_free(struct local_state *local);

/** Adds or replaces a service with its checks; copied. */
int local_state_register(struct local_state *local,
                         const Fedstate__Service *service,
                         Fedstate__Check *const *checks, size_t check_count);
/** BASE_ENOTFOUND if it is not there. */
int local_state_deregister(struct local_state *local, const char *service_id);
/** Sets a check's status ("passing", "warning", "critical") and output. */
int local_state_check(struct local_state *local, const char *check_id,
                      const char *status, const char *output);

size_t local_state_count(const struct local_state *local);
/** Sorted by id; borrowed until the loop runs. */
const Fedstate__Service *local_state_at(const struct local_state *local,
                                        size_t position,
                                        Fedstate__Check *const **checks,
                                        size_t *check_count);

#endif
