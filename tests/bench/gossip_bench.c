/*
 * What libgossip costs: memory, processor time, and how fast news travels, in
 * the simulator and on loopback.
 *
 *   gossip-bench [-quick] [-nodes N]
 *                [members|curve|joins|lifeguard|live|codec ...]
 *
 * Without names all run, in a few minutes. Storms have a program of their own,
 * storm-bench.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gossip_bench.h"

static const struct part {
    const char *name;
    void (*run)(const struct bench_options *options);
} parts[] = {
    {"members", bench_members}, {"curve", bench_curve},
    {"joins", bench_joins},     {"lifeguard", bench_lifeguard},
    {"live", bench_live},       {"codec", bench_codec},
};

#define PARTS (sizeof(parts) / sizeof(parts[0]))

static int run(const struct part *part, const struct bench_options *options)
{
    int status = 0;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        part->run(options);
        fflush(stdout);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0) {
        fprintf(stderr, "gossip-bench: %s failed\n", part->name);
        return 1;
    }
    printf("\n");
    return 0;
}

static const struct part *part_of(const char *name)
{
    size_t i;

    for (i = 0; i < PARTS; i++)
        if (strcmp(parts[i].name, name) == 0)
            return &parts[i];
    fprintf(stderr, "gossip-bench: no part %s\n", name);
    exit(2);
}

/* Gigabytes of views, touched here and there: in small pages, most of the time
 * would go into finding them. malloc reads this before main(). */
static void use_large_pages(char **argv)
{
    if (setenv("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1", 0) == 0 &&
        getenv("GOSSIP_BENCH_AGAIN") == NULL &&
        setenv("GOSSIP_BENCH_AGAIN", "1", 1) == 0)
        execv("/proc/self/exe", argv);
}

/* Returns where the names begin. */
static int parse(int argc, char **argv, struct bench_options *options)
{
    int i = 1;

    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "-quick") == 0)
            options->quick = true;
        else if (strcmp(argv[i], "-nodes") == 0 && i + 1 < argc)
            options->nodes = (size_t)strtoul(argv[++i], NULL, 10);
        else
            exit(2);
    }
    return i;
}

int main(int argc, char **argv)
{
    struct bench_options options = {0};
    int first = parse(argc, argv, &options), failed = 0, i;
    size_t p;

    use_large_pages(argv);
    for (i = first; i < argc; i++)
        failed |= run(part_of(argv[i]), &options);
    for (p = 0; p < PARTS && first == argc; p++)
        failed |= run(&parts[p], &options);
    return failed;
}
