/* Processes, samples, and what /proc knows of memory and bytes written. */
#include "raft_load.h"

#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SAMPLES_MAX 4000000u
#define WARM_MS 1500u
#define ENTRY_BYTES_MAX (1u << 20)

uint64_t load_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- measuring ---- */

struct load {
    struct load_options options;
    int fd;
    bool warm;
    uint64_t began_ns, ends_ns;
    uint64_t written_before;
    uint32_t *samples;
    size_t count;
};

static uint64_t proc_value(const char *path, const char *name)
{
    char line[256];
    uint64_t value = 0;
    FILE *file = fopen(path, "r");

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtoull(line + strlen(name), NULL, 10);
    }
    if (file != NULL)
        fclose(file);
    return value;
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;

    return left < right ? -1 : left > right;
}

void load_percentiles(uint32_t *samples, size_t count,
                      struct load_result *result)
{
    if (count == 0)
        return;
    qsort(samples, count, sizeof(*samples), compare_u32);
    result->p50_us = samples[count / 2];
    result->p99_us = samples[count * 99 / 100];
}

struct load *load_begin(const struct load_options *options, int fd)
{
    struct load *load = calloc(1, sizeof(*load));

    if (load == NULL)
        _exit(1);
    load->options = *options;
    load->fd = fd;
    load->samples = malloc(SAMPLES_MAX * sizeof(*load->samples));
    if (load->samples == NULL)
        _exit(1);
    /* Touched now, so that it can be taken off the resident size. */
    memset(load->samples, 1, SAMPLES_MAX * sizeof(*load->samples));
    load->began_ns = load_now_ns() + WARM_MS * 1000000u;
    load->ends_ns = load->began_ns + options->seconds * 1000000000ull;
    return load;
}

static void report(struct load *load, uint64_t now)
{
    struct load_result result = {0};

    result.resident_kib = proc_value("/proc/self/status", "VmRSS:") -
                          SAMPLES_MAX * sizeof(uint32_t) / 1024u;
    result.written_bytes =
        proc_value("/proc/self/io", "write_bytes:") - load->written_before;
    result.commits = load->count;
    result.seconds = (double)(now - load->began_ns) / 1e9;
    load_percentiles(load->samples, load->count, &result);
    if (write(load->fd, &result, sizeof(result)) != (ssize_t)sizeof(result))
        _exit(1);
    for (;;)
        pause(); /* until we are killed */
}

void load_committed(struct load *load, uint64_t since_ns)
{
    uint64_t now = load_now_ns();

    if (now >= load->ends_ns)
        report(load, now);
    if (load->warm && load->count < SAMPLES_MAX)
        load->samples[load->count++] = (uint32_t)((now - since_ns) / 1000u);
    if (!load->warm && now >= load->began_ns) {
        load->warm = true;
        load->began_ns = now;
        load->written_before = proc_value("/proc/self/io", "write_bytes:");
    }
}

/* ---- processes ---- */

static unsigned run_id;

void load_address(unsigned number, char out[32])
{
    snprintf(out, 32, "127.%u.%u.%u:18300", 1 + run_id / 256 % 250,
             run_id % 256, number + 1);
}

static void remove_tree(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char path[600];

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (unlink(path) < 0)
            remove_tree(path);
    }
    if (dir != NULL)
        closedir(dir);
    rmdir(folder);
}

static void child(const struct load_options *options, unsigned number, int fd,
                  void (*run)(const struct load_options *, unsigned, int))
{
    struct load_options own = *options;

    snprintf(own.folder + strlen(own.folder),
             sizeof(own.folder) - strlen(own.folder), "/%u", number);
    mkdir(own.folder, 0700);
    run(&own, number, fd);
    _exit(1);
}

bool load_run(const struct load_options *options,
              void (*run)(const struct load_options *options, unsigned number,
                          int fd),
              struct load_result *result)
{
    pid_t children[LOAD_SERVERS_MAX];
    int pipes[2];
    bool ok;
    unsigned i;

    run_id = (unsigned)getpid();
    if (mkdir(options->folder, 0700) < 0 || pipe(pipes) < 0)
        return false;
    for (i = 0; i < options->servers; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            close(pipes[0]);
            child(options, i, pipes[1], run);
        }
    }
    close(pipes[1]);
    ok = read(pipes[0], result, sizeof(*result)) == (ssize_t)sizeof(*result);
    for (i = 0; i < options->servers; i++)
        kill(children[i], SIGKILL);
    for (i = 0; i < options->servers; i++)
        waitpid(children[i], NULL, 0);
    close(pipes[0]);
    remove_tree(options->folder);
    return ok;
}

/* ---- in and out ---- */

static bool take_number(const char *name, const char *value,
                        struct load_options *options)
{
    const struct {
        const char *name;
        unsigned *value;
        unsigned max;
    } numbers[] = {{"-servers", &options->servers, LOAD_SERVERS_MAX},
                   {"-proposers", &options->proposers, 10000},
                   {"-size", &options->size, ENTRY_BYTES_MAX},
                   {"-seconds", &options->seconds, 3600}};
    size_t i;

    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (strcmp(name, numbers[i].name) != 0)
            continue;
        *numbers[i].value = (unsigned)strtoul(value, NULL, 10);
        options->all = options->all && i != 1 && i != 2;
        return *numbers[i].value > 0 && *numbers[i].value <= numbers[i].max;
    }
    return false;
}

bool load_parse(int argc, char **argv, struct load_options *options)
{
    const char *folder = "/tmp";
    bool ok = true;
    int i;

    *options = (struct load_options){
        .servers = 3, .proposers = 64, .size = 128, .seconds = 5, .all = true};
    for (i = 1; i < argc && ok; i++) {
        if (strcmp(argv[i], "-json") == 0) {
            options->json = true;
            continue;
        }
        ok = i + 1 < argc;
        if (ok && strcmp(argv[i], "-folder") == 0)
            folder = argv[i + 1];
        else if (ok)
            ok = take_number(argv[i], argv[i + 1], options);
        i++;
    }
    snprintf(options->folder, sizeof(options->folder), "%s/raft-bench-%d",
             folder, (int)getpid());
    if (!ok)
        fprintf(stderr, "usage: %s [-servers N] [-proposers N] [-size B]"
                        " [-seconds S] [-json] [-folder F]\n", argv[0]);
    return ok;
}

void load_print_json(const char *name, const struct load_options *options,
                     const struct load_result *result)
{
    printf("\"library\":\"%s\",\"servers\":%u,\"proposers\":%u,\"size\":%u,"
           "\"commits_per_s\":%.0f,\"p50_us\":%u,\"p99_us\":%u,"
           "\"leader_rss_kib\":%" PRIu64 ",\"written_per_commit\":%.0f",
           name, options->servers, options->proposers, options->size,
           (double)result->commits / result->seconds, result->p50_us,
           result->p99_us, result->resident_kib,
           result->commits == 0 ? 0
                                : (double)result->written_bytes /
                                      (double)result->commits);
}
