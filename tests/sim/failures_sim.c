/* Every failure with many seeds; FAILURE=F7 in the environment for one. */
#include "sim/failures.h"

#include <stdlib.h>
#include <string.h>

#include "sim/scenario.h"

static struct {
    uint64_t runs, shortest_ms, longest_ms, sum_ms, events_per_second;
} seen[32];

static bool run_one(size_t at, uint64_t seed, FILE *log)
{
    struct failure_run run;

    if (!failure_play(&failures[at], seed, log, &run)) {
        fprintf(stderr, "seed %llu: %s: not kept: %s\n",
                (unsigned long long)seed, failures[at].id, run.why);
        return false;
    }
    if (seen[at].runs == 0 || run.healed_ms < seen[at].shortest_ms)
        seen[at].shortest_ms = run.healed_ms;
    if (run.healed_ms > seen[at].longest_ms)
        seen[at].longest_ms = run.healed_ms;
    if (run.events_per_second > seen[at].events_per_second)
        seen[at].events_per_second = run.events_per_second;
    seen[at].sum_ms += run.healed_ms;
    seen[at].runs++;
    return true;
}

static bool run(uint64_t seed, FILE *log)
{
    const char *only = getenv("FAILURE");
    bool ok = true;
    size_t i;

    for (i = 0; i < failure_count; i++)
        if (only == NULL || strcmp(only, failures[i].id) == 0)
            ok = run_one(i, seed, log) && ok;
    return ok;
}

int main(int argc, char **argv)
{
    int code = scenario_main(argc, argv, "failures", 100, run);
    size_t i;

    for (i = 0; i < failure_count; i++)
        if (seen[i].runs > 0)
            printf("%-5s %-44s %5llu runs, healed in %5.1f s (%.1f to %.1f), "
                   "%llu events/s\n",
                   failures[i].id, failures[i].what,
                   (unsigned long long)seen[i].runs,
                   (double)seen[i].sum_ms / 1000 / (double)seen[i].runs,
                   (double)seen[i].shortest_ms / 1000,
                   (double)seen[i].longest_ms / 1000,
                   (unsigned long long)seen[i].events_per_second);
    return code;
}
