/*
 * A large state: one server takes a snapshot of it and sends it to another,
 * each in a process of its own whose memory is watched. The state is made up
 * as it is read, so what memory there is belongs to libraft.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "recovery.h"

#define THRESHOLD 500
#define WAIT_MS 600000

struct figures {
    uint64_t us, base_kib, peak_kib;
};

static void tell(int fd, const struct figures *figures)
{
    if (write(fd, figures, sizeof(*figures)) != (ssize_t)sizeof(*figures))
        _exit(1);
}

static bool has_snapshot(void *arg)
{
    struct raft_status status;

    raft_node_status(((struct recovery_server *)arg)->node, &status);
    return status.first_index > 1;
}

static void on_added(void *arg, int status)
{
    *(int *)arg = status;
}

static bool is_added(void *arg)
{
    return *(int *)arg != 1;
}

/* Takes the snapshot, tells, then adds the other and tells again. */
static void run_leader(const char *folder, uint64_t bytes, int fd)
{
    struct recovery_server server = {.state_bytes = bytes};
    struct raft_server other = {.id = "s1", .address = "127.9.9.2:18500"};
    struct figures figures = {0};
    uint64_t since;
    int status = 1;

    recovery_open(&server, folder, 0, 1, THRESHOLD);
    recovery_wait_leader(&server);
    figures.base_kib = recovery_resident_kib();
    since = recovery_now_us();
    (void)recovery_commit(&server, THRESHOLD + 10);
    base_loop_run_until(server.loop, has_snapshot, &server, WAIT_MS);
    figures.us = recovery_now_us() - since;
    figures.peak_kib = recovery_peak_kib();
    tell(fd, &figures);
    if (raft_node_add_server(server.node, &other, on_added, &status) < 0)
        _exit(1);
    base_loop_run_until(server.loop, is_added, &status, WAIT_MS);
    figures.peak_kib = recovery_peak_kib();
    tell(fd, &figures);
    base_loop_run(server.loop);
}

static bool is_installed(void *arg)
{
    const struct recovery_server *server = arg;
    struct raft_status status;

    raft_node_status(server->node, &status);
    return server->restored_bytes == server->state_bytes &&
           status.applied_index > THRESHOLD;
}

static void run_follower(const char *folder, uint64_t bytes, int fd)
{
    struct recovery_server server = {.state_bytes = bytes};
    struct figures figures = {0};
    uint64_t since;

    recovery_open(&server, folder, 1, 0, UINT32_MAX);
    figures.base_kib = recovery_resident_kib();
    since = recovery_now_us();
    base_loop_run_until(server.loop, is_installed, &server, WAIT_MS);
    figures.us = recovery_now_us() - since;
    figures.peak_kib = recovery_peak_kib();
    tell(fd, &figures);
    base_loop_run(server.loop); /* the leader's change wants it alive */
}

static pid_t start(void (*run)(const char *folder, uint64_t bytes, int fd),
                   const char *folder, uint64_t bytes, int *fd)
{
    int pipes[2];
    pid_t child;

    if (pipe(pipes) < 0)
        exit(1);
    fflush(stdout);
    child = fork();
    if (child == 0) {
        close(pipes[0]);
        run(folder, bytes, pipes[1]);
        _exit(0);
    }
    close(pipes[1]);
    *fd = pipes[0];
    return child;
}

static bool hear(int fd, struct figures *figures)
{
    return read(fd, figures, sizeof(*figures)) == (ssize_t)sizeof(*figures);
}

static void print_row(const char *what, const struct figures *figures)
{
    printf("| %s | %.1f | %.1f | %.1f |\n", what, (double)figures->us / 1e6,
           (double)figures->base_kib / 1024,
           (double)(figures->peak_kib - figures->base_kib) / 1024);
}

void recovery_snapshot(uint64_t bytes)
{
    struct figures taken = {0}, sent = {0}, installed = {0};
    char folders[2][64];
    pid_t children[2];
    int fds[2];
    bool ok;

    recovery_folder(folders[0]);
    recovery_folder(folders[1]);
    children[0] = start(run_leader, folders[0], bytes, &fds[0]);
    ok = hear(fds[0], &taken);
    children[1] = start(run_follower, folders[1], bytes, &fds[1]);
    ok = ok && hear(fds[1], &installed) && hear(fds[0], &sent);
    sent.us = installed.us;
    kill(children[0], SIGKILL);
    kill(children[1], SIGKILL);
    waitpid(children[0], NULL, 0);
    waitpid(children[1], NULL, 0);
    recovery_remove(folders[0]);
    recovery_remove(folders[1]);
    printf("\nA snapshot of %" PRIu64 " MiB of state.\n\n"
           "| what | seconds | base, MiB | more at most, MiB |\n"
           "| --- | --- | --- | --- |\n",
           bytes >> 20);
    if (!ok) {
        printf("| it did not end | | | |\n");
        exit(1);
    }
    print_row("taken", &taken);
    print_row("sent", &sent);
    print_row("installed", &installed);
}
