/* A user of many pipes gets small ones from the kernel (pipe(7),
 * pipe-user-pages-soft): those are not worth having. */
#include "gateway/pipe_pool.h"

#include <assert.h>
#include <fcntl.h>
#include <unistd.h>

static void close_pipe(struct pipe_pool *pool, struct pipe_ends pipe)
{
    close(pipe.out);
    close(pipe.in);
    pool->made_count--;
}

bool pipe_pool_take(struct pipe_pool *pool, struct pipe_ends *out)
{
    int ends[2];

    if (pool->spare_count > 0) {
        *out = pool->spare[--pool->spare_count];
        return true;
    }
    if (pool->made_count == PIPE_POOL_MAX ||
        pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0)
        return false;
    pool->made_count++;
    *out = (struct pipe_ends){ends[0], ends[1]};
    if (fcntl(ends[0], F_SETPIPE_SZ, PIPE_POOL_BYTES) >= 0 ||
        fcntl(ends[0], F_GETPIPE_SZ) >= (int)(2 * PIPE_POOL_LITTLE_BYTES))
        return true;
    close_pipe(pool, *out);
    return false;
}

void pipe_pool_give(struct pipe_pool *pool, struct pipe_ends pipe, size_t held)
{
    if (held > 0)
        close_pipe(pool, pipe);
    else
        pool->spare[pool->spare_count++] = pipe;
}

void pipe_pool_close(struct pipe_pool *pool)
{
    while (pool->spare_count > 0)
        close_pipe(pool, pool->spare[--pool->spare_count]);
    assert(pool->made_count == 0);
}
