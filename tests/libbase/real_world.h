/*
 * What tests on real loops share: a world of workers and one loop, and waiting
 * for a condition with a deadline instead of sleeping.
 */
#ifndef TESTS_REAL_WORLD_H
#define TESTS_REAL_WORLD_H

#include "base/alloc.h"
#include "base/error.h"
#include "base/loop.h"
#include "suite.h"

#define WITHIN_MS 10000u

struct real_world {
    struct base_metrics *metrics;
    struct base_workers *workers;
    struct base_loop *loop;
    struct base_env *env;
    struct base_net *net;
};

static inline struct real_world real_world_open(void)
{
    struct real_world world = {.metrics = base_metrics_new(),
                               .workers = base_workers_new()};

    ck_assert_ptr_nonnull(world.workers);
    world.loop = base_loop_new("test", NULL, world.metrics, world.workers);
    ck_assert_ptr_nonnull(world.loop);
    world.env = base_loop_env(world.loop);
    world.net = base_loop_net(world.loop);
    return world;
}

static inline void real_world_close(struct real_world *world)
{
    base_loop_free(world->loop);
    base_workers_free(world->workers);
    base_metrics_free(world->metrics);
}

static inline bool is_true(void *arg)
{
    return *(bool *)arg;
}

/* Runs the loop until *flag. */
static inline void await(struct real_world *world, bool *flag)
{
    ck_assert(base_loop_run_until(world->loop, is_true, flag, WITHIN_MS));
}

/* Runs the loop until condition(arg). */
static inline void await_that(struct real_world *world,
                              bool (*condition)(void *arg), void *arg)
{
    ck_assert(base_loop_run_until(world->loop, condition, arg, WITHIN_MS));
}

static inline void set_true(void *arg)
{
    *(bool *)arg = true;
}

/* Lets everything happen that is due already: some turns of the loop. */
static inline void settle(struct real_world *world)
{
    int turns;

    for (turns = 0; turns < 10; turns++) {
        bool turned = false;

        ck_assert_int_eq(base_env_post(world->env, set_true, &turned), 0);
        await(world, &turned);
    }
}

static inline struct base_addr loopback(const char *ip)
{
    struct base_addr addr;

    ck_assert_int_eq(base_addr_parse_ip(&addr, ip), 0);
    return addr;
}

#endif
