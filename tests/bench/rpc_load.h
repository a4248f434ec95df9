/*
 * What a measurement of calls is: a server and a caller, a process each, one
 * TLS connection between them. The same in tests/bench/peers/rpc.
 */
#ifndef TESTS_BENCH_RPC_LOAD_H
#define TESTS_BENCH_RPC_LOAD_H

#include <stdbool.h>

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

/** Prints a table of what an honest caller meets while others flood the port
 * (rpc_hostile.c). */
void rpc_hostile_run(const char *folder, double seconds);

/* ---- rpc_load.c ---- */

struct rpc_caller;
/** A pool that calls the server at that address. */
struct rpc_caller *rpc_caller_open(const char *folder,
                                   const struct base_addr *server);
void rpc_caller_close(struct rpc_caller *caller);
/** One call; us that it took, with a connection of its own if fresh. Below 0:
 * it failed. */
double rpc_caller_ask(struct rpc_caller *caller, bool fresh);

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
/** Starts a process that serves "Test.Echo" until fd `*life` is closed. flight
 * 0: with the limits of an agent. */
int rpc_place_start(const char *folder, unsigned flight, struct base_addr *addr,
                    int *life);
/** Prints the words and ends the process. */
void rpc_bench_die(const char *what);

#endif
