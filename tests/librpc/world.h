/*
 * The same tests on a real loop with real TLS and in the simulator with its
 * stand-in: a world is three machines (client, gateway, server) with a loop and
 * sockets each, and the certificates that they bear.
 */
#ifndef TESTS_LIBRPC_WORLD_H
#define TESTS_LIBRPC_WORLD_H

#include "base/alloc.h"
#include "base/error.h"
#include "base/loop.h"
#include "base/sim.h"
#include "certs.h"
#include "rpc/secure.h"
#include "rpc/sim_secure.h"
#include "rpc/tls.h"
#include "suite.h"

enum { REAL, SIM, WORLD_KINDS }; /* _i of a looped test */

struct machine {
    struct base_env *env;
    struct base_net *net;
    struct base_addr addr; /* its IP, port 0 */
};

struct world {
    int kind;
    struct base_metrics *metrics;
    struct base_workers *workers;
    struct base_loop *loop;
    struct base_sim *sim;
    struct certs *certs;
    struct certs_ca *ca;
    struct certs_ca *other_ca;
    struct machine client;
    struct machine gateway;
    struct machine server;
};

struct world *world_new(int kind);
void world_free(struct world *world);

/** Runs until condition(arg); fails the test if that takes too long. */
void world_await(struct world *world, bool (*condition)(void *arg), void *arg);
/** The same for a flag. */
void world_await_flag(struct world *world, bool *flag);
/** Lets all happen that is due about now. */
void world_settle(struct world *world);
/** Lets time pass: virtual in the simulator; in a real world milliseconds. */
void world_pass_ms(struct world *world, uint32_t ms);

uint64_t world_refused(struct world *world, const char *reason);
void world_await_refused(struct world *world, const char *reason,
                         uint64_t count);

/** What a machine bears. NULL at the end of names. */
struct identity {
    struct rpc_tls *tls;
    struct rpc_sim_secure *sim;
    struct rpc_secure secure;
};
enum identity_flags {
    ID_OTHER_CA = 1,    /* signed by, and trusting, another CA */
    ID_NO_CERT = 2,
    ID_NOT_VERIFYING = 4,
    ID_EXPIRED = 8      /* real worlds only */
};
struct identity *identity_new(struct world *world, struct machine *machine,
                              const char *const *names, unsigned flags);
void identity_free(struct identity *identity);

/** Common identities. */
#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SERVER_NAMES(node, dc)                                               \
    NAMES("server." dc ".consul", node ".server." dc ".consul", "localhost")

/** A raw connection, for a peer that misbehaves. */
struct raw {
    struct base_stream *stream;
    bool closed;
    int close_err;
    bool connected;
};
struct raw *raw_dial(struct world *world, const struct base_addr *to);
void raw_write(struct raw *raw, const void *data, size_t len);
void raw_free(struct raw *raw);

#endif
