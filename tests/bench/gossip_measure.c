/* Clocks, memory and percentiles for gossip-bench. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "base/alloc.h"
#include "gossip_bench.h"

double bench_now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double bench_cpu_s(void)
{
    struct timespec used;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static double status_mib(const char *format)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    double kib = 0;

    if (file == NULL)
        return 0;
    while (fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, format, &kib) == 1)
            break;
    fclose(file);
    return kib / 1024;
}

double bench_resident_mib(void)
{
    return status_mib("VmRSS: %lf");
}

double bench_peak_mib(void)
{
    return status_mib("VmHWM: %lf");
}

size_t bench_heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

uint64_t bench_percentile(uint64_t *values, size_t count, unsigned percent)
{
    if (count == 0)
        return 0;
    qsort(values, count, sizeof(*values), compare);
    return values[(count - 1) * percent / 100];
}

void bench_series_add(struct bench_series *series, uint64_t value)
{
    if (series->count == series->cap) {
        series->cap = series->cap == 0 ? 64 : 2 * series->cap;
        series->values = base_reallocarray(series->values, series->cap,
                                           sizeof(*series->values));
    }
    series->values[series->count++] = value;
}
