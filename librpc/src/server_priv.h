/* What server.c, server_conn.c and call_local.c share. */
#ifndef RPC_SRC_SERVER_PRIV_H
#define RPC_SRC_SERVER_PRIV_H

#include "base/log.h"
#include "call.h"
#include "mux.h"

struct server_conn;
struct local_call;

struct rpc_method {
    SLIST_ENTRY(rpc_method) link;
    const char *name;
    unsigned flags;
    rpc_method_fn run;
    void *arg;
    struct base_counter *requests;
    struct base_histogram *duration;
};

struct rpc_server {
    struct base_env *env;
    struct base_log log;
    struct base_log_limit log_limit;
    char *domain;
    char own_name[254]; /* server.<dc>.<domain> */
    bool check_names;
    struct rpc_mux_limits limits;
    SLIST_HEAD(, rpc_method) methods;
    LIST_HEAD(, server_conn) conns;
    LIST_HEAD(, local_call) locals;
    bool shutting_down;
    struct base_timer shutdown_timer; /* its end, or zero: it is over */
    void (*shutdown_done)(void *arg);
    void *shutdown_arg;
};

/** Whether that caller may call that method now. Returns it, or NULL with a
 * code and a text (of size FRAME_TEXT_LEN_MAX + 1). peer NULL: ourselves. */
struct rpc_method *rpc_server_find(struct rpc_server *server, const char *name,
                                   const struct rpc_peer *peer, int *code,
                                   char *text);
/** Runs the method; the call may be over when it returns. */
void rpc_server_run(struct rpc_method *method, struct rpc_call *call);

void rpc_server_conn_new(struct rpc_server *server, struct base_stream *stream,
                         const struct rpc_peer *peer, bool single);
void rpc_server_conn_free(struct server_conn *conn);
/** Tells its caller to go elsewhere. */
void rpc_server_conn_leave(struct server_conn *conn);
/** To be called when a connection or a local call has gone. */
void rpc_server_note_gone(struct rpc_server *server);
struct server_conn *rpc_server_conn_next(const struct server_conn *conn);
void rpc_local_call_end(struct local_call *local);

#endif
