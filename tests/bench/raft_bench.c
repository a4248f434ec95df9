/*
 * Commits a second: three processes on TCP loopback, SQLite storage with every
 * sync on, closed-loop proposers at the leader. In the same run, alone, the
 * floors of this disk: appends with fdatasync, and SQLite transactions of so
 * many rows as there are proposers.
 *
 *   raft-bench [-servers N] [-proposers N] [-size B] [-seconds S] [-json]
 *              [-folder F]
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/loop.h"
#include "raft/node.h"
#include "raft/storage_sqlite.h"
#include "raft/transport_stream.h"

#define SERVERS_MAX 7
#define SAMPLES_MAX 4000000u
#define WARM_MS 1000u

struct options {
    unsigned servers, proposers, size, seconds;
    bool json;
    char folder[200];
};

struct result {
    uint64_t commits;
    double seconds;
    uint32_t p50_us, p99_us;
    uint64_t resident_kib, written_bytes;
};

struct server {
    const struct options *options;
    struct base_loop *loop;
    struct base_env *env;
    struct raft_node *node;
    struct base_timer timer;
    bool running, warm;
    uint64_t began_ns, ends_ns;
    uint64_t written_before;
    uint32_t *samples;
    size_t sample_count;
    uint8_t *data;
    int report_fd;
};

struct proposer {
    struct server *server;
    uint64_t since_ns;
};

static uint64_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- the state machine: counts ---- */

static int fsm_apply(void *ctx, const struct raft_entry *entries, size_t count,
                     void **results)
{
    (void)entries;
    (void)results;
    *(uint64_t *)ctx += count;
    return 0;
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;

    return left < right ? -1 : left > right;
}

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

static void report(struct server *server)
{
    struct result result = {0};
    size_t count = server->sample_count;

    result.commits = count;
    result.seconds = (double)(clock_ns() - server->began_ns) / 1e9;
    qsort(server->samples, count, sizeof(*server->samples), compare_u32);
    if (count > 0) {
        result.p50_us = server->samples[count / 2];
        result.p99_us = server->samples[count * 99 / 100];
    }
    result.resident_kib = proc_value("/proc/self/status", "VmRSS:") -
                          SAMPLES_MAX * sizeof(uint32_t) / 1024u;
    result.written_bytes =
        proc_value("/proc/self/io", "write_bytes:") - server->written_before;
    if (write(server->report_fd, &result, sizeof(result)) !=
        (ssize_t)sizeof(result))
        _exit(1);
    server->running = false;
    pause(); /* until we are killed */
}

static void propose(struct proposer *proposer);

static void on_proposed(void *arg, int status, raft_index index, void *result)
{
    struct proposer *proposer = arg;
    struct server *server = proposer->server;
    uint64_t now = clock_ns();

    (void)index;
    (void)result;
    if (status < 0 || !server->running)
        return;
    if (now >= server->ends_ns) {
        report(server);
        return;
    }
    if (server->warm && server->sample_count < SAMPLES_MAX)
        server->samples[server->sample_count++] =
            (uint32_t)((now - proposer->since_ns) / 1000u);
    if (!server->warm && now >= server->began_ns) {
        server->warm = true;
        server->began_ns = now;
        server->written_before =
            proc_value("/proc/self/io", "write_bytes:");
    }
    propose(proposer);
}

static void propose(struct proposer *proposer)
{
    struct server *server = proposer->server;

    proposer->since_ns = clock_ns();
    if (raft_node_propose(server->node, server->data, server->options->size,
                          on_proposed, proposer) < 0)
        server->running = false;
}

static void on_state(void *ctx, enum raft_role role, raft_term term,
                     const char *leader_id)
{
    struct server *server = ctx;
    unsigned i;

    (void)term;
    (void)leader_id;
    if (role != RAFT_LEADER) {
        server->running = false;
        return;
    }
    server->running = true;
    server->warm = false;
    server->sample_count = 0;
    server->began_ns = clock_ns() + WARM_MS * 1000000u;
    server->ends_ns =
        server->began_ns + server->options->seconds * 1000000000ull;
    for (i = 0; i < server->options->proposers; i++) {
        struct proposer *proposer;

        BASE_NEW(proposer);
        proposer->server = server;
        propose(proposer);
    }
}

static void addr_of(unsigned number, struct base_addr *out)
{
    char text[32];

    snprintf(text, sizeof(text), "127.0.0.%u:18300", number + 1);
    base_addr_parse(out, text, 0);
}

static void on_bootstrapped(void *arg, int status)
{
    *(int *)arg = status;
}

static bool is_ready(void *arg)
{
    return raft_node_is_ready(arg);
}

