/*
 * The agent's object and its parts: agent.c runs it and ends it, agent_make.c
 * makes and frees what it is made of, agent_log.c is where its log goes, and
 * agent_reload_all.c changes it while it runs. Private to agent/agent*.c.
 */
#ifndef AGENT_AGENT_PRIVATE_H
#define AGENT_AGENT_PRIVATE_H

#include <event2/event.h>
#include <pthread.h>

#include "agent/agent.h"
#include "agent/cache.h"
#include "agent/certificate_age.h"
#include "agent/check_tls.h"
#include "agent/joins.h"
#include "agent/local_state.h"
#include "agent/monitor.h"
#include "agent/node_id.h"
#include "agent/pool_files.h"
#include "agent/stable_files.h"
#include "base/loop.h"
#include "client/client.h"
#include "http/http.h"
#include "rpc/tls.h"
#include "server/server.h"

struct agent {
    struct config *config;
    agent_reread_fn reread;
    void *reread_ctx;
    struct base_log_sink *sink;
    struct monitor_hub *monitors;
    int log_fd;
    struct base_log log;
    struct base_metrics *metrics;
    struct base_workers *workers;
    struct base_loop *main, *gossip;
    pthread_t gossip_thread;
    bool gossip_runs;
    struct rpc_tls *main_tls, *gossip_tls;
    struct pool_files lan_files, wan_files;
    struct certificate_age certificate_age;
    struct acl *acl; /* NULL: not asked for */
    char node_id[NODE_ID_TEXT];
    struct stable_files *stable;
    struct server *server; /* one of the two */
    struct client *client;
    struct core core;
    struct joins *joins;
    struct check_tls check_tls;
    struct local_state *local;
    struct cache *cache;
    struct xds *xds;
    struct http *http;
    struct event *signals[3];
    struct base_timer leave_timer;
    bool leaving, stopping;
    int exit_code;

    void (*leave_done)(void *arg, int status);
    void *leave_arg;
};

/* ---- agent.c -------------------------------------------------------------- */

/** Ends the main loop. */
void agent_stop(struct agent *agent, int exit_code);
/** As http_config.leave. */
void agent_start_leave(void *ctx, void (*done)(void *arg, int status), void *arg);

/* ---- agent_make.c --------------------------------------------------------- */

/** Makes everything, in the order in which it leans on each other; nothing runs
 * yet. Fails with *why, and then wants agent_unmake() all the same. */
int agent_make(struct agent *agent, char **why);
void agent_unmake(struct agent *agent);
/** Fails with text, unless *why says something already. */
int agent_fail(char **why, const char *text);

/** What the agent's own calls show. */
static inline const char *agent_own_token(const struct config_acl *acl)
{
    return acl->agent_token ? acl->agent_token : acl->default_token;
}

/* ---- agent_log.c ---------------------------------------------------------- */

int agent_open_log(struct agent *agent, char **why);
/** The configuration's level from now on, and log_file opened anew, so that it
 * may have been renamed. */
int agent_reload_log(struct agent *agent, char **why);
void agent_close_log(struct agent *agent);

/* ---- agent_reload_all.c ------------------------------------------------------- */

/** As http_config.reload; SIGHUP does the same. */
int agent_reload_all(void *ctx, char **why);

#endif
