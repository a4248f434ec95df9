/* The soft limit is raised to the hard one first. */
#include "gateway/descriptors.h"

#include <sys/resource.h>

#include "gateway/pipe_pool.h"

#define CONNECTIONS_MAX 16384u
#define KEPT_BY_WORKER (2u * PIPE_POOL_MAX + 16u)
#define KEPT_BY_ALL 112u /* for all but connections */

size_t descriptors_connections(size_t workers)
{
    rlim_t kept = KEPT_BY_ALL + workers * KEPT_BY_WORKER;
    struct rlimit limit;
    rlim_t pairs;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return CONNECTIONS_MAX;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    pairs = limit.rlim_cur > 2 * kept ? (limit.rlim_cur - kept) / 2
                                      : limit.rlim_cur / 4;
    return pairs < CONNECTIONS_MAX ? (size_t)pairs : CONNECTIONS_MAX;
}
