#include "sim/scenario.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t number_of(const char *text)
{
    return strtoull(text, NULL, 0);
}

static double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int scenario_main(int argc, char **argv, const char *name,
                  uint64_t default_seeds, scenario_fn scenario)
{
    const char *only = getenv("SEED");
    uint64_t first = 1, count = default_seeds, seed, failed = 0;
    FILE *log = NULL;
    double began = seconds_now();
    int i;

    for (i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "-seeds") == 0)
            count = number_of(argv[i + 1]);
        else if (strcmp(argv[i], "-seed") == 0)
            only = argv[i + 1];
        else if (strcmp(argv[i], "-log") == 0)
            log = fopen(argv[i + 1], "w");
    }
    if (only && *only) {
        first = number_of(only);
        count = 1;
    }
    for (seed = first; seed < first + count; seed++) {
        if (scenario(seed, log))
            continue;
        failed++;
        fprintf(stderr, "%s: seed %llu failed; replay: SEED=%llu\n", name,
                (unsigned long long)seed, (unsigned long long)seed);
    }
    if (log)
        fclose(log);
    printf("%s: %llu seeds from %llu, %llu failed, %.1f s\n", name,
           (unsigned long long)count, (unsigned long long)first,
           (unsigned long long)failed, seconds_now() - began);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
