/*
 * A server to read from, in virtual time: each method has one answer, which a
 * test changes, and blocks as the real ones do.
 */
#ifndef TESTS_DAEMON_READ_BED_H
#define TESTS_DAEMON_READ_BED_H

#include "base/sim.h"
#include "daemon/server.pb-c.h"
#include "rpc/server.h"

#define READ_BED_METHODS 2

struct read_method {
    const char *name;
    Server__QueryReply *reply; /* its index is what readers wait for */
    struct rpc_call *waiting[1024];
    size_t waiting_count;
    unsigned asked;
    int failing; /* 0, or what every call ends with */
    char token[64]; /* of the last call */
};

struct read_bed {
    struct base_sim *sim;
    struct base_env *env;
    struct rpc_server *rpc;
    struct read_method methods[READ_BED_METHODS];
};

/** Health.Service and FederationState.ListMeshGateways, empty, at index 1. */
void read_bed_open(struct read_bed *bed);
void read_bed_close(struct read_bed *bed);
struct read_method *read_bed_method(struct read_bed *bed, const char *name);
/** A new answer (copied); who waits for its index is answered. */
void read_bed_set(struct read_bed *bed, const char *name,
                  const Server__QueryReply *reply);
/** Ends those that wait, and whoever comes; 0: no more. */
void read_bed_fail(struct read_bed *bed, const char *name, int status);
void read_bed_run_ms(struct read_bed *bed, uint64_t ms);

#endif
