/*
 * What it costs to begin again, as markdown tables: from the kill of a leader
 * to the first commit under the next one; from the start of a process with a
 * long log to serving; an entry at the end of short and long logs; a large
 * snapshot taken, sent and installed.
 *
 *   recovery-bench [-trials N] [-election-ms T] [-mib M] [-only WORD]
 *
 * WORD: elections, restart, lengths, snapshot.
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libraft/process_server.h"
#include "recovery.h"

#define SERVERS 3
#define TRIALS_MAX 10000

static uint32_t election_ms = 200;

/* ---- elections: three processes, the leader gets kill -9 ---- */

/* Asks server to write; true once it says that it has, false after a while. */
static bool write_through(struct process_server *server, int wait_ms)
{
    static uint64_t value;
    struct process_request request = {.kind = HISTORY_WRITE};
    struct process_reply reply;
    struct pollfd wait = {.fd = server->fd, .events = POLLIN};

    request.op = ++value;
    request.value = value;
    if (send(server->fd, &request, sizeof(request), MSG_NOSIGNAL) < 0)
        return false;
    while (poll(&wait, 1, wait_ms) > 0 &&
           recv(server->fd, &reply, sizeof(reply), 0) ==
               (ssize_t)sizeof(reply)) {
        if (reply.op == request.op)
            return reply.status == PROCESS_DONE;
    }
    return false;
}

/* Asks all, again and again, until one has written. */
static unsigned find_leader(struct process_server *servers)
{
    unsigned i;

    for (i = 0;; i = (i + 1) % SERVERS) {
        if (servers[i].pid != 0 && write_through(&servers[i], 20))
            return i;
        if (i == 0)
            usleep(500);
    }
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return left < right ? -1 : left > right;
}

void recovery_elections(unsigned trials)
{
    static const unsigned shares[] = {0, 25, 50, 75, 90, 99, 100};
    struct process_server servers[SERVERS] = {{0}};
    static uint64_t us[TRIALS_MAX];
    char folder[64];
    unsigned i, leader;

    recovery_folder(folder);
    for (i = 0; i < SERVERS; i++) {
        servers[i].election_timeout_ms = election_ms;
        process_server_start(&servers[i], folder, i, SERVERS);
    }
    leader = find_leader(servers);
    for (i = 0; i < trials; i++) {
        uint64_t since;

        usleep(election_ms * 1000u); /* all have heard of the leader */
        process_server_kill(&servers[leader]);
        since = recovery_now_us();
        find_leader(servers);
        us[i] = recovery_now_us() - since;
        process_server_start(&servers[leader], folder, leader, SERVERS);
        leader = find_leader(servers);
    }
    for (i = 0; i < SERVERS; i++)
        process_server_kill(&servers[i]);
    recovery_remove(folder);
    qsort(us, trials, sizeof(us[0]), compare_u64);
    printf("\nFrom kill -9 of the leader to the first commit under the next,"
           " %u trials, election timeout %u to %u ms.\n\n"
           "| share of trials, %% | ms |\n| --- | --- |\n",
           trials, election_ms, 2 * election_ms);
    for (i = 0; i < sizeof(shares) / sizeof(shares[0]); i++)
        printf("| %u | %.0f |\n", shares[i],
               (double)us[(trials - 1) * shares[i] / 100] / 1000);
}

/* ---- one server with a long log, each measure in a fresh process ---- */

static void in_a_child(void (*run)(const char *folder, uint64_t entries),
                       const char *folder, uint64_t entries)
{
    pid_t child;
    int status = 0;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        run(folder, entries);
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, &status, 0);
    if (status != 0)
        exit(1);
}

static void grow(const char *folder, uint64_t entries)
{
    struct recovery_server server = {0};

    recovery_open(&server, folder, 0, 1, UINT32_MAX);
    recovery_wait_leader(&server);
    (void)recovery_commit(&server, entries);
    recovery_close(&server);
}

static bool all_applied(void *arg)
{
    struct raft_status status;

    raft_node_status(((struct recovery_server *)arg)->node, &status);
    return status.applied_index == status.commit_index;
}

static void serve_again(const char *folder, uint64_t entries)
{
    struct recovery_server server = {0};
    uint64_t since = recovery_now_us(), loaded;

    recovery_open(&server, folder, 0, 1, UINT32_MAX);
    loaded = recovery_now_us();
    recovery_wait_leader(&server);
    base_loop_run_until(server.loop, all_applied, &server, 60000);
    printf("| %" PRIu64 " | %.0f | %.0f | %.0f |\n", entries,
           (double)(loaded - since) / 1000,
           (double)(recovery_now_us() - since) / 1000,
           (double)recovery_resident_kib() / 1024);
    recovery_close(&server);
}

void recovery_restart(void)
{
    char folder[64];

    recovery_folder(folder);
    in_a_child(grow, folder, 100000);
    printf("\nOne server starts with a log of 128 B entries and no snapshot.\n"
           "\n| entries | loaded, ms | leads and has applied all, ms |"
           " resident, MiB |\n| --- | --- | --- | --- |\n");
    in_a_child(serve_again, folder, 100000);
    recovery_remove(folder);
}

#define MEASURED 20000u

static void lengths(const char *folder, uint64_t longest)
{
    struct recovery_server server = {0};
    uint64_t length, grown = 0;

    recovery_open(&server, folder, 0, 1, UINT32_MAX);
    recovery_wait_leader(&server);
    for (length = 10000; length <= longest; length *= 10) {
        (void)recovery_commit(&server, length - grown);
        printf("| %" PRIu64 " | %.1f | %.0f |\n", length,
               (double)recovery_commit(&server, MEASURED) / MEASURED,
               (double)recovery_resident_kib() / 1024);
        fflush(stdout);
        grown = length + MEASURED;
    }
    recovery_close(&server);
}

void recovery_lengths(void)
{
    char folder[64];

    recovery_folder(folder);
    printf("\nAn entry of 128 B more, one server, 64 proposers.\n\n"
           "| entries before | us each | resident, MiB |\n"
           "| --- | --- | --- |\n");
    in_a_child(lengths, folder, 1000000);
    recovery_remove(folder);
}

/* ---- all ---- */

int main(int argc, char **argv)
{
    unsigned trials = 200, mib = 1024;
    const char *only = "";
    int i;

    for (i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "-trials") == 0)
            trials = (unsigned)strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "-election-ms") == 0)
            election_ms = (uint32_t)strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "-mib") == 0)
            mib = (unsigned)strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "-only") == 0)
            only = argv[i + 1];
        else
            break;
    }
    if (i < argc || trials == 0 || trials > TRIALS_MAX || election_ms < 20) {
        fprintf(stderr, "usage: recovery-bench [-trials N] [-election-ms T] "
                        "[-mib M] [-only WORD]\n");
        return 2;
    }
    if (only[0] == '\0' || strcmp(only, "restart") == 0)
        recovery_restart();
    if (only[0] == '\0' || strcmp(only, "lengths") == 0)
        recovery_lengths();
    if (only[0] == '\0' || strcmp(only, "snapshot") == 0)
        recovery_snapshot((uint64_t)mib << 20);
    if (only[0] == '\0' || strcmp(only, "elections") == 0)
        recovery_elections(trials);
    return 0;
}
