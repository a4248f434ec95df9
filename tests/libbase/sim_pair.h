/*
 * What the tests of the simulator share: a world of two machines, "a" and "b"
 * at 10.0.0.1 and 10.0.0.2, with one loop each.
 */
#ifndef TESTS_LIBBASE_SIM_PAIR_H
#define TESTS_LIBBASE_SIM_PAIR_H

#include <stdio.h>

#include "base/sim.h"
#include "suite.h"

struct pair {
    struct base_sim *sim;
    struct base_sim_host *host[2];
    struct base_env *env[2];
    struct base_net *net[2];
    /* What the link does from a to b [0] and from b to a [1]. */
    struct base_sim_link link[2];
};

static inline struct base_addr sim_addr(const char *text)
{
    struct base_addr addr;

    ck_assert_int_eq(base_addr_parse(&addr, text, 1), 0);
    return addr;
}

static inline void pair_link(void *arg, const struct base_sim_host *from,
                             const struct base_sim_host *to,
                             struct base_sim_link *link)
{
    struct pair *pair = arg;

    (void)to;
    *link = pair->link[from == pair->host[0] ? 0 : 1];
}

static inline void pair_boot(struct pair *pair, int i)
{
    pair->env[i] = base_sim_host_env(pair->host[i], "main");
    pair->net[i] = base_sim_host_net(pair->host[i], pair->env[i]);
}

static inline void pair_open(struct pair *pair, uint64_t seed)
{
    static const char *const names[] = {"a", "b"};
    int i;

    pair->sim = base_sim_new(seed);
    for (i = 0; i < 2; i++) {
        char text[32];
        struct base_addr addr;

        snprintf(text, sizeof(text), "10.0.0.%d", i + 1);
        addr = sim_addr(text);
        pair->host[i] = base_sim_host_new(pair->sim, names[i], &addr, 1);
        pair->link[i] = (struct base_sim_link){
            .up = true, .delay_min_us = 1000, .delay_max_us = 1000};
        pair_boot(pair, i);
    }
    base_sim_set_link(pair->sim, pair_link, pair);
}

static inline void pair_close(struct pair *pair)
{
    base_sim_free(pair->sim);
}

#endif