static void run_server(const struct options *options, unsigned number,
                       int report_fd)
{
    static const struct raft_fsm_ops fsm_ops = {.version = 1,
                                                .apply = fsm_apply};
    struct raft_configuration configuration = {0};
    struct raft_node_config config = {0};
    struct raft_transport_stream *transport;
    struct server server = {.options = options, .report_fd = report_fd};
    struct base_addr addr;
    char folder[300], id[16];
    uint64_t applied = 0;
    int status = 1;
    unsigned i;

    snprintf(folder, sizeof(folder), "%s/s%u", options->folder, number);
    snprintf(id, sizeof(id), "s%u", number);
    mkdir(folder, 0700);
    server.loop = base_loop_new("main", NULL, NULL, base_workers_new());
    server.env = base_loop_env(server.loop);
    server.samples = base_calloc(SAMPLES_MAX, sizeof(*server.samples));
    memset(server.samples, 1, SAMPLES_MAX * sizeof(*server.samples));
    server.data = base_calloc(1, options->size + 1);
    addr_of(number, &addr);
    if (raft_transport_stream_new(base_loop_net(server.loop), id, &addr,
                                  &transport) < 0 ||
        raft_storage_sqlite_open(server.env, folder, id, &config.storage,
                                 NULL) < 0)
        _exit(1);
    config.id = id;
    config.transport = raft_transport_stream_table(transport);
    config.fsm = (struct raft_fsm){&fsm_ops, &applied};
    config.on_state = on_state;
    config.ctx = &server;
    config.snapshot_threshold = UINT32_MAX;
    if (raft_node_new(server.env, &config, &server.node) < 0)
        _exit(1);
    raft_transport_stream_set_node(transport, server.node);
    base_loop_run_until(server.loop, is_ready, server.node, 5000);
    configuration.server_count = options->servers;
    for (i = 0; i < options->servers; i++) {
        snprintf(configuration.servers[i].id, RAFT_ID_MAX, "s%u", i);
        addr_of(i, &addr);
        base_addr_format(&addr, configuration.servers[i].address);
    }
    if (raft_node_bootstrap(server.node, &configuration, on_bootstrapped,
                            &status) < 0)
        _exit(1);
    base_loop_run(server.loop);
    _exit(0);
}

/* ---- the floors of this disk ---- */

static double floor_fdatasync(const struct options *options)
{
    char path[300];
    char block[256] = {0};
    uint64_t until = clock_ns() + 1000000000u;
    uint64_t began = clock_ns();
    unsigned count = 0;
    int fd;

    snprintf(path, sizeof(path), "%s/floor", options->folder);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    while (fd >= 0 && clock_ns() < until) {
        if (write(fd, block, sizeof(block)) < 0 || fdatasync(fd) < 0)
            break;
        count++;
    }
    close(fd);
    return count / ((double)(clock_ns() - began) / 1e9);
}

/* Rows a second with `batch` rows a transaction, in each of as many processes
 * as there are servers. */
static void floor_sqlite_one(const struct options *options, unsigned number,
                             int fd)
{
    uint64_t began = clock_ns();
    uint64_t until = began + 2000000000u;
    uint8_t *data = base_calloc(1, options->size + 1);
    sqlite3_stmt *insert = NULL;
    struct result result = {0};
    uint32_t *samples = base_calloc(1000000, sizeof(*samples));
    size_t count = 0;
    char path[300];
    sqlite3 *db;
    unsigned i;

    snprintf(path, sizeof(path), "%s/floor%u.db", options->folder, number);
    sqlite3_open(path, &db);
    sqlite3_exec(db,
                 "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                 "CREATE TABLE t(id INTEGER PRIMARY KEY, data BLOB)",
                 NULL, NULL, NULL);
    sqlite3_prepare_v2(db, "INSERT INTO t(data) VALUES(?1)", -1, &insert,
                       NULL);
    while (clock_ns() < until && count < 1000000) {
        uint64_t since = clock_ns();

        sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
        for (i = 0; i < options->proposers; i++) {
            sqlite3_bind_blob(insert, 1, data, (int)options->size,
                              SQLITE_STATIC);
            sqlite3_step(insert);
            sqlite3_reset(insert);
        }
        sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
        samples[count++] = (uint32_t)((clock_ns() - since) / 1000u);
        result.commits += options->proposers;
    }
    result.seconds = (double)(clock_ns() - began) / 1e9;
    qsort(samples, count, sizeof(*samples), compare_u32);
    result.p50_us = samples[count / 2];
    result.p99_us = samples[count * 99 / 100];
    if (write(fd, &result, sizeof(result)) < 0)
        _exit(1);
    _exit(0);
}

