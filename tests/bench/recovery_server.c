/* The server of recovery.h. */
#include "recovery.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"

#define PROPOSERS 64
#define COMMAND_BYTES 128
#define PORT 18500
#define WAIT_MS 600000

/* ---- this process ---- */

uint64_t recovery_now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static uint64_t status_kib(const char *name)
{
    FILE *file = fopen("/proc/self/status", "r");
    uint64_t value = 0;
    char line[200];

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtoull(line + strlen(name), NULL, 10);
    }
    if (file != NULL)
        fclose(file);
    return value;
}

uint64_t recovery_resident_kib(void)
{
    return status_kib("VmRSS:");
}

uint64_t recovery_peak_kib(void)
{
    return status_kib("VmHWM:");
}

void recovery_folder(char path[64])
{
    strcpy(path, "/tmp/recovery-bench-XXXXXX");
    if (mkdtemp(path) == NULL) {
        perror(path);
        exit(1);
    }
}

void recovery_remove(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char *inside = base_asprintf("%s/%s", path, entry->d_name);

        if (strcmp(entry->d_name, ".") != 0 &&
            strcmp(entry->d_name, "..") != 0 && unlink(inside) < 0)
            recovery_remove(inside);
        base_free(inside);
    }
    if (dir != NULL)
        closedir(dir);
    rmdir(path);
}

/* ---- the state machine ---- */

static int apply(void *ctx, const struct raft_entry *entries, size_t count,
                 void **results)
{
    (void)entries;
    (void)results;
    ((struct recovery_server *)ctx)->applied += count;
    return 0;
}

static int snapshot(void *ctx, void **image)
{
    uint64_t *left;

    BASE_NEW(left);
    *left = ((struct recovery_server *)ctx)->state_bytes;
    *image = left;
    return 0;
}

/* Made up as it is read: it takes no memory of its own. */
static int snapshot_read(void *ctx, void *image, size_t limit,
                         struct base_buf *out)
{
    uint64_t *left = image;

    (void)ctx;
    if (*left < limit)
        limit = (size_t)*left;
    memset(base_buf_reserve(out, limit), (int)(*left % 251), limit);
    base_buf_commit(out, limit);
    *left -= limit;
    return *left == 0;
}

static void snapshot_free(void *ctx, void *image)
{
    (void)ctx;
    base_free(image);
}

static int restore_begin(void *ctx)
{
    ((struct recovery_server *)ctx)->restored_bytes = 0;
    return 0;
}

static int restore_write(void *ctx, const void *data, size_t len)
{
    (void)data;
    ((struct recovery_server *)ctx)->restored_bytes += len;
    return 0;
}

static int restore_end(void *ctx, bool ok)
{
    (void)ctx;
    (void)ok;
    return 0;
}

static const struct raft_fsm_ops fsm_ops = {.version = 1,
                                            .apply = apply,
                                            .snapshot = snapshot,
                                            .snapshot_read = snapshot_read,
                                            .snapshot_free = snapshot_free,
                                            .restore_begin = restore_begin,
                                            .restore_write = restore_write,
                                            .restore_end = restore_end};

/* ---- life ---- */

static void must(const char *what, int err)
{
    if (err == 0)
        return;
    fprintf(stderr, "recovery-bench: %s: %s\n", what, raft_strerror(err));
    exit(1);
}

static void on_fatal(void *ctx, int err, const char *why)
{
    (void)ctx;
    must(why, err);
}

static bool is_ready(void *arg)
{
    return raft_node_is_ready(((struct recovery_server *)arg)->node);
}

static void on_done(void *arg, int status)
{
    *(int *)arg = status;
}

static bool is_set(void *arg)
{
    return *(int *)arg != 1;
}

static bool leads(void *arg)
{
    struct raft_status status;

    raft_node_status(((struct recovery_server *)arg)->node, &status);
    return status.role == RAFT_LEADER &&
           status.commit_index == status.last_index;
}

static void wait_for(struct recovery_server *server, bool (*done)(void *arg),
                     void *arg, const char *what)
{
    if (!base_loop_run_until(server->loop, done, arg, WAIT_MS))
        must(what, RAFT_ETIMEOUT);
}

static void bootstrap(struct recovery_server *server, unsigned voters)
{
    int status = 1;
    unsigned i;

    for (i = 0; i < voters; i++) {
        struct raft_server *one = &server->cluster.servers[i];

        snprintf(one->id, sizeof(one->id), "s%u", i);
        snprintf(one->address, sizeof(one->address), "127.9.9.%u:%u", i + 1,
                 PORT);
    }
    server->cluster.server_count = voters;
    if (voters == 0 || raft_node_is_bootstrapped(server->node))
        return;
    must("bootstrap", raft_node_bootstrap(server->node, &server->cluster,
                                          on_done, &status));
    wait_for(server, is_set, &status, "bootstrap");
    must("bootstrap", status);
}

void recovery_open(struct recovery_server *server, const char *folder,
                   unsigned number, unsigned voters,
                   uint32_t snapshot_threshold)
{
    struct raft_node_config config = {0};
    struct base_addr addr;
    char id[16], at[32];

    snprintf(id, sizeof(id), "s%u", number);
    snprintf(at, sizeof(at), "127.9.9.%u:%u", number + 1, PORT);
    base_addr_parse(&addr, at, 0);
    server->loop = base_loop_new("main", NULL, NULL, base_workers_new());
    server->env = base_loop_env(server->loop);
    must("storage", raft_storage_sqlite_open(server->env, folder, id,
                                             &server->storage, NULL));
    must("transport", raft_transport_stream_new(base_loop_net(server->loop),
                                                id, &addr,
                                                &server->transport));
    config.id = id;
    config.storage = server->storage;
    config.transport = raft_transport_stream_table(server->transport);
    config.fsm = (struct raft_fsm){&fsm_ops, server};
    config.on_fatal = on_fatal;
    config.ctx = server;
    config.snapshot_threshold = snapshot_threshold;
    config.snapshot_trailing = 1;
    must("node", raft_node_new(server->env, &config, &server->node));
    raft_transport_stream_set_node(server->transport, server->node);
    wait_for(server, is_ready, server, "load");
    bootstrap(server, voters);
}

void recovery_close(struct recovery_server *server)
{
    raft_node_free(server->node);
    raft_transport_stream_free(server->transport);
    base_loop_free(server->loop);
}

void recovery_wait_leader(struct recovery_server *server)
{
    wait_for(server, leads, server, "no leader");
}

/* ---- load ---- */

struct commits {
    struct recovery_server *server;
    uint64_t left, open;
};

static void propose(struct commits *commits);

static void on_proposed(void *arg, int status, raft_index index, void *result)
{
    struct commits *commits = arg;

    (void)index;
    (void)result;
    must("propose", status);
    commits->open--;
    propose(commits);
}

static void propose(struct commits *commits)
{
    static const uint8_t command[COMMAND_BYTES];

    if (commits->left == 0)
        return;
    commits->left--;
    commits->open++;
    must("propose",
         raft_node_propose(commits->server->node, command, sizeof(command),
                           on_proposed, commits));
}

static bool is_through(void *arg)
{
    const struct commits *commits = arg;

    return commits->left == 0 && commits->open == 0;
}

uint64_t recovery_commit(struct recovery_server *server, uint64_t count)
{
    struct commits commits = {.server = server, .left = count};
    uint64_t since = recovery_now_us();
    unsigned i;

    for (i = 0; i < PROPOSERS; i++)
        propose(&commits);
    wait_for(server, is_through, &commits, "commits");
    return recovery_now_us() - since;
}
