/*
 * Each direction is one function, pump(): input of one stream becomes output of
 * the other as far as that has room, and once there is no more to come its end
 * is passed on. It is called whenever input came, or the other side has
 * drained.
 */
#include "gateway/relay.h"

#include "base/alloc.h"
#include "gateway/idle.h"

struct side {
    struct relay *relay;
    struct side *other;
    struct base_stream *stream;
    struct base_counter *counters[2];
    uint64_t bytes;
    bool ended;  /* all its input has been passed on, and its end */
    bool broken; /* it takes no more output */
};

struct relay {
    struct side sides[2];
    struct idle idle;
    bool b_gave_up;
    void (*done)(void *arg, const struct relay_end *end);
    void *arg;
};

void relay_free(struct relay *relay)
{
    idle_stop(&relay->idle);
    base_stream_close(relay->sides[0].stream);
    base_stream_close(relay->sides[1].stream);
    base_free(relay);
}

struct relay_end relay_so_far(const struct relay *relay)
{
    return (struct relay_end){.a_bytes = relay->sides[0].bytes,
                              .b_bytes = relay->sides[1].bytes,
                              .b_gave_up = relay->b_gave_up};
}

static void finish(struct relay *relay, enum relay_end_reason reason)
{
    void (*done)(void *arg, const struct relay_end *end) = relay->done;
    struct relay_end end = relay_so_far(relay);
    void *arg = relay->arg;

    end.reason = reason;
    relay_free(relay);
    done(arg, &end);
}

static void on_idle(void *arg)
{
    struct relay *relay = arg;

    if (idle_is_over(&relay->idle))
        finish(relay, idle_is_unanswered(&relay->idle) ? RELAY_SILENT
                                                   : RELAY_IDLE);
}

/* A server that hangs up on a hello without a word is no server. */
static void note_end(struct side *from)
{
    struct relay *relay = from->relay;

    if (from == &relay->sides[1] && from->bytes == 0 &&
        !relay->sides[0].ended && !relay->sides[0].broken)
        relay->b_gave_up = true;
    if (from == &relay->sides[1])
        relay->idle.answered = true;
}

static void pass_end_on(struct side *from)
{
    note_end(from);
    from->ended = true;
    base_stream_shutdown(from->other->stream);
    idle_set_half(&from->relay->idle);
}

static void note_bytes(struct side *from, size_t len)
{
    struct idle *idle = &from->relay->idle;

    from->bytes += len;
    base_counter_add(from->counters[0], len);
    base_counter_add(from->counters[1], len);
    idle_note(idle);
    if (from == &from->relay->sides[1])
        idle->answered = true;
}

static void set_broken(struct side *side)
{
    if (side->broken)
        return;
    note_end(side);
    side->broken = true;
}

static void pump(struct side *from)
{
    struct base_stream *to = from->other->stream;
    size_t pending = base_stream_pending(to);
    size_t room =
        pending < RELAY_OUT_BYTES_MAX ? RELAY_OUT_BYTES_MAX - pending : 0;
    size_t len = base_stream_len(from->stream);

    if (from->stream->closed_in && from->stream->close_err != 0)
        set_broken(from);
    if (len > room)
        len = room;
    if (len > 0) {
        if (!from->other->broken &&
            base_stream_write(to, base_stream_data(from->stream), len) < 0)
            from->other->broken = true;
        base_stream_consume(from->stream, len);
        note_bytes(from, len);
    }
    if (from->stream->closed_in && base_stream_len(from->stream) == 0 &&
        !from->ended)
        pass_end_on(from);
}

/* Nothing is left to be said to this side, or nobody is there to hear it. */
static bool is_served(const struct side *side)
{
    return side->broken ||
           (side->other->ended && base_stream_pending(side->stream) == 0);
}

/* The last word of each callback: the relay may be gone after it. */
static void finish_if_over(struct relay *relay)
{
    const struct side *sides = relay->sides;

    if (!is_served(&sides[0]) || !is_served(&sides[1]))
        return;
    finish(relay,
           sides[0].broken || sides[1].broken ? RELAY_BROKEN : RELAY_FINISHED);
}

static void on_readable(void *arg)
{
    struct side *side = arg;

    pump(side);
    finish_if_over(side->relay);
}

static void on_drained(void *arg)
{
    struct side *side = arg;

    pump(side->other);
    finish_if_over(side->relay);
}

static void on_closed(void *arg, int err)
{
    struct side *side = arg;

    (void)err; /* pump() sees it in the stream, whenever it is called */
    pump(side);
    finish_if_over(side->relay);
}

static const struct base_stream_events events = {on_readable, on_drained,
                                                 on_closed};

struct relay *relay_new(const struct relay_config *config)
{
    struct base_stream *const streams[2] = {config->a, config->b};
    struct base_counter *const *const counters[2] = {config->a_bytes,
                                                     config->b_bytes};
    struct relay *relay;
    int i;

    BASE_NEW(relay);
    relay->idle = (struct idle){.idle_ms = config->idle_ms,
                                .half_idle_ms = config->half_idle_ms,
                                .answer_ms = config->answer_ms};
    relay->done = config->done;
    relay->arg = config->arg;
    idle_start(&relay->idle, config->env, on_idle, relay);
    for (i = 0; i < 2; i++) {
        relay->sides[i] =
            (struct side){.relay = relay,
                          .other = &relay->sides[1 - i],
                          .stream = streams[i],
                          .counters = {counters[i][0], counters[i][1]}};
        base_stream_set_in_limit(streams[i], RELAY_IN_BYTES_MAX);
    }
    if (config->prefix_len > 0 &&
        base_stream_write(config->b, config->prefix, config->prefix_len) < 0)
        relay->sides[1].broken = true;
    for (i = 0; i < 2; i++)
        base_stream_set_events(streams[i], &events, &relay->sides[i]);
    return relay;
}