/* Starts one child a server with run; the first result that comes. */
static bool run_all(const struct options *options,
                    void (*run)(const struct options *, unsigned, int),
                    struct result *result)
{
    pid_t children[SERVERS_MAX];
    int pipes[2];
    bool ok;
    unsigned i;

    if (pipe(pipes) < 0)
        return false;
    for (i = 0; i < options->servers; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            close(pipes[0]);
            run(options, i, pipes[1]);
        }
    }
    close(pipes[1]);
    ok = read(pipes[0], result, sizeof(*result)) == (ssize_t)sizeof(*result);
    for (i = 0; i < options->servers; i++)
        kill(children[i], SIGKILL);
    for (i = 0; i < options->servers; i++)
        waitpid(children[i], NULL, 0);
    close(pipes[0]);
    return ok;
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

static void print(const struct options *options, const struct result *raft,
                  const struct result *rows, double syncs)
{
    double rate = (double)raft->commits / raft->seconds;
    double row_rate = (double)rows->commits / rows->seconds;
    double written = raft->commits == 0 ? 0
                                        : (double)raft->written_bytes /
                                              (double)raft->commits;

    if (options->json)
        printf("{\"servers\":%u,\"proposers\":%u,\"size\":%u,"
               "\"commits_per_s\":%.0f,\"p50_us\":%u,\"p99_us\":%u,"
               "\"leader_rss_kib\":%" PRIu64 ",\"written_per_commit\":%.0f,"
               "\"fdatasync_per_s\":%.0f,\"sqlite_rows_per_s\":%.0f,"
               "\"sqlite_p50_us\":%u,\"sqlite_p99_us\":%u}\n",
               options->servers, options->proposers, options->size, rate,
               raft->p50_us, raft->p99_us, raft->resident_kib, written, syncs,
               row_rate, rows->p50_us, rows->p99_us);
    else
        printf("%u servers, %3u proposers, %4u B: %8.0f commits/s  p50 %5u us"
               "  p99 %6u us  leader %" PRIu64 " MiB  %.0f B written each\n"
               "    floors: fdatasync %.0f/s; sqlite x%u at batch %u: %.0f"
               " rows/s each, p50 %u us, p99 %u us\n",
               options->servers, options->proposers, options->size, rate,
               raft->p50_us, raft->p99_us, raft->resident_kib / 1024, written,
               syncs, options->servers, options->proposers, row_rate,
               rows->p50_us, rows->p99_us);
}

static bool parse(int argc, char **argv, struct options *options)
{
    const struct {
        const char *name;
        unsigned *value;
        unsigned max;
    } numbers[] = {{"-servers", &options->servers, SERVERS_MAX},
                   {"-proposers", &options->proposers, 10000},
                   {"-size", &options->size, RAFT_ENTRY_BYTES_MAX},
                   {"-seconds", &options->seconds, 3600}};
    int i;
    size_t j;

    *options = (struct options){
        .servers = 3, .proposers = 64, .size = 128, .seconds = 5};
    snprintf(options->folder, sizeof(options->folder), "/tmp/raft-bench-%d",
             (int)getpid());
    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-json") == 0) {
            options->json = true;
            continue;
        }
        if (i + 1 == argc)
            return false;
        if (strcmp(argv[i], "-folder") == 0) {
            snprintf(options->folder, sizeof(options->folder),
                     "%s/raft-bench-%d", argv[++i], (int)getpid());
            continue;
        }
        for (j = 0; j < BASE_COUNT_OF(numbers); j++) {
            if (strcmp(argv[i], numbers[j].name) == 0)
                break;
        }
        if (j == BASE_COUNT_OF(numbers))
            return false;
        *numbers[j].value = (unsigned)strtoul(argv[++i], NULL, 10);
        if (*numbers[j].value == 0 || *numbers[j].value > numbers[j].max)
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct options options;
    struct result raft, rows;
    double syncs;
    bool ok;

    if (!parse(argc, argv, &options) || mkdir(options.folder, 0700) < 0) {
        fprintf(stderr, "usage: raft-bench [-servers N] [-proposers N] "
                        "[-size B] [-seconds S] [-json] [-folder F]\n");
        return 2;
    }
    syncs = floor_fdatasync(&options);
    ok = run_all(&options, floor_sqlite_one, &rows) &&
         run_all(&options, run_server, &raft);
    remove_tree(options.folder);
    if (!ok) {
        fprintf(stderr, "raft-bench: no server reported\n");
        return 1;
    }
    print(&options, &raft, &rows, syncs);
    return 0;
}
