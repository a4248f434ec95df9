/* Servers that restart, are rebuilt, lose the lead (F3, F5, F6, F10, F12). */
#include "sim/failures.h"

#include <stdio.h>
#include <string.h>

#include "agent/joins.h"

static void restart(struct failure_run *run, const char *dc)
{
    failure_power_off(run, dc);
    failure_wait(run, 1000 + base_sim_random_below(run->world, 15000));
    failure_power_on(run, dc);
}

/* F3: all servers of a secondary restart. What they hold on disk takes them
 * through their own gateways from the first dial on. */
void failure_f3(struct failure_run *run)
{
    uint64_t direct;

    failure_form(run, (const size_t[]){3, 3, 0});
    failure_power_off(run, "dc2");
    failure_wait(run, 1000 + base_sim_random_below(run->world, 15000));
    direct = failure_direct(run, "dc2");
    failure_power_on(run, "dc2");
    failure_heals(run, 60000);
    failure_unless(run, failure_direct(run, "dc2") == direct,
                   "no dial past their own gateways after a restart");
}

/* F5: all servers of the primary restart. Connections of the others to them are
 * dead; users read across again soon. */
void failure_f5(struct failure_run *run)
{
    struct federation *f = run->federation;
    uint64_t answers;

    failure_form(run, (const size_t[]){3, 1, 1, 0});
    restart(run, "dc1");
    failure_heals(run, 90000);
    answers = federation_answers(f);
    federation_read(f, federation_server(f, "dc2", 1), "dc1");
    federation_read(f, federation_server(f, "dc3", 1), "dc1");
    failure_wait(run, 2000);
    failure_unless(run, federation_answers(f) == answers + 2,
                   "users of the secondaries read from the primary again");
}

static void count_trying(void *arg, const struct retry_join_status *status)
{
    size_t *trying = arg;

    if (!status->succeeded && status->attempts > 10 &&
        status->last_error[0] != '\0')
        (*trying)++;
}

/* F6: a secondary boots while the primary is away, for an hour; it joins when
 * the primary comes, by itself. Then the same for a reboot. */
void failure_f6(struct failure_run *run)
{
    struct federation *f = run->federation;
    size_t trying = 0;

    federation_add(f, "dc1", 3);
    federation_add(f, "dc2", 1);
    federation_start(f);
    failure_power_off(run, "dc1");
    federation_gateway_off(f, "dc1");
    failure_quiet_from(run);
    failure_wait(run, 3600000);
    failure_quiet_to(run, 1000);
    joins_each(sim_server_joins(federation_server(f, "dc2", 1)), count_trying,
               &trying);
    failure_unless(run, trying > 0, "the status shows what is being tried");
    failure_power_on(run, "dc1");
    federation_gateway_on(f, "dc1");
    failure_heals(run, 60000);

    failure_power_off(run, "dc1");
    failure_wait(run, 60000);
    restart(run, "dc2");
    failure_wait(run, 600000);
    failure_power_on(run, "dc1");
    failure_heals(run, 120000);
}

static void rebuild(struct failure_run *run, const char *dc)
{
    size_t i;

    failure_power_off(run, dc);
    for (i = 1; i <= federation_size(run->federation, dc); i++)
        sim_server_wipe(federation_server(run->federation, dc, i));
    failure_wait(run, base_sim_random_below(run->world, 60000));
    failure_power_on(run, dc);
}

/* F10: the primary is rebuilt under its old name, with empty disks; then a
 * secondary is. Nothing of what was before the rebuild stays anywhere. */
void failure_f10(struct failure_run *run)
{
    struct federation *f = run->federation;
    uint64_t healed_ms;

    failure_form(run, (const size_t[]){3, 3, 1, 0});
    federation_put(f, federation_server(f, "dc1", 1), "before", NULL, NULL);
    failure_wait(run, 5000);
    failure_unless(run, sim_server_has(federation_leader(f, "dc2"), "before"),
                   "an operator's record is replicated");
    rebuild(run, "dc1");
    failure_heals(run, 180000);
    failure_unless(run, federation_clusters(f, "dc1") == 1, "one new cluster");
    failure_unless(run, !sim_server_has(federation_leader(f, "dc2"), "before"),
                   "states of before the rebuild are gone");
    healed_ms = run->healed_ms;
    rebuild(run, "dc2");
    failure_heals(run, 180000);
    if (healed_ms > run->healed_ms)
        run->healed_ms = healed_ms;
}

#define PUTS 40

struct put {
    char name[16];
    bool done, acknowledged;
};

static void on_put(void *arg, int status)
{
    struct put *put = arg;

    put->done = true;
    put->acknowledged = status == 0;
}

static bool all_done(void *arg)
{
    const struct put *puts = arg;
    size_t i;

    for (i = 0; i < PUTS; i++)
        if (!puts[i].done)
            return false;
    return true;
}

static void check_put(struct failure_run *run, const struct put *put)
{
    static const char *const dcs[] = {"dc1", "dc2"};
    size_t i;

    for (i = 0; i < 2 && put->acknowledged; i++) {
        struct sim_server *leader = federation_leader(run->federation, dcs[i]);

        failure_unless(run, leader && sim_server_has(leader, put->name),
                       "an acknowledged record is never lost");
    }
}

/* F12: records are put from a secondary while leaders of the primary lose power
 * one after the other. Nearly all are acknowledged, and those are there. */
void failure_f12(struct failure_run *run)
{
    struct federation *f = run->federation;
    struct sim_server *killed = NULL;
    struct put puts[PUTS];
    size_t acknowledged = 0, i;

    failure_form(run, (const size_t[]){3, 3, 0});
    memset(puts, 0, sizeof(puts));
    for (i = 0; i < PUTS; i++) {
        snprintf(puts[i].name, sizeof(puts[i].name), "site%zu", i);
        federation_put(f, federation_server(f, "dc2", 1 + i % 3), puts[i].name,
                       on_put, &puts[i]);
        failure_wait(run, base_sim_random_below(run->world, 1000));
        if (i % 20 == 5) {
            killed = federation_leader(f, "dc1");
            if (killed)
                sim_server_crash(killed);
        } else if (i % 20 == 15 && killed) {
            sim_server_boot(killed);
            killed = NULL;
        }
    }
    failure_until(run, all_done, puts, 60000, "every put ends");
    failure_heals(run, 60000);
    for (i = 0; i < PUTS; i++) {
        acknowledged += puts[i].acknowledged;
        check_put(run, &puts[i]);
    }
    failure_unless(run, acknowledged >= PUTS - 2,
                   "puts are held until the new leader takes them");
}
