/*
 * The life of a stream: timers, writing in pieces, the end (gossip.md 1.5).
 */
#include "memberlist/exchange.h"

#include <utlist.h>

#include "base/alloc.h"
#include "memberlist/stream_out.h"

#define WRITE_BYTES (64u * 1024) /* queued in the stream at a time */
#define IN_LIMIT_BYTES (16u * 1024) /* of 256 streams that may wait */
#define LINGER_MS 1000u /* for a peer to read why it was refused */

static void on_deadline(void *arg)
{
    struct ml_exchange *exchange = arg;

    if (exchange->phase != ML_PHASE_LINGERING)
        ml_drop(exchange->ml, ML_DROP_EXCHANGE, &exchange->addr,
                "stream too slow");
    ml_exchange_end(exchange, GOSSIP_ETIMEOUT);
}

static void on_step(void *arg)
{
    struct ml_exchange *exchange = arg;

    if (exchange->phase == ML_PHASE_MERGING)
        ml_exchange_merge(exchange);
    else if (exchange->phase == ML_PHASE_READING)
        ml_exchange_read(exchange);
}

static void init_reader(struct ml_exchange *exchange)
{
    struct gossip_memberlist *ml = exchange->ml;
    struct ml_reader_config config = {0};

    config.keyring = ml->keyring;
    config.verify_incoming = ml->params.verify_incoming;
    config.accepting = exchange->role == ML_ROLE_ACCEPTED;
    config.skip_label = ml->skip_inbound_label_check;
    config.label = ml->label;
    config.label_len = ml->label_len;
    config.ops = &ml_exchange_reader_ops;
    config.arg = exchange;
    ml_reader_init(&exchange->reader, &config);
}

struct ml_exchange *ml_exchange_new(struct gossip_memberlist *ml,
                                    enum ml_role role, const char *name,
                                    const struct base_addr *addr)
{
    struct ml_exchange *exchange;

    BASE_NEW(exchange);
    exchange->ml = ml;
    exchange->role = role;
    exchange->name = base_strdup(name);
    exchange->addr = *addr;
    exchange->phase = role == ML_ROLE_ACCEPTED ? ML_PHASE_READING
                                               : ML_PHASE_DIALLING;
    init_reader(exchange);
    ml_staged_init(&exchange->staged);
    base_timer_init(&exchange->deadline, ml->env, "deadline", on_deadline,
                    exchange);
    base_timer_init(&exchange->step, ml->env, "step", on_step, exchange);
    DL_APPEND(ml->exchanges, exchange);
    if (role == ML_ROLE_ACCEPTED)
        ml->streams_in++;
    else
        ml->streams_out++;
    return exchange;
}

void ml_exchange_set_deadline(struct ml_exchange *exchange)
{
    base_timer_start_ms(&exchange->deadline,
                        exchange->ml->params.stream_timeout_ms);
}

void ml_exchange_free(struct ml_exchange *exchange)
{
    struct gossip_memberlist *ml = exchange->ml;

    DL_DELETE(ml->exchanges, exchange);
    if (exchange->role == ML_ROLE_ACCEPTED)
        ml->streams_in--;
    else
        ml->streams_out--;
    if (exchange->is_push_pull_in)
        ml->push_pulls_in--;
    if (exchange->waits_for_room)
        ml->waiting_for_room--;
    if (exchange->dial != NULL)
        ml->transport.ops->dial_cancel(ml->transport.ctx, exchange->dial);
    if (exchange->stream != NULL)
        base_stream_close(exchange->stream);
    base_timer_stop(&exchange->deadline);
    base_timer_stop(&exchange->step);
    ml_reader_close(&exchange->reader);
    ml_staged_close(&exchange->staged);
    base_buf_close(&exchange->out);
    ml_frame_unref(exchange->frame);
    ml_exchange_release(exchange, exchange->held);
    base_free(exchange->name);
    base_free(exchange);
}

void ml_exchange_end(struct ml_exchange *exchange, int status)
{
    gossip_done_fn done = exchange->done;
    void *arg = exchange->done_arg;

    base_env_trace(exchange->ml->env, "gossip", "%s stream with %s ends %d",
                   exchange->ml->name, exchange->name, status);
    if (exchange->role == ML_ROLE_PUSH_PULL)
        ml_report_push_pull(exchange->ml, exchange->name, &exchange->addr,
                            status);
    ml_exchange_free(exchange);
    if (done != NULL)
        done(arg, status);
}

/* All of our message has left. */
static void on_sent(struct ml_exchange *exchange)
{
    switch (exchange->role) {
    case ML_ROLE_PUSH_PULL:
    case ML_ROLE_PING:
        exchange->phase = ML_PHASE_READING;
        ml_exchange_set_deadline(exchange);
        ml_exchange_read(exchange);
        return;
    case ML_ROLE_USER:
        ml_exchange_end(exchange, 0);
        return;
    case ML_ROLE_ACCEPTED:
        if (!exchange->merge_after) {
            ml_exchange_end(exchange, 0);
            return;
        }
        exchange->phase = ML_PHASE_MERGING;
        ml_exchange_merge(exchange);
    }
}

/* The next bytes to write: 0 and *len 0 if there are no more; ML_FRAME_BUSY if
 * they are not made yet. */
static int next_piece(const struct ml_exchange *exchange, const uint8_t **data,
                      size_t *len)
{
    int rv = 0;

    *data = base_buf_data(&exchange->out);
    *len = base_buf_len(&exchange->out);
    if (*len == 0 && exchange->frame != NULL) {
        rv = ml_frame_bytes(exchange->frame, data, len);
        if (rv == 0) {
            *data += exchange->frame_at;
            *len -= exchange->frame_at;
        }
    }
    if (*len > WRITE_BYTES)
        *len = WRITE_BYTES;
    return rv;
}

