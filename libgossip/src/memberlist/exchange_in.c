/*
 * Reading an exchange: what a peer opened, or the answer to what we did; and
 * the merge that follows a push/pull (gossip.md 1.5, 2.6).
 */
#include "memberlist/exchange.h"

#include "base/alloc.h"
#include "base/error.h"

#define MERGE_TURN 128u /* members merged before the loop goes on */

static int on_type(void *arg, unsigned type)
{
    struct ml_exchange *exchange = arg;
    struct gossip_memberlist *ml = exchange->ml;

    if (type == ML_ERR && exchange->role != ML_ROLE_ACCEPTED)
        return 0;
    switch (exchange->role) {
    case ML_ROLE_PUSH_PULL: return type == ML_PUSH_PULL ? 0 : GOSSIP_EDECODE;
    case ML_ROLE_PING: return type == ML_ACK ? 0 : GOSSIP_EDECODE;
    case ML_ROLE_USER: return GOSSIP_EDECODE;
    case ML_ROLE_ACCEPTED: break;
    }
    if (type == ML_PING || type == ML_USER)
        return 0;
    if (type != ML_PUSH_PULL)
        return GOSSIP_EDECODE;
    if (ml->push_pulls_in >= ml->params.push_pulls_max)
        return GOSSIP_EBUSY;
    ml->push_pulls_in++;
    exchange->is_push_pull_in = true;
    return 0;
}

static int on_push_pull(void *arg, const struct ml_push_pull *header)
{
    struct ml_exchange *exchange = arg;
    const struct gossip_delegate *delegate = exchange->ml->delegate;

    if (exchange->role == ML_ROLE_ACCEPTED)
        exchange->join = header->join;
    exchange->staged.is_shown = exchange->join && delegate != NULL &&
                                delegate->on_merge != NULL;
    return 0;
}

static int on_push_node(void *arg, const struct ml_push_node *node)
{
    struct ml_exchange *exchange = arg;
    size_t cost = ml_staged_cost(node);
    int rv = ml_exchange_reserve(exchange, cost);

    if (rv != 0)
        return rv;
    cost -= ml_staged_add(&exchange->staged, exchange->ml, node,
                          &exchange->addr);
    ml_exchange_refund(exchange, cost);
    return 0;
}

static int on_reserve(void *arg, size_t bytes)
{
    return ml_exchange_reserve(arg, bytes);
}

static void on_release(void *arg, size_t bytes)
{
    ml_exchange_release(arg, bytes);
}

const struct ml_reader_ops ml_exchange_reader_ops = {
    on_reserve, on_release, on_type, on_push_pull, on_push_node};

static void deliver_user(struct ml_exchange *exchange)
{
    struct gossip_memberlist *ml = exchange->ml;
    const struct base_buf *body = &exchange->reader.body;

    if (base_buf_len(body) > 0 && ml->delegate != NULL &&
        ml->delegate->on_message != NULL)
        ml->delegate->on_message(ml->delegate_ctx, base_buf_data(body),
                                 base_buf_len(body));
    ml_exchange_end(exchange, 0);
}

static void answer_ping(struct ml_exchange *exchange)
{
    const struct ml_ping *ping = &exchange->reader.header.ping;
    struct base_buf message = BASE_BUF_INIT;
    struct ml_ack ack = {ping->seq_no, {NULL, 0}};
    int rv;

    if (ping->node.len > 0 && !mp_is(ping->node, exchange->ml->name)) {
        ml_drop(exchange->ml, ML_DROP_WRONG_NODE, &exchange->addr,
                "stream ping");
        ml_exchange_end(exchange, GOSSIP_ENONODE);
        return;
    }
    ml_put(&message, ML_ACK, &ack);
    rv = ml_exchange_send(exchange, &message);
    base_buf_close(&message);
    if (rv < 0)
        ml_exchange_end(exchange, rv);
}

static void report_err(struct ml_exchange *exchange)
{
    const struct ml_err *err = &exchange->reader.header.err;
    char text[256];
    size_t len =
        err->error.len < sizeof(text) ? err->error.len : sizeof(text) - 1;

    memcpy(text, err->error.data, len);
    text[len] = '\0';
    base_log(&exchange->ml->log, BASE_LOG_WARN, "peer reports an error",
             kv_str("node", exchange->name), kv_addr("addr", &exchange->addr),
             kv_str("error", text));
    ml_exchange_end(exchange, GOSSIP_EREMOTE);
}

static void on_message(struct ml_exchange *exchange)
{
    const struct ml_reader *reader = &exchange->reader;

    base_env_trace(exchange->ml->env, "gossip", "%s<%s stream %s",
                   exchange->ml->name, exchange->name,
                   ml_type_name(reader->type));
    switch (reader->type) {
    case ML_PUSH_PULL:
        if (exchange->role == ML_ROLE_ACCEPTED) {
            exchange->merge_after = true;
            ml_exchange_send_state(exchange);
        } else {
            exchange->phase = ML_PHASE_MERGING;
            ml_exchange_merge(exchange);
        }
        return;
    case ML_USER:
        deliver_user(exchange);
        return;
    case ML_PING:
        answer_ping(exchange);
        return;
    case ML_ACK:
        ml_exchange_end(exchange, reader->header.ack.seq_no == exchange->seq_no
                                      ? 0
                                      : GOSSIP_EDECODE);
        return;
    default:
        report_err(exchange);
    }
}

