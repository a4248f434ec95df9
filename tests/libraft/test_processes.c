/*
 * Real processes on real disks and sockets, killed with -9 while clients work:
 * what the clients saw is linearizable, and nothing acknowledged is lost. A
 * few seconds by default; `make torture` sets TORTURE_SECONDS and
 * TORTURE_KILLS for longer runs.
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "process_server.h"
#include "suite.h"

#define CLIENTS 12
#define KEYS_A_SECOND 6 /* keys change, so that histories of one stay short */
#define SECONDS_MAX (PROCESS_KEYS / KEYS_A_SECOND - 1)

struct client {
    bool busy;
    unsigned server;
    size_t op;
    uint64_t again_ms; /* after a refusal it waits a little */
};

struct torture {
    char folder[64];
    unsigned count;
    struct process_server servers[PROCESS_SERVERS_MAX];
    struct client clients[CLIENTS];
    struct history history;
    uint64_t began_ms;
    unsigned leader; /* who answered last */
    unsigned kills;
    uint64_t done, refused, lost; /* operations; lost: nobody answered */
    uint64_t seen_of_last; /* a register, for swaps that may win */
};

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static unsigned setting(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);

    return text == NULL ? otherwise : (unsigned)strtoul(text, NULL, 10);
}

/* ---- clients ---- */

static bool ask(struct torture *torture, struct client *client,
                enum history_kind kind, uint32_t key)
{
    struct process_request request = {.kind = kind, .key = key};
    struct process_server *server = &torture->servers[client->server];

    if (server->pid == 0)
        return false;
    if (kind == HISTORY_SWAP)
        request.expected = torture->seen_of_last;
    client->op = history_begin(&torture->history, kind, key, request.expected);
    request.value = torture->history.ops[client->op].value;
    request.op = client->op;
    client->busy = send(server->fd, &request, sizeof(request),
                        MSG_NOSIGNAL | MSG_DONTWAIT) ==
                   (ssize_t)sizeof(request);
    if (!client->busy)
        history_drop(&torture->history, client->op);
    return client->busy;
}

static void start_clients(struct torture *torture)
{
    uint64_t now = now_ms();
    uint32_t second = (uint32_t)((now - torture->began_ms) / 1000u);
    unsigned i;

    for (i = 0; i < CLIENTS; i++) {
        struct client *client = &torture->clients[i];
        uint32_t key = second * KEYS_A_SECOND + (uint32_t)rand() % KEYS_A_SECOND;

        if (client->busy || now < client->again_ms)
            continue;
        /* Most know the leader, some ask anybody. */
        client->server = rand() % 4 != 0
                             ? torture->leader
                             : (unsigned)rand() % torture->count;
        if (!ask(torture, client, (enum history_kind)(rand() % 3), key))
            client->again_ms = now + 5;
    }
}

static void take_reply(struct torture *torture, unsigned number,
                       const struct process_reply *reply)
{
    unsigned i;

    for (i = 0; i < CLIENTS; i++) {
        struct client *client = &torture->clients[i];

        if (!client->busy || client->server != number ||
            client->op != reply->op)
            continue;
        client->busy = false;
        switch (reply->status) {
        case PROCESS_DONE:
            history_end(&torture->history, client->op, reply->seen);
            torture->seen_of_last = reply->seen;
            torture->leader = number;
            torture->done++;
            break;
        case PROCESS_REFUSED:
            history_drop(&torture->history, client->op);
            client->again_ms = now_ms() + 5;
            torture->leader = (unsigned)rand() % torture->count;
            torture->refused++;
            break;
        default:
            torture->lost++;
        }
    }
}

/* Answers that came, waiting up to wait_ms for the first. */
static void take_replies(struct torture *torture, int wait_ms)
{
    struct pollfd polls[PROCESS_SERVERS_MAX];
    struct process_reply reply;
    unsigned i;

    for (i = 0; i < torture->count; i++)
        polls[i] = (struct pollfd){
            .fd = torture->servers[i].pid != 0 ? torture->servers[i].fd : -1,
            .events = POLLIN};
    if (poll(polls, torture->count, wait_ms) <= 0)
        return;
    for (i = 0; i < torture->count; i++) {
        while ((polls[i].revents & POLLIN) != 0 &&
               recv(polls[i].fd, &reply, sizeof(reply), MSG_DONTWAIT) ==
                   (ssize_t)sizeof(reply))
            take_reply(torture, i, &reply);
    }
}

static void work_for(struct torture *torture, uint64_t duration_ms)
{
    uint64_t until = now_ms() + duration_ms;

    while (now_ms() < until) {
        start_clients(torture);
        take_replies(torture, 2);
    }
}

/* ---- servers ---- */