/* The first piece of the frame, at once after what stands before it. */
static void write_first(struct ml_exchange *exchange)
{
    const uint8_t *data;
    size_t len;

    if (next_piece(exchange, &data, &len) == 0 &&
        base_stream_write(exchange->stream, data, len) == 0)
        exchange->frame_at = len;
}

/* Keeps one piece in the stream's queue: our state takes memory once, not
 * again in the queue of a slow reader. */
static void write_on(struct ml_exchange *exchange)
{
    const uint8_t *data;
    size_t len;
    int rv;

    if (base_stream_pending(exchange->stream) > 0)
        return;
    rv = next_piece(exchange, &data, &len);
    if (rv == ML_FRAME_BUSY)
        return;
    if (rv == 0 && len == 0) {
        on_sent(exchange);
        return;
    }
    if (rv == 0)
        rv = base_stream_write(exchange->stream, data, len);
    if (rv < 0) {
        ml_exchange_end(exchange, rv);
    } else if (base_buf_len(&exchange->out) > 0) {
        base_buf_consume(&exchange->out, len);
        if (exchange->frame != NULL && base_buf_len(&exchange->out) == 0)
            write_first(exchange); /* a label alone is no packet's worth */
    } else {
        exchange->frame_at += len;
    }
}

void ml_exchanges_frame_ready(struct gossip_memberlist *ml,
                              struct ml_frame *frame)
{
    struct ml_exchange *exchange, *next;

    DL_FOREACH_SAFE(ml->exchanges, exchange, next)
        if (exchange->frame == frame && exchange->phase == ML_PHASE_SENDING)
            write_on(exchange);
}

static void on_readable(void *arg)
{
    struct ml_exchange *exchange = arg;

    if (exchange->phase == ML_PHASE_READING)
        ml_exchange_read(exchange);
    else if (exchange->phase == ML_PHASE_LINGERING)
        base_stream_consume(exchange->stream,
                            base_stream_len(exchange->stream));
}

static void on_drained(void *arg)
{
    struct ml_exchange *exchange = arg;

    if (exchange->phase == ML_PHASE_SENDING)
        write_on(exchange);
    else if (exchange->phase == ML_PHASE_LINGERING)
        base_stream_shutdown(exchange->stream);
}

static void on_closed(void *arg, int err)
{
    struct ml_exchange *exchange = arg;

    exchange->closed_in = true;
    if (err == 0 && exchange->phase == ML_PHASE_READING)
        ml_exchange_read(exchange); /* what it left us may be enough */
    else if (err != 0 && exchange->phase != ML_PHASE_MERGING)
        ml_exchange_end(exchange, err);
    else if (exchange->phase == ML_PHASE_LINGERING)
        ml_exchange_end(exchange, 0);
}

static const struct base_stream_events stream_events = {
    on_readable, on_drained, on_closed};

void ml_exchange_attach(struct ml_exchange *exchange,
                        struct base_stream *stream)
{
    exchange->stream = stream;
    base_stream_set_in_limit(stream, IN_LIMIT_BYTES);
    base_stream_set_events(stream, &stream_events, exchange);
}

int ml_exchange_send(struct ml_exchange *exchange,
                     const struct base_buf *message)
{
    int rv = ml_stream_wrap(exchange->ml, message,
                            exchange->role != ML_ROLE_ACCEPTED,
                            &exchange->out);

    base_env_trace(exchange->ml->env, "gossip", "%s>%s stream %s %zu",
                   exchange->ml->name, exchange->name,
                   ml_type_name(*base_buf_data(message)),
                   base_buf_len(message));
    if (rv < 0)
        return rv;
    exchange->phase = ML_PHASE_SENDING;
    write_on(exchange); /* may end it */
    return 0;
}

void ml_exchange_send_state(struct ml_exchange *exchange)
{
    if (exchange->role != ML_ROLE_ACCEPTED)
        ml_put_label(exchange->ml, &exchange->out);
    exchange->frame = ml_frame_get(exchange->ml, exchange->join);
    exchange->phase = ML_PHASE_SENDING;
    ml_exchange_set_deadline(exchange);
    base_env_trace(exchange->ml->env, "gossip", "%s>%s stream push-pull %zu",
                   exchange->ml->name, exchange->name,
                   exchange->ml->members.count);
    write_on(exchange); /* may end it */
}

void ml_exchange_refuse(struct ml_exchange *exchange, const char *why)
{
    struct base_buf message = BASE_BUF_INIT;
    struct ml_err err = {mp_str_of(why)};
    int rv;

    ml_put(&message, ML_ERR, &err);
    rv = ml_stream_wrap(exchange->ml, &message, false, &exchange->out);
    base_buf_close(&message);
    if (rv == 0)
        rv = base_stream_write(exchange->stream,
                               base_buf_data(&exchange->out),
                               base_buf_len(&exchange->out));
    if (rv < 0) {
        ml_exchange_end(exchange, rv);
        return;
    }
    exchange->phase = ML_PHASE_LINGERING;
    base_timer_start_ms(&exchange->deadline, LINGER_MS);
    base_stream_consume(exchange->stream, base_stream_len(exchange->stream));
}

void ml_exchanges_close(struct gossip_memberlist *ml)
{
    while (ml->exchanges != NULL)
        ml_exchange_free(ml->exchanges);
}
