/*
 * Small calls over one multiplexed TLS connection, and new connections with a
 * call each: how many a second, how long one takes.
 *
 *   rpc-bench [-seconds 3]      prints a markdown table
 *   rpc-bench -flight 16 -json  one row, for tests/bench/peers/rpc.py
 *   rpc-bench -connections full|resumed -json
 *   rpc-bench -hostile          what an honest caller meets beside floods
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "rpc_load.h"

static char folder[] = "/tmp/isthmus-rpc-bench-XXXXXX";

static void shell(char *command)
{
    if (system(command) != 0)
        rpc_bench_die(command);
    base_free(command);
}

static void print_json(const struct rpc_load *load)
{
    struct rpc_load_result result;

    rpc_load_run(load, &result);
    printf("{\"library\": \"isthmus\", \"per_s\": %.1f, \"p50_us\": %.1f, "
           "\"p99_us\": %.1f, \"cpu_us\": %.2f}\n",
           result.per_s, result.p50_us, result.p99_us, result.cpu_us);
}

static void print_row(const char *what, const struct rpc_load *load)
{
    struct rpc_load_result result;

    rpc_load_run(load, &result);
    printf("| %s | %.0f | %.0f | %.0f | %.1f |\n", what, result.per_s,
           result.p50_us, result.p99_us, result.cpu_us);
    fflush(stdout);
}

static void print_table(struct rpc_load load)
{
    static const unsigned flights[] = {1, 16, 256};
    unsigned i;

    printf("| calls, 100 B there and back | a second | p50 us | p99 us | us of "
           "processor each |\n| --- | --: | --: | --: | --: |\n");
    fflush(stdout); /* the server's process must not print it too */
    for (i = 0; i < BASE_COUNT_OF(flights); i++) {
        char *what = base_asprintf("%u in flight", flights[i]);

        load.flight = flights[i];
        print_row(what, &load);
        base_free(what);
    }
    load.flight = 1;
    load.kind = RPC_LOAD_FULL;
    print_row("a connection each", &load);
    load.kind = RPC_LOAD_RESUMED;
    print_row("a connection each, resumed", &load);
}

static bool parse(int argc, char **argv, struct rpc_load *load, bool *json,
                  bool *hostile)
{
    int i;

    for (i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";

        if (strcmp(argv[i], "-json") == 0) {
            *json = true;
            continue;
        }
        if (strcmp(argv[i], "-hostile") == 0) {
            *hostile = true;
            continue;
        }
        if (strcmp(argv[i], "-seconds") == 0)
            load->seconds = strtod(value, NULL);
        else if (strcmp(argv[i], "-flight") == 0)
            load->flight = (unsigned)strtoul(value, NULL, 10);
        else if (strcmp(argv[i], "-connections") == 0)
            load->kind = strcmp(value, "full") == 0 ? RPC_LOAD_FULL
                                                    : RPC_LOAD_RESUMED;
        else
            return false;
        i++;
    }
    return load->seconds > 0 && load->flight > 0 &&
           load->flight <= RPC_LOAD_FLIGHT_MAX;
}

int main(int argc, char **argv)
{
    struct rpc_load load = {.flight = 1, .seconds = 3, .folder = folder};
    bool json = false, hostile = false;

    if (!parse(argc, argv, &load, &json, &hostile))
        rpc_bench_die("usage: rpc-bench [-seconds S] [-flight N] "
                      "[-connections full|resumed] [-hostile] [-json]");
    if (mkdtemp(folder) == NULL)
        rpc_bench_die("no folder");
    shell(base_asprintf("cd %s && %s tls ca create >/dev/null && %s tls cert "
                        "create -server -dc dc1 -node s1 >/dev/null",
                        folder, ISTHMUS_BIN, ISTHMUS_BIN));
    if (hostile)
        rpc_hostile_run(folder, load.seconds);
    else if (json)
        print_json(&load);
    else
        print_table(load);
    if (!json && !hostile) {
        printf("\n");
        rpc_hostile_run(folder, load.seconds);
    }
    shell(base_asprintf("rm -r %s", folder));
    return 0;
}
