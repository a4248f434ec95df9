/*
 * The HTTP API under load: thousands of blocking queries that wait, and reads
 * as fast as they go. One agent, live, in a process of its own.
 *
 *   http-bench [-waiters N] [-seconds S]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "http_bench.h"

#define SERVICES 100

static void fill_catalog(const struct http_agent *agent)
{
    char body[400];
    int i;

    for (i = 0; i < SERVICES; i++) {
        snprintf(body, sizeof(body),
                 "{\"Node\":\"node%d\",\"Address\":\"10.1.0.%d\","
                 "\"Service\":{\"Service\":\"service-%03d\",\"Port\":%d,"
                 "\"Tags\":[\"v1\",\"zone-a\"]}}",
                 i, i + 1, i, 8000 + i);
        http_ask(agent, "PUT", "/v1/catalog/register", body);
        snprintf(body, sizeof(body),
                 "{\"Node\":\"node%d\",\"Address\":\"10.1.0.%d\","
                 "\"Service\":{\"Service\":\"web\",\"Port\":80,"
                 "\"Tags\":[\"v1\"]},\"Check\":{\"Name\":\"alive\","
                 "\"Status\":\"passing\",\"ServiceID\":\"web\"}}",
                 i, i + 1);
        http_ask(agent, "PUT", "/v1/catalog/register", body);
    }
}

static void measure_reads(const struct http_agent *agent, unsigned seconds)
{
    static const char *const paths[] = {
        "/v1/catalog/services", "/v1/catalog/services?stale",
        "/v1/catalog/service/service-042", "/v1/health/service/web?passing"};
    static const size_t connections[] = {1, 64};
    size_t i, j;

    printf("\n%-34s %5s %9s %9s %9s\n", "GET", "conns", "reads/s", "p50, ms",
           "p99, ms");
    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        for (j = 0; j < sizeof(connections) / sizeof(connections[0]); j++)
            http_reads(agent, paths[i], connections[j], seconds);
}

int main(int argc, char **argv)
{
    struct http_agent agent;
    struct rlimit files;
    size_t waiters = 8000;
    unsigned seconds = 3;
    int i;

    for (i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "-waiters") == 0)
            waiters = strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "-seconds") == 0)
            seconds = (unsigned)strtoul(argv[i + 1], NULL, 10);
    }
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    http_agent_start(&agent);
    http_waiters(&agent, waiters);
    fill_catalog(&agent);
    measure_reads(&agent, seconds);
    http_agent_stop(&agent);
    return 0;
}