static void kill_and_restart(struct torture *torture, unsigned number)
{
    unsigned i;

    process_server_kill(&torture->servers[number]);
    torture->kills++;
    for (i = 0; i < CLIENTS; i++) {
        struct client *client = &torture->clients[i];

        if (client->busy && client->server == number) {
            client->busy = false; /* nobody knows */
            torture->lost++;
        }
    }
    process_server_start(&torture->servers[number], torture->folder, number,
                         torture->count);
}

static struct torture *torture_new(unsigned count)
{
    struct torture *torture;
    unsigned i;

    BASE_NEW(torture);
    strcpy(torture->folder, "/tmp/raft-torture-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(torture->folder));
    torture->count = count;
    torture->began_ms = now_ms();
    for (i = 0; i < count; i++)
        process_server_start(&torture->servers[i], torture->folder, i, count);
    return torture;
}

static void remove_folder(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char *inside = base_asprintf("%s/%s", path, entry->d_name);

        if (entry->d_name[0] != '.' && unlink(inside) < 0)
            remove_folder(inside);
        base_free(inside);
    }
    if (dir != NULL)
        closedir(dir);
    rmdir(path);
}

static void torture_free(struct torture *torture)
{
    unsigned i;

    for (i = 0; i < torture->count; i++)
        process_server_kill(&torture->servers[i]);
    remove_folder(torture->folder);
    history_close(&torture->history);
    base_free(torture);
}

/* ---- the end: nobody is killed any more, and every key is read ---- */

static bool read_key(struct torture *torture, uint32_t key)
{
    struct client *client = &torture->clients[0];
    uint64_t before = torture->done;
    uint64_t until = now_ms() + 30000;

    while (torture->done == before && now_ms() < until) {
        client->server = torture->leader;
        if (!client->busy && now_ms() >= client->again_ms)
            (void)ask(torture, client, HISTORY_READ, key);
        take_replies(torture, 2);
    }
    return torture->done > before;
}

static void check_all(struct torture *torture)
{
    uint32_t last = (uint32_t)((now_ms() - torture->began_ms) / 1000u + 1) *
                    KEYS_A_SECOND;
    uint32_t key, bad = 0;
    unsigned i;

    work_for(torture, 1000);
    for (i = 0; i < CLIENTS; i++)
        torture->clients[i].busy = false;
    for (key = 0; key < last; key++)
        ck_assert_msg(read_key(torture, key), "register %u is not served", key);
    printf("%u kills -9: %zu operations, %llu done, %llu refused, %llu without"
           " an answer\n",
           torture->kills, torture->history.count,
           (unsigned long long)torture->done,
           (unsigned long long)torture->refused,
           (unsigned long long)torture->lost);
    if (!history_is_linearizable(&torture->history, &bad)) {
        history_print(&torture->history, bad);
        ck_abort_msg("the history of register %u is not linearizable", bad);
    }
}

/* ---- tests ---- */

START_TEST(three_servers_killed_at_random_stay_linearizable)
{
    unsigned seconds = setting("TORTURE_SECONDS", 4);
    struct torture *torture = torture_new(3);
    unsigned i;

    if (seconds > SECONDS_MAX)
        seconds = SECONDS_MAX;
    srand(1);
    work_for(torture, 1000);
    for (i = 0; i < seconds; i++) {
        kill_and_restart(torture, (unsigned)rand() % 3);
        work_for(torture, 1000);
    }
    check_all(torture);
    ck_assert_uint_gt(torture->done, 100);
    torture_free(torture);
}
END_TEST

/* One server, killed a moment after it has begun to answer again. */
START_TEST(a_writing_server_killed_again_and_again_loses_nothing)
{
    unsigned kills = setting("TORTURE_KILLS", 25);
    struct torture *torture = torture_new(1);

    srand(2);
    while (torture->kills < kills) {
        uint64_t before = torture->done;
        uint64_t until = now_ms() + 20000;

        while (torture->done < before + 3 && now_ms() < until)
            work_for(torture, 2);
        ck_assert_uint_ge(torture->done, before + 3);
        work_for(torture, (uint64_t)rand() % 20);
        kill_and_restart(torture, 0);
        if (now_ms() - torture->began_ms > SECONDS_MAX * 1000ull)
            break;
    }
    ck_assert_uint_eq(torture->kills, kills);
    check_all(torture);
    torture_free(torture);
}
END_TEST

Suite *processes_suite(void);

Suite *processes_suite(void)
{
    Suite *suite = suite_create("processes");
    TCase *tcase = tcase_create("processes");

    tcase_set_timeout(tcase, 900);
    tcase_add_test(tcase, three_servers_killed_at_random_stay_linearizable);
    tcase_add_test(tcase,
                   a_writing_server_killed_again_and_again_loses_nothing);
    suite_add_tcase(suite, tcase);
    return suite;
}
