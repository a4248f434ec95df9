/*
 * Whole federations in the simulator: how long a change of gateways in one
 * secondary takes until another secondary's table, and so its locator, has it;
 * and what growing costs: datacenters of one server and one gateway each.
 * Times are virtual and depend on the seed alone; memory and the run's own
 * speed are this machine's.
 *
 *   federation-bench [-dcs 200]    the largest federation
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "sim/federation.h"

#define CHANGES 100
#define REST_MS 20000u
#define LOOK_MS 200u
#define FORM_MS 600000.0

static void die(const char *what)
{
    fprintf(stderr, "federation-bench: %s\n", what);
    exit(1);
}

static double now_ms(struct federation *f)
{
    return (double)base_sim_now_ns(federation_world(f)) / 1e6;
}

/* ---- changes -------------------------------------------------------------- */

static bool dc3_knows(void *arg)
{
    return federation_knows(arg, "dc3", "dc2");
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return left < right ? -1 : left > right;
}

static void changes(uint32_t min_us, uint32_t max_us)
{
    struct federation *f = federation_new(1);
    struct sim_gateway *extra = NULL;
    double ms[CHANGES];
    size_t i;

    base_sim_set_digest(federation_world(f), false);
    federation_add(f, "dc1", 3);
    federation_add(f, "dc2", 1);
    federation_add(f, "dc3", 1);
    federation_wan_delay(f, min_us, max_us);
    federation_start(f);
    if (!federation_until(f, federation_is_whole, f, 120000))
        die("no federation formed");
    for (i = 0; i < CHANGES; i++) {
        double began;

        base_sim_run_for_ms(federation_world(f), 5000);
        began = now_ms(f);
        if (extra) {
            federation_gateway_remove(extra);
            extra = NULL;
        } else {
            extra = federation_gateway_add(f, "dc2");
        }
        if (!federation_until(f, dc3_knows, f, 60000))
            die("a change was never seen");
        ms[i] = now_ms(f) - began;
    }
    qsort(ms, CHANGES, sizeof(*ms), compare);
    printf("| %u to %u | %.0f | %.0f | %.0f | %.0f | %.1f |\n",
           2 * min_us / 1000, 2 * max_us / 1000, ms[0], ms[CHANGES / 2],
           ms[CHANGES * 99 / 100 - 1], ms[CHANGES - 1],
           ms[CHANGES * 99 / 100 - 1] / ((min_us + max_us) / 1000.0));
    federation_free(f);
}

/* ---- growth --------------------------------------------------------------- */

static double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void grow(unsigned count)
{
    struct federation *f = federation_new(1);
    struct base_sim *world = federation_world(f);
    struct base_sim_stats before, after;
    double began = seconds_now(), whole_ms;
    size_t used = mallinfo2().uordblks;
    char name[16];
    unsigned i;

    base_sim_set_digest(world, false);
    for (i = 1; i <= count; i++) {
        snprintf(name, sizeof(name), "dc%u", i);
        federation_add(f, name, 1);
    }
    federation_start(f);
    do {
        base_sim_run_for_ms(world, LOOK_MS); /* looking at all is costly */
        whole_ms = now_ms(f);
    } while (!federation_is_whole(f) && whole_ms < FORM_MS);
    if (whole_ms >= FORM_MS)
        die("no federation formed");
    base_sim_run_for_ms(world, REST_MS);
    before = base_sim_stats(world);
    base_sim_run_for_ms(world, REST_MS);
    after = base_sim_stats(world);
    printf("| %u | %.1f | %.1f | %.0f | %.0f | %.1f |\n", count,
           whole_ms / 1000,
           (double)(after.packets + after.stream_writes - before.packets -
                    before.stream_writes) /
               count / (REST_MS / 1000.0),
           (double)(after.packet_bytes + after.stream_bytes -
                    before.packet_bytes - before.stream_bytes) /
               count / (REST_MS / 1000.0),
           (double)(mallinfo2().uordblks - used) / 1024 / count,
           seconds_now() - began);
    fflush(stdout);
    federation_free(f);
}

int main(int argc, char **argv)
{
    static const unsigned counts[] = {3, 10, 50, 200};
    unsigned most = 200;
    size_t i;

    if (argc == 3 && strcmp(argv[1], "-dcs") == 0)
        most = (unsigned)strtoul(argv[2], NULL, 10);
    printf("| WAN round trip ms | least ms | p50 | p99 | most | p99 in round "
           "trips |\n| --- | --: | --: | --: | --: | --: |\n");
    changes(50, 100);
    changes(5000, 10000);
    changes(50000, 50000);
    printf("\n| datacenters | s to whole | messages/s a datacenter | bytes/s | "
           "KiB each | s of this run |\n| --: | --: | --: | --: | --: | --: "
           "|\n");
    for (i = 0; i < BASE_COUNT_OF(counts) && counts[i] <= most; i++)
        grow(counts[i]);
    return 0;
}
