/*
 * Streams that we open: the push/pull loop and joins, user messages, pings
 * (gossip.md 1.5, 2.3, 2.6).
 */
#include "memberlist/exchange.h"

#include "memberlist/formulas.h"

static void put_ping(struct ml_exchange *exchange, struct base_buf *message)
{
    struct ml_ping ping = ml_ping_to(exchange->ml, exchange->seq_no,
                                     mp_str_of(exchange->name));

    ml_put(message, ML_PING, &ping);
}

/* A user message waits in out, since its bytes were only lent. */
static void take_message(struct ml_exchange *exchange,
                         struct base_buf *message)
{
    *message = exchange->out;
    exchange->out = (struct base_buf)BASE_BUF_INIT;
}

static void on_dialled(void *arg, int status, struct base_stream *stream)
{
    struct ml_exchange *exchange = arg;
    struct base_buf message = BASE_BUF_INIT;
    int rv;

    exchange->dial = NULL;
    if (status < 0) {
        ml_exchange_end(exchange, status);
        return;
    }
    ml_exchange_attach(exchange, stream);
    if (exchange->role == ML_ROLE_PUSH_PULL) {
        ml_exchange_send_state(exchange);
        return;
    }
    if (exchange->role == ML_ROLE_PING) {
        put_ping(exchange, &message);
    } else {
        take_message(exchange, &message);
        ml_exchange_set_deadline(exchange);
    }
    rv = ml_exchange_send(exchange, &message);
    base_buf_close(&message);
    if (rv < 0)
        ml_exchange_end(exchange, rv);
}

/* Starts it; on an error it is freed and done is not told. */
static int dial(struct ml_exchange *exchange, uint32_t timeout_ms)
{
    struct gossip_memberlist *ml = exchange->ml;
    struct gossip_peer peer = {exchange->name, exchange->addr};
    int rv = GOSSIP_ENAME;

    if (ml->require_node_names && peer.name[0] == '\0')
        ml_drop(ml, ML_DROP_UNNAMED, &peer.addr, "no name to dial");
    else if (ml->streams_out > ML_STREAMS_OUT_MAX)
        rv = GOSSIP_EBUSY;
    else
        rv = ml->transport.ops->dial_stream(ml->transport.ctx, &peer,
                                            timeout_ms, on_dialled, exchange,
                                            &exchange->dial);
    if (rv < 0)
        ml_exchange_free(exchange);
    return rv;
}

static int start_push_pull(struct gossip_memberlist *ml,
                           const struct gossip_peer *peer, bool join,
                           gossip_done_fn done, void *arg)
{
    struct ml_exchange *exchange =
        ml_exchange_new(ml, ML_ROLE_PUSH_PULL, peer->name, &peer->addr);

    exchange->join = join;
    exchange->done = done;
    exchange->done_arg = arg;
    return dial(exchange, ml->params.stream_timeout_ms);
}

int gossip_memberlist_join(struct gossip_memberlist *memberlist,
                           const struct gossip_peer *peer, gossip_done_fn done,
                           void *arg)
{
    return start_push_pull(memberlist, peer, true, done, arg);
}

int gossip_memberlist_send_reliable(struct gossip_memberlist *memberlist,
                                    const struct gossip_peer *to,
                                    const void *data, size_t len,
                                    gossip_done_fn done, void *arg)
{
    struct ml_user_header header = {(int64_t)len};
    struct ml_exchange *exchange;

    if (len > ML_USER_BYTES_MAX)
        return GOSSIP_ETOOBIG;
    exchange = ml_exchange_new(memberlist, ML_ROLE_USER, to->name, &to->addr);
    ml_put(&exchange->out, ML_USER, &header);
    base_buf_append(&exchange->out, data, len);
    exchange->done = done;
    exchange->done_arg = arg;
    return dial(exchange, memberlist->params.stream_timeout_ms);
}

static void on_pinged(void *arg, int status)
{
    ml_probe_on_stream(arg, status);
}

struct ml_exchange *ml_stream_ping(struct gossip_memberlist *ml,
                                   const struct ml_record *target,
                                   uint32_t seq_no, uint64_t timeout_ns)
{
    struct ml_exchange *exchange = ml_exchange_new(
        ml, ML_ROLE_PING, ml_record_name(target), &target->addr);

    exchange->seq_no = seq_no;
    exchange->done = on_pinged;
    exchange->done_arg = ml;
    base_timer_start_ns(&exchange->deadline, timeout_ns);
    return dial(exchange, (uint32_t)(timeout_ns / 1000000u)) < 0 ? NULL
                                                                 : exchange;
}

static bool is_partner(void *arg, const struct ml_member *member)
{
    const struct gossip_memberlist *ml = arg;

    return member->state == GOSSIP_ALIVE && !ml_is_self(ml, member);
}

static void on_push_pull_timer(void *arg)
{
    struct gossip_memberlist *ml = arg;
    uint64_t interval_ns = ml_ms(ml->params.push_pull_interval_ms);
    struct ml_member *partner;

    base_timer_start_ns(&ml->push_pull_timer,
                        ml_push_pull_scale_ns(interval_ns, ml->members.count));
    if (!ml->push_pull_begun) {
        ml->push_pull_begun = true; /* that was the random delay */
        return;
    }
    if (ml_members_random(&ml->members, ml->env, 1, is_partner, ml,
                          &partner) == 1) {
        struct gossip_peer peer = ml_peer_of(partner->record);

        (void)start_push_pull(ml, &peer, false, NULL, NULL);
    }
}

void ml_push_pull_start(struct gossip_memberlist *ml)
{
    uint64_t interval_ns = ml_ms(ml->params.push_pull_interval_ms);

    base_timer_init(&ml->push_pull_timer, ml->env, "push-pull",
                    on_push_pull_timer, ml);
    if (interval_ns > 0)
        base_timer_start_ns(&ml->push_pull_timer,
                            base_env_random_below(ml->env, interval_ns));
}
