/*
 * The node itself, the services that were registered with this agent, and their
 * checks and the node's: kept in the data folder, and kept true in the catalog by
 * anti-entropy (a sync soon after each change, one a minute besides, sooner
 * after a failure). A check with a TTL turns critical unless somebody speaks
 * for it in time; TCP and HTTP checks are run here (agent/check_run.h).
 * Threads: the main loop.
 */
#ifndef AGENT_LOCAL_STATE_H
#define AGENT_LOCAL_STATE_H

#include "fedstate/fedstate.pb-c.h"
#include "agent/check_spec.h"
#include "base/addr.h"
#include "base/env.h"
#include "base/net.h"
#include "rpc/server.h"

struct local_state;

#define LOCAL_SERVICES_MAX 1000u /* the catalog takes 1,024 a node */
#define LOCAL_CHECKS_MAX 64u     /* of one service */
#define LOCAL_OUTPUT_BYTES_MAX 4096u /* of a check; more is cut off */
#define LOCAL_SERVICE_RESERVED "consul" /* the servers' own, by the leader */

struct local_state_config {
    struct base_env *env;
    struct rpc_server *rpc;  /* Catalog.Register and Deregister go there, */
    const char *token;       /* with that; NULL: none. Borrowed */
    /** What the catalog is to say of this node; copied. */
    const Fedstate__Node *node;
    const char *folder;      /* data_dir/services; NULL: nothing is kept; copied */
    uint32_t check_update_interval_ms;
    struct base_net *net;    /* of TCP and HTTP checks; NULL: none may be */
    /** What makes https checks secret; NULL: they fail. May be NULL. */
    const struct rpc_secure *(*tls)(void *ctx, bool verify);
    void *tls_ctx;
};

/** Loads what is kept; a file that does not parse is named in the log and left
 * alone. BASE_EACCESS and its kin if the folder cannot be made or read: why
 * names it, the caller's (base_free). */
int local_state_new(const struct local_state_config *config,
                    struct local_state **out, char **why);
void local_state_free(struct local_state *local);
/** Another token for the agent's own calls from now on, borrowed. */
void local_state_set_token(struct local_state *local, const char *token);

/** Adds or replaces a service with its checks; copied. A check that was there
 * and is not any more leaves the catalog too. specs has one for each check;
 * NULL: all are only set. BASE_EINVAL for a service or check without id or
 * name, BASE_EEXIST for a check id that belongs to another service or
 * LOCAL_SERVICE_RESERVED, BASE_EFULL past the limits. */
int local_state_register(struct local_state *local,
                         const Fedstate__Service *service,
                         Fedstate__Check *const *checks,
                         const struct check_spec *specs, size_t check_count);
/** Adds or replaces one check of a service, or of the node ("");
 * BASE_ENOTFOUND if there is no such service, else as above. */
int local_state_put_check(struct local_state *local, const char *service_id,
                          const Fedstate__Check *check,
                          const struct check_spec *spec);
/** BASE_ENOTFOUND if it is not there. */
int local_state_remove_check(struct local_state *local, const char *check_id);
/** BASE_ENOTFOUND if it is not there. */
int local_state_deregister(struct local_state *local, const char *service_id);
/** Sets a check's status ("passing", "warning", "critical") and output, and
 * starts its TTL anew. BASE_ENOTFOUND; BASE_EINVAL for another status, or for
 * a check that the agent runs by itself. */
int local_state_check(struct local_state *local, const char *check_id,
                      const char *status, const char *output);
/** done(0) once everything said so far is on disk (or there is no folder); an
 * error if some of it could not be written. Comes later, from the loop; not
 * after local_state_free(). BASE_EFULL: the disk's queue is full. */
int local_state_when_kept(struct local_state *local,
                          void (*done)(void *arg, int status), void *arg);

size_t local_state_count(const struct local_state *local);
/** Sorted by id; borrowed until the loop runs. An id of "" is that of the
 * node's own checks, and no service. */
const Fedstate__Service *local_state_at(const struct local_state *local,
                                        size_t position,
                                        Fedstate__Check *const **checks,
                                        size_t *check_count);
/** The service of that id, borrowed likewise; NULL if there is none. */
const Fedstate__Service *local_state_find(const struct local_state *local,
                                          const char *service_id);
/** heard(ctx) comes with every change of a service or a check, inside the
 * call that changes it: it may only note that. NULL: nobody cares. */
void local_state_on_change(struct local_state *local, void (*heard)(void *ctx),
                           void *ctx);
/** True if the catalog said, or was told, all of it. */
bool local_state_in_sync(const struct local_state *local);

#endif
