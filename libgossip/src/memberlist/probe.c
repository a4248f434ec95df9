/*
 * The failure detector: one probe per interval, walking the ring. Direct ping;
 * then, if no ack came or the ping could not even be sent, others are asked to
 * ping and a stream is tried; then suspicion (gossip.md 2.3, federation.md
 * F13). How long a probe waits grows with our own bad health (Lifeguard).
 */
#include "memberlist/node.h"

#include "base/alloc.h"

/* Removes what no longer answers to us, and reshuffles (gossip.md 2.4). */
static void reset_ring(struct gossip_memberlist *ml)
{
    uint64_t now_ns = base_env_now_ns(ml->env);
    uint64_t keep_ns = ml_ms(ml->params.gossip_to_the_dead_ms);

    ml_members_reset(&ml->members, ml->env,
                     now_ns > keep_ns ? now_ns - keep_ns : 0);
}

static struct ml_member *next_target(struct gossip_memberlist *ml)
{
    size_t steps;

    for (steps = 0; steps < ml->members.count; steps++) {
        struct ml_member *member;

        if (ml->probe.ring_index >= ml->members.count) {
            reset_ring(ml);
            ml->probe.ring_index = 0;
            continue;
        }
        member = ml_members_at(&ml->members, ml->probe.ring_index++);
        if (!ml_is_self(ml, member) && (member->state == GOSSIP_ALIVE ||
                                        member->state == GOSSIP_SUSPECT))
            return member;
    }
    return NULL;
}

static void finish(struct gossip_memberlist *ml)
{
    struct ml_probe *probe = &ml->probe;

    probe->running = false;
    base_timer_stop(&probe->timer);
    if (probe->stream != NULL)
        ml_exchange_free(probe->stream);
    probe->stream = NULL;
    ml_record_unref(probe->target);
    probe->target = NULL;
}

static void fail(struct gossip_memberlist *ml)
{
    struct ml_probe *probe = &ml->probe;
    struct ml_record *target = ml_record_ref(probe->target);
    uint32_t incarnation = probe->incarnation;

    if (probe->nacks_expected > 0)
        ml_awareness_apply(ml, (int)(probe->nacks_expected - probe->nacks));
    else
        ml_awareness_apply(ml, 1);
    base_log(&ml->log, BASE_LOG_INFO, "suspect has failed, no acks received",
             kv_str("node", ml_record_name(target)));
    finish(ml);
    ml_rule_suspect(ml, incarnation, ml_record_name_bytes(target),
                    mp_str_of(ml->name));
    ml_record_unref(target);
}

/* The time is over and no ack came by packet. */
static void expire(struct gossip_memberlist *ml)
{
    if (!ml->probe.stream_ok) {
        fail(ml);
        return;
    }
    base_log(&ml->log, BASE_LOG_WARN,
             "reached by stream but not by packet: is UDP blocked?",
             kv_str("node", ml_record_name(ml->probe.target)));
    ml_awareness_apply(ml, -1);
    finish(ml);
}

struct helper_choice {
    struct gossip_memberlist *ml;
    const struct ml_record *target;
};

static bool can_help(void *arg, const struct ml_member *member)
{
    const struct helper_choice *choice = arg;

    return member->state == GOSSIP_ALIVE && !ml_is_self(choice->ml, member) &&
           strcmp(ml_record_name(member->record),
                  ml_record_name(choice->target)) != 0;
}

static void ask_helper(struct gossip_memberlist *ml,
                       const struct ml_member *helper)
{
    struct ml_probe *probe = &ml->probe;
    const struct ml_record *target = probe->target;
    struct gossip_peer peer = ml_peer_of(helper->record);
    struct ml_indirect_ping request = {0};
    struct ml_ping own = ml_ping_to(ml, probe->seq_no, (struct mp_bytes){0});

    request.seq_no = probe->seq_no;
    request.target =
        mp_bytes_of(target->addr.ip, base_addr_ip_len(&target->addr));
    request.port = target->addr.port;
    request.node = ml_record_name_bytes(target);
    request.nack = helper->record->vsn[1] >= ML_PMAX_NACK;
    request.source_addr = own.source_addr;
    request.source_port = own.source_port;
    request.source_node = own.source_node;
    if (ml_send_message(ml, &peer, helper->record, ML_INDIRECT_PING,
                        &request) == 0)
        probe->nacks_expected += request.nack;
}

static void go_indirect(struct gossip_memberlist *ml)
{
    struct ml_probe *probe = &ml->probe;
    struct helper_choice choice = {ml, probe->target};
    struct gossip_peer peer = ml_peer_of(probe->target);
    struct ml_member *helpers[64];
    size_t want = ml->params.indirect_checks, count, i;
    uint64_t now_ns = base_env_now_ns(ml->env);
    uint64_t left_ns =
        probe->deadline_ns > now_ns ? probe->deadline_ns - now_ns : 0;

    if (want > BASE_COUNT_OF(helpers))
        want = BASE_COUNT_OF(helpers);
    probe->indirect = true;
    base_timer_start_ns(&probe->timer, left_ns);
    count = ml_members_random(&ml->members, ml->env, want, can_help, &choice,
                              helpers);
    for (i = 0; i < count; i++)
        ask_helper(ml, helpers[i]);
    if (ml->params.stream_pings &&
        probe->target->vsn[1] >= ML_PMAX_STREAM_PING &&
        (ml->transport.ops->wants_stream_ping == NULL ||
         ml->transport.ops->wants_stream_ping(ml->transport.ctx, &peer)))
        probe->stream =
            ml_stream_ping(ml, probe->target, probe->seq_no, left_ns);
}

