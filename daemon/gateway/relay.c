/*
 * Each direction is one function, pump(): input of one stream becomes output of
 * the other as far as that has room, and once there is no more to come its end
 * is passed on. It is called whenever input came, or the other side has
 * drained.
 */
#include "gateway/relay.h"

#include "base/alloc.h"

struct side {
    struct relay *relay;
    struct side *other;
    struct base_stream *stream;
    struct base_counter *bytes;
    bool ended;  /* all its input has been passed on, and its end */
    bool broken; /* it takes no more output */
};

struct relay {
    struct side sides[2];
    struct base_timer idle;
    uint64_t moved_ms; /* when the last byte did */
    uint32_t idle_ms;
    uint32_t half_idle_ms;
    void (*done)(void *arg, enum relay_end_reason reason);
    void *arg;
};

void relay_free(struct relay *relay)
{
    base_timer_stop(&relay->idle);
    base_stream_close(relay->sides[0].stream);
    base_stream_close(relay->sides[1].stream);
    base_free(relay);
}

static void finish(struct relay *relay, enum relay_end_reason reason)
{
    void (*done)(void *arg, enum relay_end_reason reason) = relay->done;
    void *arg = relay->arg;

    relay_free(relay);
    done(arg, reason);
}

static uint32_t idle_limit_ms(const struct relay *relay)
{
    return relay->sides[0].ended || relay->sides[1].ended ? relay->half_idle_ms
                                                          : relay->idle_ms;
}

/* Bytes only note the time; the timer looks whether it was long enough ago. */
static void on_idle(void *arg)
{
    struct relay *relay = arg;
    struct base_env *env = relay->idle.env;
    uint64_t quiet_ms = base_env_now_ms(env) - relay->moved_ms;
    uint32_t limit_ms = idle_limit_ms(relay);

    if (quiet_ms >= limit_ms)
        finish(relay, RELAY_IDLE);
    else
        base_timer_start_ms(&relay->idle, limit_ms - quiet_ms);
}

static void pass_end_on(struct side *from)
{
    struct relay *relay = from->relay;

    from->ended = true;
    base_stream_shutdown(from->other->stream);
    relay->moved_ms = base_env_now_ms(relay->idle.env);
    base_timer_start_ms(&relay->idle, relay->half_idle_ms);
}

static void pump(struct side *from)
{
    struct base_stream *to = from->other->stream;
    size_t pending = base_stream_pending(to);
    size_t room =
        pending < RELAY_OUT_BYTES_MAX ? RELAY_OUT_BYTES_MAX - pending : 0;
    size_t len = base_stream_len(from->stream);

    if (from->stream->closed_in && from->stream->close_err != 0)
        from->broken = true;
    if (len > room)
        len = room;
    if (len > 0) {
        if (!from->other->broken &&
            base_stream_write(to, base_stream_data(from->stream), len) < 0)
            from->other->broken = true;
        base_stream_consume(from->stream, len);
        base_counter_add(from->bytes, len);
        from->relay->moved_ms = base_env_now_ms(from->relay->idle.env);
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
    struct base_counter *const bytes[2] = {config->a_bytes, config->b_bytes};
    struct relay *relay;
    int i;

    BASE_NEW(relay);
    relay->idle_ms = config->idle_ms;
    relay->half_idle_ms = config->half_idle_ms;
    relay->done = config->done;
    relay->arg = config->arg;
    relay->moved_ms = base_env_now_ms(config->env);
    base_timer_init(&relay->idle, config->env, "gateway-idle", on_idle, relay);
    base_timer_start_ms(&relay->idle, relay->idle_ms);
    for (i = 0; i < 2; i++) {
        relay->sides[i] = (struct side){.relay = relay,
                                        .other = &relay->sides[1 - i],
                                        .stream = streams[i],
                                        .bytes = bytes[i]};
        base_stream_set_in_limit(streams[i], RELAY_IN_BYTES_MAX);
    }
    for (i = 0; i < 2; i++)
        base_stream_set_events(streams[i], &events, &relay->sides[i]);
    return relay;
}
