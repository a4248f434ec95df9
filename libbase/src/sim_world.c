/*
 * The world: its clock, its heap of things to come, and running them. Time
 * passes only here, from one event to the next.
 */
#include <assert.h>

#include "base/alloc.h"
#include "sim_internal.h"

/* Numbers of the world's own random streams; loops count up from 16. */
enum { RANDOM_NETWORK, RANDOM_MACHINE, RANDOM_SCENARIO, RANDOM_ENV_FIRST = 16 };

#define NEAR_NS UINT64_C(2000000) /* over what a link's delay mostly is */

/* The one with what happens next; empty if nothing does. */
static struct timer_heap *first_heap(struct base_sim *sim)
{
    struct timer_heap *near = &sim->heaps[SIM_NEAR], *far = near + 1;

    return timer_heap_precedes(near, far) ? near : far;
}

struct base_sim *base_sim_new(uint64_t seed)
{
    struct base_sim *sim;

    BASE_NEW(sim);
    sim->seed = seed;
    sim->env_count = RANDOM_ENV_FIRST;
    sim_rng_init(&sim->network_random, seed, RANDOM_NETWORK);
    sim_rng_init(&sim->machine_random, seed, RANDOM_MACHINE);
    sim_rng_init(&sim->scenario_random, seed, RANDOM_SCENARIO);
    sim->log = sim_log_new();
    sim->logging = true;
    sim->sink_level = BASE_LOG_OFF;
    sim->job_min_us = 50;
    sim->job_max_us = 500;
    LIST_INIT(&sim->hosts);
    return sim;
}

void base_sim_free(struct base_sim *sim)
{
    struct base_timer *timer;

    while ((timer = timer_heap_first(first_heap(sim))) != NULL) {
        timer_heap_remove(first_heap(sim), timer);
        if (timer->env == NULL) {
            struct sim_event *event =
                BASE_CONTAINER_OF(timer, struct sim_event, timer);

            event->drop(event);
        }
    }
    while (!LIST_EMPTY(&sim->hosts))
        sim_host_free(LIST_FIRST(&sim->hosts));
    timer_heap_close(&sim->heaps[SIM_NEAR]);
    timer_heap_close(&sim->heaps[SIM_FAR]);
    sim_names_free(sim);
    base_free(sim->ips);
    sim_log_free(sim->log);
    sim_pool_close(&sim->pool);
    base_free(sim);
}

void base_sim_set_link(struct base_sim *sim, base_sim_link_fn link, void *arg)
{
    sim->link = link;
    sim->link_arg = arg;
}

void base_sim_set_job_delay(struct base_sim *sim, uint32_t min_us,
                            uint32_t max_us)
{
    sim->job_min_us = min_us;
    sim->job_max_us = max_us;
}

uint64_t base_sim_now_ns(const struct base_sim *sim)
{
    return sim->now_ns;
}

uint64_t base_sim_random_below(struct base_sim *sim, uint64_t bound)
{
    return sim_rng_below(&sim->scenario_random, bound);
}

struct base_sim_stats base_sim_stats(const struct base_sim *sim)
{
    return sim->stats;
}

/* ---- things to come ---- */

void sim_timer_start(struct base_sim *sim, struct base_timer *timer,
                     uint64_t due_ns)
{
    sim_timer_stop(sim, timer);
    timer->due_ns = due_ns;
    timer->sequence = sim->sequence++;
    timer_heap_insert(&sim->heaps[due_ns - sim->now_ns < NEAR_NS ? SIM_NEAR
                                                                 : SIM_FAR],
                      timer);
}

void sim_timer_stop(struct base_sim *sim, struct base_timer *timer)
{
    struct timer_heap *near = &sim->heaps[SIM_NEAR];

    if (timer->heap_slot == 0)
        return;
    timer_heap_remove(timer_heap_has(near, timer) ? near
                                                  : &sim->heaps[SIM_FAR],
                      timer);
}

void *sim_event_new(struct base_sim *sim, size_t size, void (*fire)(void *arg),
                    void (*drop)(struct sim_event *event))
{
    struct sim_event *event = sim_pool_take(&sim->pool, size);

    event->timer = (struct base_timer){.fire = fire, .arg = event};
    event->sim = sim;
    event->drop = drop != NULL ? drop : sim_event_free;
    event->size = size;
    return event;
}

void sim_event_start(struct sim_event *event, uint64_t due_ns)
{
    sim_timer_start(event->sim, &event->timer, due_ns);
}

void sim_event_stop(struct sim_event *event)
{
    sim_timer_stop(event->sim, &event->timer);
}

void sim_event_free(struct sim_event *event)
{
    sim_event_stop(event);
    sim_pool_give(&event->sim->pool, event, event->size);
}

/* ---- running ---- */

static void run(struct base_sim *sim, struct timer_heap *heap)
{
    struct base_timer *timer = timer_heap_first(heap);

    assert(timer->due_ns >= sim->now_ns);
    timer_heap_remove(heap, timer);
    if (heap->count > 0) /* fetch the next one while this one works */
        __builtin_prefetch(heap->slots[0].timer);
    sim->now_ns = timer->due_ns;
    if (timer->env != NULL) {
        struct sim_env *env =
            BASE_CONTAINER_OF(timer->env, struct sim_env, env);

        sim->stats.timers++;
        sim_log_line(sim, env->label, "timer", timer->name);
    }
    timer->fire(timer->arg); /* it may free timer */
}

bool base_sim_step(struct base_sim *sim)
{
    struct timer_heap *heap = first_heap(sim);

    if (heap->count == 0)
        return false;
    run(sim, heap);
    return true;
}

/* Runs the next event if it is due by then. */
static bool step_until(struct base_sim *sim, uint64_t until_ns)
{
    struct timer_heap *heap = first_heap(sim);

    if (heap->count == 0 || heap->slots[0].due_ns > until_ns)
        return false;
    run(sim, heap);
    return true;
}

void base_sim_run_until(struct base_sim *sim, uint64_t until_ns)
{
    while (step_until(sim, until_ns))
        ;
    if (sim->now_ns < until_ns)
        sim->now_ns = until_ns;
}

void base_sim_run_for_ms(struct base_sim *sim, uint64_t duration_ms)
{
    base_sim_run_until(sim, sim->now_ns + duration_ms * 1000000);
}

bool base_sim_run_until_true(struct base_sim *sim, bool (*done)(void *arg),
                             void *arg, uint64_t within_ms)
{
    uint64_t until_ns = sim->now_ns + within_ms * 1000000;

    while (!done(arg)) {
        if (!step_until(sim, until_ns)) {
            sim->now_ns = until_ns;
            return done(arg);
        }
    }
    return true;
}
