#include "sim/scenario.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX 64

static bool counts_are_shared;

void *scenario_shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert(memory != MAP_FAILED);
    counts_are_shared = true;
    return memory;
}

void scenario_count(uint64_t *count, uint64_t more)
{
    __atomic_fetch_add(count, more, __ATOMIC_RELAXED);
}

void scenario_highest(uint64_t *highest, uint64_t value)
{
    uint64_t now = __atomic_load_n(highest, __ATOMIC_RELAXED);

    while (value > now &&
           !__atomic_compare_exchange_n(highest, &now, value, false,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        continue;
}

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

struct seeds {
    const char *name;
    uint64_t first, count;
    scenario_fn scenario;
    FILE *log;
};

/* Every step-th seed; how many failed. */
static uint64_t play(const struct seeds *seeds, uint64_t from, uint64_t step)
{
    uint64_t failed = 0, i;

    for (i = from; i < seeds->count; i += step) {
        unsigned long long seed = seeds->first + i;

        if (seeds->scenario(seed, seeds->log))
            continue;
        failed++;
        fprintf(stderr, "%s: seed %llu failed; replay: SEED=%llu\n",
                seeds->name, seed, seed);
    }
    return failed;
}

static size_t jobs_for(const struct seeds *seeds)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    if (!counts_are_shared || seeds->log || seeds->count < 2 || processors < 2)
        return 1;
    return processors < JOBS_MAX ? (size_t)processors : JOBS_MAX;
}

/* A process each; one that dies takes its seeds with it, which is a failure. */
static uint64_t play_in_jobs(const struct seeds *seeds, size_t jobs)
{
    pid_t children[JOBS_MAX];
    uint64_t failed = 0;
    size_t i;
    int status;

    fflush(NULL);
    for (i = 0; i < jobs; i++) {
        children[i] = fork();
        assert(children[i] >= 0);
        if (children[i] == 0)
            _exit(play(seeds, i, jobs) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    for (i = 0; i < jobs; i++) {
        waitpid(children[i], &status, 0);
        if (WIFSIGNALED(status))
            fprintf(stderr, "%s: ended by signal %d\n", seeds->name,
                    WTERMSIG(status));
        failed += status != 0;
    }
    return failed;
}

int scenario_main(int argc, char **argv, const char *name,
                  uint64_t default_seeds, scenario_fn scenario)
{
    const char *only = getenv("SEED");
    struct seeds seeds = {name, 1, default_seeds, scenario, NULL};
    double began = seconds_now();
    uint64_t failed;
    size_t jobs;
    int i;

    for (i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "-seeds") == 0)
            seeds.count = number_of(argv[i + 1]);
        else if (strcmp(argv[i], "-seed") == 0)
            only = argv[i + 1];
        else if (strcmp(argv[i], "-log") == 0)
            seeds.log = fopen(argv[i + 1], "w");
    }
    if (only && *only) {
        seeds.first = number_of(only);
        seeds.count = 1;
    }
    jobs = jobs_for(&seeds);
    failed = jobs > 1 ? play_in_jobs(&seeds, jobs) : play(&seeds, 0, 1);
    if (seeds.log)
        fclose(seeds.log);
    printf("%s: %llu seeds from %llu, %s, %.1f s\n", name,
           (unsigned long long)seeds.count, (unsigned long long)seeds.first,
           failed == 0 ? "none failed" : "SOME FAILED",
           seconds_now() - began);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
