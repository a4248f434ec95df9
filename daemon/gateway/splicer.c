/* Makes and ends what splicer_way.c moves: see there. */
#include "gateway/splicer_priv.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"

/* ---- the shared part -------------------------------------------------------
 */

struct splicer *splicer_new(struct base_loop *loop)
{
    struct splicer *splicer;

    BASE_NEW(splicer);
    splicer->loop = loop;
    return splicer;
}

void splicer_free(struct splicer *splicer)
{
    if (splicer == NULL)
        return;
    pipe_pool_close(&splicer->pipes);
    base_free(splicer);
}

/* ---- ends -----------------------------------------------------------------
 */

void splice_free(struct splice *splice)
{
    int i;

    idle_stop(&splice->idle);
    for (i = 0; i < 2; i++)
        splicer_way_close(&splice->ways[i]);
    close(splice->ways[0].from);
    close(splice->ways[1].from);
    base_free(splice);
}

struct relay_end splice_so_far(const struct splice *splice)
{
    return (struct relay_end){.a_bytes = splice->ways[0].bytes,
                              .b_bytes = splice->ways[1].bytes,
                              .b_gave_up = splice->b_gave_up};
}

static void finish(struct splice *splice, enum relay_end_reason reason)
{
    void (*done)(void *arg, const struct relay_end *end) = splice->done;
    struct relay_end end = splice_so_far(splice);
    void *arg = splice->arg;

    end.reason = reason;
    splice_free(splice);
    done(arg, &end);
}

static void on_idle(void *arg)
{
    struct splice *splice = arg;

    if (idle_is_over(&splice->idle))
        finish(splice,
               idle_is_unanswered(&splice->idle) ? RELAY_SILENT : RELAY_IDLE);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    struct way *way = arg;
    struct splice *splice = way->splice;

    (void)fd;
    (void)what;
    splicer_way_move(way);
    if (splice->ways[0].over && splice->ways[1].over)
        finish(splice, splice->broken ? RELAY_BROKEN : RELAY_FINISHED);
}

/* ---- the beginning --------------------------------------------------------
 */

static void open_way(struct splice *splice, int i, int from, int to,
                     struct base_counter *const counters[2])
{
    struct event_base *base = base_loop_event_base(splice->splicer->loop);
    struct way *way = &splice->ways[i];

    *way = (struct way){.splice = splice,
                        .from = from,
                        .to = to,
                        .counters = {counters[0], counters[1]}};
    event_assign(&way->readable, base, from, EV_READ | EV_PERSIST, on_event,
                 way);
    event_assign(&way->writable, base, to, EV_WRITE | EV_PERSIST, on_event,
                 way);
}

static bool is_plain(const struct base_stream *stream)
{
    return base_stream_has_fd(stream) && !stream->closed_in &&
           base_stream_pending(stream) == 0;
}

/* The client's first bytes, and what is to go before them, leave at once. */
static void send_first(struct way *way, const struct relay_config *config,
                       const struct base_buf *hello)
{
    base_buf_append(&way->early, config->prefix, config->prefix_len);
    base_buf_append(&way->early, base_buf_data(hello), base_buf_len(hello));
    if (base_buf_len(&way->early) > 0)
        splicer_way_send_early(way);
    splicer_way_wait(way, base_buf_len(&way->early) == 0 && !way->over,
                     base_buf_len(&way->early) > 0);
}

struct splice *splice_new(struct splicer *splicer,
                          const struct relay_config *config)
{
    struct base_buf hello = config->a->in;
    struct splice *splice;
    int client, server;

    if (!is_plain(config->a) || !is_plain(config->b) ||
        base_stream_len(config->b) > 0)
        return NULL;
    config->a->in = (struct base_buf)BASE_BUF_INIT;
    client = base_stream_release_fd(config->a);
    server = base_stream_release_fd(config->b);
    BASE_NEW(splice);
    splice->splicer = splicer;
    splice->idle = (struct idle){.idle_ms = config->idle_ms,
                                 .half_idle_ms = config->half_idle_ms,
                                 .answer_ms = config->answer_ms};
    splice->done = config->done;
    splice->arg = config->arg;
    idle_start(&splice->idle, config->env, on_idle, splice);
    open_way(splice, 0, client, server, config->a_bytes);
    open_way(splice, 1, server, client, config->b_bytes);
    send_first(&splice->ways[0], config, &hello);
    base_buf_close(&hello);
    /* It hears of a server that has gone again, too. */
    splicer_way_wait(&splice->ways[1], true, false);
    return splice;
}
