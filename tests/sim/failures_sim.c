/* Every failure with many seeds; FAILURE=F7 in the environment for one. */
#include "sim/failures.h"

#include <stdlib.h>
#include <string.h>

#include "sim/scenario.h"

static struct seen {
    uint64_t runs, longest_ms, sum_ms, events_per_second;
} *seen; /* by failure */

static bool run_one(size_t at, uint64_t seed, FILE *log)
{
    struct failure_run run;

    if (!failure_play(&failures[at], seed, log, &run)) {
        fprintf(stderr, "seed %llu: %s: not kept: %s\n",
                (unsigned long long)seed, failures[at].id, run.why);
        return false;
    }
    scenario_highest(&seen[at].longest_ms, run.healed_ms);
    scenario_highest(&seen[at].events_per_second, run.events_per_second);
    scenario_count(&seen[at].sum_ms, run.healed_ms);
    scenario_count(&seen[at].runs, 1);
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
    size_t i;
    int code;

    seen = scenario_shared(failure_count * sizeof(*seen));
    code = scenario_main(argc, argv, "failures", 100, run);
    for (i = 0; i < failure_count; i++)
        if (seen[i].runs > 0)
            printf("%-5s %-44s %5llu runs, healed in %5.1f s (at most %.1f), "
                   "%llu events/s\n",
                   failures[i].id, failures[i].what,
                   (unsigned long long)seen[i].runs,
                   (double)seen[i].sum_ms / 1000 / (double)seen[i].runs,
                   (double)seen[i].longest_ms / 1000,
                   (unsigned long long)seen[i].events_per_second);
    return code;
}