int ml_ping_suspect(struct gossip_memberlist *ml,
                    const struct ml_member *member, uint32_t seq_no)
{
    struct ml_ping ping =
        ml_ping_to(ml, seq_no, ml_record_name_bytes(member->record));
    struct gossip_peer peer = ml_peer_of(member->record);
    struct ml_parts parts = {BASE_BUF_INIT, BASE_BUF_INIT, 0};
    struct base_buf one = BASE_BUF_INIT;
    struct ml_claim claim = {member->incarnation, ping.node,
                             mp_str_of(ml->name)};
    int rv;

    ml_put(&one, ML_PING, &ping);
    ml_parts_add(&parts, base_buf_data(&one), base_buf_len(&one));
    base_buf_reset(&one);
    ml_put(&one, ML_SUSPECT, &claim);
    ml_parts_add(&parts, base_buf_data(&one), base_buf_len(&one));
    rv = ml_send_parts(ml, &peer, member->record, &parts);
    ml_parts_close(&parts);
    base_buf_close(&one);
    return rv;
}

static int send_ping(struct gossip_memberlist *ml, struct ml_member *member)
{
    struct ml_ping ping =
        ml_ping_to(ml, ml->probe.seq_no, ml_record_name_bytes(member->record));
    struct gossip_peer peer = ml_peer_of(member->record);

    if (member->state == GOSSIP_SUSPECT)
        return ml_ping_suspect(ml, member, ml->probe.seq_no);
    return ml_send_message(ml, &peer, member->record, ML_PING, &ping);
}

static void begin(struct gossip_memberlist *ml, struct ml_member *member)
{
    struct ml_probe *probe = &ml->probe;
    uint64_t interval_ns =
        ml_ms(ml->params.probe_interval_ms) * (ml->score + 1);

    probe->running = true;
    probe->indirect = false;
    probe->stream_ok = false;
    probe->nacks = 0;
    probe->nacks_expected = 0;
    probe->target = ml_record_ref(member->record);
    probe->incarnation = member->incarnation;
    probe->seq_no = ml_next_seq_no(ml);
    probe->sent_ns = base_env_now_ns(ml->env);
    probe->deadline_ns = probe->sent_ns + interval_ns;
    if (send_ping(ml, member) < 0)
        go_indirect(ml);
    else
        base_timer_start_ms(&probe->timer, ml->params.probe_timeout_ms);
}

static void on_timer(void *arg)
{
    struct gossip_memberlist *ml = arg;

    if (!ml->probe.indirect)
        go_indirect(ml);
    else
        expire(ml);
}

static void on_tick(void *arg)
{
    struct gossip_memberlist *ml = arg;
    struct ml_probe *probe = &ml->probe;
    struct ml_member *member;

    base_timer_start_ms(&probe->tick, ml->params.probe_interval_ms);
    ml_report_gauges(ml);
    if (probe->running && base_env_now_ns(ml->env) >= probe->deadline_ns)
        expire(ml); /* its own timer is due right now as well */
    if (probe->running)
        return;
    member = next_target(ml);
    if (member != NULL)
        begin(ml, member);
}

bool ml_probe_on_ack(struct gossip_memberlist *ml, const struct ml_ack *ack)
{
    struct ml_probe *probe = &ml->probe;
    struct ml_record *target;
    struct gossip_node node;
    bool direct = !probe->indirect;
    uint64_t rtt_ns;
    struct ml_member *member;

    if (!probe->running || ack->seq_no != probe->seq_no)
        return false;
    target = ml_record_ref(probe->target);
    rtt_ns = base_env_now_ns(ml->env) - probe->sent_ns;
    ml_awareness_apply(ml, -1);
    finish(ml);
    member = ml_members_find(&ml->members, ml_record_name_bytes(target));
    if (direct && member != NULL && ml->delegate != NULL &&
        ml->delegate->on_ping_complete != NULL) {
        ml_view_member(member, &node);
        ml->delegate->on_ping_complete(ml->delegate_ctx, &node, rtt_ns,
                                       ack->payload.data, ack->payload.len);
    }
    ml_record_unref(target);
    return true;
}

void ml_probe_on_nack(struct gossip_memberlist *ml, uint32_t seq_no)
{
    struct ml_probe *probe = &ml->probe;

    if (probe->running && probe->seq_no == seq_no &&
        probe->nacks < probe->nacks_expected)
        probe->nacks++;
}

void ml_probe_on_stream(struct gossip_memberlist *ml, int status)
{
    ml->probe.stream = NULL;
    ml->probe.stream_ok = status == 0;
}

void ml_probe_start(struct gossip_memberlist *ml)
{
    struct ml_probe *probe = &ml->probe;
    uint64_t interval_ns = ml_ms(ml->params.probe_interval_ms);

    base_timer_init(&probe->timer, ml->env, "probe", on_timer, ml);
    base_timer_init(&probe->tick, ml->env, "probe-tick", on_tick, ml);
    if (interval_ns > 0)
        base_timer_start_ns(&probe->tick,
                            base_env_random_below(ml->env, interval_ns));
}

void ml_probe_stop(struct gossip_memberlist *ml)
{
    base_timer_stop(&ml->probe.tick);
    if (ml->probe.running)
        finish(ml);
}
