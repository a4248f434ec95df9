/* The soft limit is raised to the hard one first. */
#include "gateway/descriptors.h"

#include <sys/resource.h>

#define CONNECTIONS_MAX 16384u
#define DESCRIPTORS_KEPT 256u /* for all but connections; half are pipes */

size_t descriptors_connections(void)
{
    struct rlimit limit;
    rlim_t pairs;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return CONNECTIONS_MAX;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    pairs = limit.rlim_cur > 2 * DESCRIPTORS_KEPT
                ? (limit.rlim_cur - DESCRIPTORS_KEPT) / 2
                : limit.rlim_cur / 4;
    return pairs < CONNECTIONS_MAX ? (size_t)pairs : CONNECTIONS_MAX;
}
