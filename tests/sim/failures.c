/* What the scripts share: a formed federation, deadlines, and the promises that
 * hold after every one. */
#include "sim/failures.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

/* Gossip that met no way yet is made good by the next exchange of full state,
 * at most a minute later. */
#define FORM_MS 60000u
#define AFTER_MS 300000u
#define SETTLE_MS 120000u
/* At rest, for each server: gossip, Raft's heartbeats, timers. */
#define HOT_PER_SECOND 1500u

const struct failure failures[] = {
    {"F1", "all gateways of a secondary replaced", failure_f1},
    {"F2", "all gateways of the primary replaced", failure_f2},
    {"F3", "all servers of a secondary restarted", failure_f3},
    {"F4", "local gateways gone: followers stay local", failure_f4},
    {"F5", "all servers of the primary restarted", failure_f5},
    {"F6", "the primary is away for an hour at boot", failure_f6},
    {"F7", "direct path closed on purpose", failure_f7},
    {"F8", "federation states unsupported", failure_f8},
    {"F9", "a gateway that never answers", failure_f9},
    {"F10", "primary rebuilt with empty disks", failure_f10},
    {"F11", "a gateway vanishes without a word", failure_f11},
    {"F12", "leader of the primary lost while applying", failure_f12},
    {"F13a", "dead datacenter, gateway resets", failure_f13_resets},
    {"F13b", "dead datacenter, gateway holds", failure_f13_holds},
};
const size_t failure_count = BASE_COUNT_OF(failures);

static uint64_t now_ms(const struct failure_run *run)
{
    return base_sim_now_ns(run->world) / 1000000u;
}

void failure_unless(struct failure_run *run, bool kept, const char *promise)
{
    if (kept || run->failed)
        return;
    run->failed = true;
    snprintf(run->why, sizeof(run->why), "%s (at %.1f s)", promise,
             (double)now_ms(run) / 1000);
    base_sim_note(run->world, "broken: %s", run->why);
}

void failure_wait(struct failure_run *run, uint64_t ms)
{
    base_sim_run_for_ms(run->world, ms);
}

void failure_until(struct failure_run *run, bool (*done)(void *arg), void *arg,
                   uint64_t within_ms, const char *promise)
{
    uint64_t began_ms = now_ms(run);

    if (run->failed)
        return;
    failure_unless(run, federation_until(run->federation, done, arg, within_ms),
                   promise);
    run->healed_ms = now_ms(run) - began_ms;
}

void failure_heals(struct failure_run *run, uint64_t within_ms)
{
    failure_until(run, federation_is_whole, run->federation, within_ms,
                  "whole again in time");
}

void failure_form(struct failure_run *run, const size_t *sizes)
{
    static const char *const names[] = {"dc1", "dc2", "dc3", "dc4"};
    size_t i;

    for (i = 0; sizes[i] > 0; i++)
        federation_add(run->federation, names[i], sizes[i]);
    federation_start(run->federation);
    failure_until(run, federation_is_whole, run->federation, FORM_MS,
                  "a federation forms");
}

static uint64_t events(const struct failure_run *run)
{
    struct base_sim_stats stats = base_sim_stats(run->world);

    return stats.timers + stats.posts + stats.jobs + stats.packets +
           stats.stream_writes;
}

void failure_quiet_from(struct failure_run *run)
{
    run->quiet_from_ns = base_sim_now_ns(run->world);
    run->quiet_events = events(run);
}

void failure_quiet_to(struct failure_run *run, uint64_t per_second_max)
{
    uint64_t ms =
        (base_sim_now_ns(run->world) - run->quiet_from_ns) / 1000000u;
    uint64_t per_second =
        ms > 0 ? (events(run) - run->quiet_events) * 1000 / ms : 0;

    if (per_second > run->events_per_second)
        run->events_per_second = per_second;
    failure_unless(run, per_second <= per_second_max, "nobody runs hot");
}

static void each_server(struct failure_run *run, const char *dc,
                        void (*each)(struct sim_server *server))
{
    size_t i;

    for (i = 1; i <= federation_size(run->federation, dc); i++)
        each(federation_server(run->federation, dc, i));
}

static void power_off(struct sim_server *server)
{
    if (sim_server_server(server))
        sim_server_crash(server);
}

static void power_on(struct sim_server *server)
{
    if (!sim_server_server(server))
        sim_server_boot(server);
}

void failure_power_off(struct failure_run *run, const char *dc)
{
    each_server(run, dc, power_off);
}

void failure_power_on(struct failure_run *run, const char *dc)
{
    each_server(run, dc, power_on);
}

uint64_t failure_direct(struct failure_run *run, const char *dc)
{
    uint64_t direct = 0;
    size_t i;

    for (i = 1; i <= federation_size(run->federation, dc); i++)
        direct += sim_server_direct(federation_server(run->federation, dc, i));
    return direct;
}

/* After every script: a minute in which nothing is wrong must cost no more than
 * rest does, and the promises hold. */
static void epilogue(struct failure_run *run)
{
    uint64_t healed_ms = run->healed_ms;

    if (run->failed)
        return;
    failure_until(run, federation_is_whole, run->federation, AFTER_MS,
                  "all datacenters hold equal states once faults stopped");
    run->healed_ms = healed_ms;
    /* A doubt that began while there was no way may still end in a false death
     * seconds after the way came back. It is refuted at once, but that news may
     * miss a server whose connections are not up yet: the next exchange of full
     * state tells it. After that nothing may change any more. */
    failure_wait(run, SETTLE_MS);
    failure_quiet_from(run);
    failure_wait(run, 20000);
    failure_quiet_to(run, HOT_PER_SECOND * 9);
    failure_unless(run, federation_is_whole(run->federation), "stays whole");
}

bool failure_play(const struct failure *failure, uint64_t seed, FILE *log,
                  struct failure_run *run)
{
    memset(run, 0, sizeof(*run));
    run->seed = seed;
    run->federation = federation_new(seed);
    run->world = federation_world(run->federation);
    federation_log(run->federation, log);
    base_sim_set_digest(run->world, log != NULL);
    failure->script(run);
    epilogue(run);
    failure_unless(run, federation_violations(run->federation) == 0,
                   "no packet goes past the gateways");
    federation_free(run->federation);
    run->federation = NULL;
    return !run->failed;
}
