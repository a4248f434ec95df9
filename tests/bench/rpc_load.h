/*
 * What a measurement of calls is: a server and a caller, a process each, one
 * TLS connection between them. The same in tests/bench/peers/rpc.
 */
#ifndef TESTS_BENCH_RPC_LOAD_H
#define TESTS_BENCH_RPC_LOAD_H

#include "base/addr.h"

#define RPC_LOAD_FLIGHT_MAX 4096u

enum rpc_load_kind {
    RPC_LOAD_CALLS,  /* so many at any time, on one connection */
    RPC_LOAD_FULL,   /* one after the other: connect, call, close */
    RPC_LOAD_RESUMED /* the same, and TLS resumes its session */
};

struct rpc_load {
    enum rpc_load_kind kind;
    unsigned flight;
    double seconds;
    const char *folder; /* with the certificates */
};

struct rpc_load_result {
    double per_s;
    double p50_us, p99_us;
    double cpu_us; /* of processor, both processes, each */
};

/** Runs one, from a new server's start to its end. Ends the process with a
 * sentence if anything fails. */
void rpc_load_run(const struct rpc_load *load, struct rpc_load_result *result);

/* ---- rpc_place.c: what both processes are made of ---- */

/** A loop, and TLS with the certificate of the folder. */
struct rpc_place {
    struct base_metrics *metrics;
    struct base_loop *loop;
    struct base_env *env;
    struct base_net *net;
    struct rpc_tls *tls;
};
void rpc_place_open(struct rpc_place *place, const char *folder);
void rpc_place_close(struct rpc_place *place);
/** Serves "Test.Echo" until fd `life` ends; writes its address to `tell`. Does
 * not return. */
void rpc_place_serve(const char *folder, unsigned flight, int tell, int life);
/** Prints the words and ends the process. */
void rpc_bench_die(const char *what);

#endif
