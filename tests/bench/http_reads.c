/*
 * Reads as fast as they are answered: each connection asks again as soon as it
 * has its answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/alloc.h"
#include "http_bench.h"

#define EVENTS 256
#define SAMPLES_MAX 4000000u

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

struct run {
    uint32_t *samples; /* us */
    size_t count;
    const char *request;
    size_t len;
};

static void ask(struct run *run, struct http_peer *peer)
{
    peer->began_us = http_now_us();
    http_peer_send(peer, run->request, run->len);
}

static void drive(struct run *run, struct http_peer *peers, int poll,
                  uint64_t end_us)
{
    while (http_now_us() < end_us && run->count < SAMPLES_MAX) {
        struct epoll_event events[EVENTS];
        int n = epoll_wait(poll, events, EVENTS, 1000);

        while (n-- > 0) {
            struct http_peer *peer = &peers[events[n].data.u32];

            if (!http_peer_read(peer))
                continue;
            run->samples[run->count++ % SAMPLES_MAX] =
                (uint32_t)(http_now_us() - peer->began_us);
            ask(run, peer);
        }
    }
}

void http_reads(const struct http_agent *agent, const char *path,
                size_t connections, unsigned seconds)
{
    struct http_peer *peers = base_calloc(connections, sizeof(*peers));
    struct run run = {.samples = base_calloc(SAMPLES_MAX, sizeof(uint32_t))};
    char *request = base_asprintf(
        "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n", path);
    int poll = epoll_create1(EPOLL_CLOEXEC);
    size_t i;

    run.request = request;
    run.len = strlen(request);
    for (i = 0; i < connections; i++) {
        struct epoll_event event = {.events = EPOLLIN};

        http_peer_open(&peers[i], agent);
        event.data.u32 = (uint32_t)i;
        epoll_ctl(poll, EPOLL_CTL_ADD, peers[i].fd, &event);
        ask(&run, &peers[i]);
    }
    drive(&run, peers, poll, http_now_us() + seconds * 1000000ull);
    qsort(run.samples, run.count, sizeof(*run.samples), compare);
    printf("%-34s %5zu %9.0f %9.2f %9.2f\n", path, connections,
           (double)run.count / seconds, run.samples[run.count / 2] / 1e3,
           run.samples[run.count * 99 / 100] / 1e3);
    for (i = 0; i < connections; i++)
        close(peers[i].fd);
    close(poll);
    base_free(request);
    base_free(run.samples);
    base_free(peers);
}
