/*
 * Blocking queries, thousands at once, each on a connection of its own: what
 * the agent's memory grows by, how long one write takes to wake them all, and
 * how long their places stay taken when all clients hang up.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/alloc.h"
#include "http_bench.h"

#define EVENTS 512
#define WAITING "isthmus_http_waiting"
#define ROUNDS 3

static char request[256];

static void ask_again(const struct http_agent *agent)
{
    const char *answer = http_ask(agent, "GET", "/v1/catalog/nodes", NULL);
    const char *index = strstr(answer, "X-Consul-Index: ");

    snprintf(request, sizeof(request),
             "GET /v1/catalog/nodes?index=%lu&wait=10m HTTP/1.1\r\n"
             "Host: bench\r\n\r\n",
             index ? strtoul(index + 16, NULL, 10) : 0);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* One write; how long until each of them has its whole answer. */
static void wake(const struct http_agent *agent, struct http_peer *peers,
                 size_t count, int poll, unsigned round)
{
    char body[64];
    uint64_t *took = base_calloc(count, sizeof(*took)), began = http_now_us();
    uint64_t written;
    size_t woken = 0, i;

    snprintf(body, sizeof(body),
             "{\"Node\":\"new%u\",\"Address\":\"10.0.0.%u\"}", round, round);
    http_ask(agent, "PUT", "/v1/catalog/register", body);
    written = http_now_us() - began;
    while (woken < count) {
        struct epoll_event events[EVENTS];
        int n = epoll_wait(poll, events, EVENTS, 10000);

        if (n <= 0) {
            fprintf(stderr, "http-bench: only %zu woke\n", woken);
            exit(1);
        }
        while (n-- > 0)
            if (http_peer_read(&peers[events[n].data.u32]))
                took[woken++] = http_now_us() - began;
    }
    qsort(took, count, sizeof(*took), compare);
    printf("%7zu %10.1f %10.1f %10.1f %10.1f\n", count,
           (double)written / 1e3, (double)took[0] / 1e3,
           (double)took[count / 2] / 1e3, (double)took[count - 1] / 1e3);
    base_free(took);
    ask_again(agent);
    for (i = 0; i < count; i++)
        http_peer_send(&peers[i], request, strlen(request));
    http_until_gauge(agent, WAITING, (int64_t)count);
}

static void open_all(const struct http_agent *agent, struct http_peer *peers,
                     size_t count, int poll)
{
    size_t i;

    for (i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN};

        http_peer_open(&peers[i], agent);
        event.data.u32 = (uint32_t)i;
        epoll_ctl(poll, EPOLL_CTL_ADD, peers[i].fd, &event);
    }
}

void http_waiters(const struct http_agent *agent, size_t count)
{
    struct http_peer *peers = base_calloc(count, sizeof(*peers));
    uint64_t none, idle, waiting, began;
    int poll = epoll_create1(EPOLL_CLOEXEC);
    unsigned round;
    size_t i;

    none = http_agent_resident_kib(agent);
    open_all(agent, peers, count, poll);
    http_until_gauge(agent, "isthmus_http_connections", (int64_t)count + 1);
    idle = http_agent_resident_kib(agent);
    ask_again(agent);
    for (i = 0; i < count; i++)
        http_peer_send(&peers[i], request, strlen(request));
    http_until_gauge(agent, WAITING, (int64_t)count);
    waiting = http_agent_resident_kib(agent);
    printf("\nwaiters  agent, KiB  a connection, B  a waiter with it, B\n"
           "%7zu %11llu %16.0f %20.0f\n",
           count, (unsigned long long)none,
           (double)(idle - none) * 1024 / (double)count,
           (double)(waiting - none) * 1024 / (double)count);
    printf("\nwaiters  write, ms  first, ms   half, ms    all, ms\n");
    for (round = 1; round <= ROUNDS; round++)
        wake(agent, peers, count, poll, round);
    waiting = http_agent_resident_kib(agent);
    printf("a waiter after those rounds, B: %.0f\n",
           (double)(waiting - none) * 1024 / (double)count);
    began = http_now_us();
    for (i = 0; i < count; i++)
        close(peers[i].fd);
    http_until_gauge(agent, WAITING, 0);
    printf("all hang up, until no place is taken, ms: %.1f\n",
           (double)(http_now_us() - began) / 1e3);
    close(poll);
    base_free(peers);
}