/* Words that the other side logs. */
static const char *refusal(int err)
{
    switch (err) {
    case GOSSIP_ECRYPT: return "stream is not encrypted as this pool is";
    case GOSSIP_EBUSY: return "too many push/pulls at once, try later";
    case GOSSIP_ETOOBIG: return "message over the limit";
    default: return "malformed stream";
    }
}

static void count_failure(struct ml_exchange *exchange, int err)
{
    static const struct {
        int err;
        enum ml_drop reason;
    } reasons[] = {
        {GOSSIP_ELABEL, ML_DROP_LABEL},   {GOSSIP_ECRYPT, ML_DROP_CRYPT},
        {GOSSIP_ETOOBIG, ML_DROP_LIMIT},  {GOSSIP_EDECODE, ML_DROP_DECODE},
        {GOSSIP_EBUSY, ML_DROP_PUSH_PULLS_FULL},
    };
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(reasons); i++)
        if (reasons[i].err == err)
            ml_drop(exchange->ml, reasons[i].reason, &exchange->addr,
                    "stream");
}

/* Before the type is known, and where we are only busy, the peer is told why;
 * label errors and all others just close (gossip.md 1.5). */
static void on_bad_input(struct ml_exchange *exchange, int err)
{
    const struct ml_reader *reader = &exchange->reader;

    count_failure(exchange, err);
    if (exchange->role == ML_ROLE_ACCEPTED && err != GOSSIP_ELABEL &&
        (!reader->type_known || err == GOSSIP_EBUSY))
        ml_exchange_refuse(exchange, refusal(err));
    else
        ml_exchange_end(exchange, err);
}

static void wait_for_room(struct ml_exchange *exchange)
{
    if (!exchange->waits_for_room)
        exchange->ml->waiting_for_room++;
    exchange->waits_for_room = true;
}

void ml_exchange_read(struct ml_exchange *exchange)
{
    struct base_stream *stream = exchange->stream;
    size_t used;
    int rv;

    do {
        rv = ml_reader_feed(&exchange->reader, base_stream_data(stream),
                            base_stream_len(stream), &used);
        base_stream_consume(stream, used);
    } while (rv == ML_READER_MORE && used > 0 && base_stream_len(stream) > 0);
    if (rv == ML_READER_DONE)
        on_message(exchange);
    else if (rv == ML_READER_AGAIN)
        base_timer_start_ns(&exchange->step, 0);
    else if (rv == ML_READER_WAIT)
        wait_for_room(exchange);
    else if (rv < 0)
        on_bad_input(exchange, rv);
    else if (exchange->closed_in)
        ml_exchange_end(exchange, ml_reader_is_fresh(&exchange->reader)
                                      ? BASE_ECLOSED
                                      : GOSSIP_EDECODE);
}

static void finish_merge(struct ml_exchange *exchange)
{
    struct gossip_memberlist *ml = exchange->ml;
    const struct base_buf *body = &exchange->reader.body;

    if (base_buf_len(body) > 0 && ml->delegate != NULL &&
        ml->delegate->merge_state != NULL)
        ml->delegate->merge_state(ml->delegate_ctx, base_buf_data(body),
                                  base_buf_len(body), exchange->join);
    ml_exchange_end(exchange, 0);
}

void ml_exchange_merge(struct ml_exchange *exchange)
{
    struct gossip_memberlist *ml = exchange->ml;
    int rv = 0;

    if (!exchange->merge_begun) {
        exchange->merge_begun = true;
        rv = ml_staged_check(&exchange->staged, ml);
        if (rv == 0)
            rv = ml_staged_ask(&exchange->staged, ml);
    }
    if (rv < 0) {
        ml_drop(ml, rv == GOSSIP_EVERSION ? ML_DROP_VSN : ML_DROP_VETO,
                &exchange->addr, "push/pull");
        ml_exchange_end(exchange, rv);
    } else if (ml_staged_merge(&exchange->staged, ml, MERGE_TURN)) {
        finish_merge(exchange);
    } else {
        base_timer_start_ns(&exchange->step, 0);
    }
}

void gossip_stream_in(struct gossip_memberlist *ml, struct base_stream *stream)
{
    struct ml_exchange *exchange;

    if (ml->streams_in >= ML_STREAMS_IN_MAX) {
        ml_drop(ml, ML_DROP_STREAMS_FULL, &stream->peer, "stream");
        base_stream_close(stream);
        return;
    }
    exchange = ml_exchange_new(ml, ML_ROLE_ACCEPTED, "", &stream->peer);
    ml_exchange_set_deadline(exchange);
    ml_exchange_attach(exchange, stream);
}
