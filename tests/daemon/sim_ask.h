/* Asks a simulated server as the API does, and keeps what it answered. */
#ifndef TESTS_DAEMON_SIM_ASK_H
#define TESTS_DAEMON_SIM_ASK_H

#include "daemon/server.pb-c.h"
#include "sim/federation.h"

struct asked {
    struct federation *federation;
    bool done;
    int status;
    char text[256];
    uint64_t after_ms; /* from the question to the answer */
    uint64_t index;    /* of a write's or a read's answer */
    Server__QueryReply *reply;

    uint64_t since_ns;
    bool is_read;
};

/** Asks what has that RPC server, a client say. */
void ask_at(struct federation *federation, struct rpc_server *rpc,
            const char *method, const void *message, bool is_read,
            struct asked *asked);
void ask_register_at(struct federation *federation, struct rpc_server *rpc,
                     const char *node, struct asked *asked);
/** The answer comes while the world runs; asked outlives it. */
void ask_read(struct federation *federation, struct sim_server *server,
              const char *method, const Server__Query *query,
              struct asked *asked);
void ask_register(struct federation *federation, struct sim_server *server,
                  const char *node, struct asked *asked);
/** Applies an upsert of a record without gateways that replaces none. */
void ask_apply(struct federation *federation, struct sim_server *server,
               const char *dc, struct asked *asked);
/** Runs the world until the answer came; false after within_ms without. */
bool ask_wait(struct asked *asked, uint64_t within_ms);
/** Frees the answer; an asked may be used anew. */
void ask_clear(struct asked *asked);

#endif
