/*
 * What the node tells about itself: counters and log lines for what it
 * dropped, trace lines for what it sent and got, views of members, and its
 * health score.
 */
#include "memberlist/node.h"

#include <stdio.h>

static const char *const drop_names[ML_DROP_COUNT] = {
#define X(name, text) text,
    ML_DROP_MAP(X)
#undef X
};

void ml_drop(struct gossip_memberlist *ml, enum ml_drop reason,
             const struct base_addr *from, const char *what)
{
    static const struct base_addr nowhere;

    if (ml->dropped[reason] == NULL)
        ml->dropped[reason] =
            base_metrics_counter(ml->env->metrics, "isthmus.memberlist.dropped",
                                 "reason", drop_names[reason]);
    base_counter_add(ml->dropped[reason], 1);
    if (!base_log_on(&ml->log, BASE_LOG_WARN) ||
        !base_log_limit_pass(&ml->drop_log, base_env_now_ns(ml->env)))
        return;
    base_log(&ml->log, BASE_LOG_WARN, "dropped",
             kv_str("reason", drop_names[reason]),
             kv_str("what", what == NULL ? "" : what),
             kv_addr("from", from == NULL ? &nowhere : from));
}

static void set_gauge(struct gossip_memberlist *ml, const char *name,
                      size_t value)
{
    base_gauge_set(base_metrics_gauge(ml->env->metrics, name, "pool",
                                      ml->subsystem),
                   (int64_t)value);
}

void ml_report_gauges(struct gossip_memberlist *ml)
{
    if (ml->env->metrics == NULL || ml->subsystem == NULL)
        return;
    set_gauge(ml, "isthmus.memberlist.members", ml->members.count);
    set_gauge(ml, "isthmus.memberlist.alive", ml->members.alive_count);
    set_gauge(ml, "isthmus.memberlist.health", ml->score);
    set_gauge(ml, "isthmus.memberlist.broadcasts",
              gossip_broadcasts_count(ml->broadcasts));
    set_gauge(ml, "isthmus.memberlist.inbox", ml_inbox_count(&ml->inbox));
    set_gauge(ml, "isthmus.memberlist.streams",
              ml->streams_in + ml->streams_out);
}

void ml_report_push_pull(struct gossip_memberlist *ml, const char *name,
                         const struct base_addr *addr, int status)
{
    base_counter_add(base_metrics_counter(ml->env->metrics,
                                          "isthmus.memberlist.push_pulls",
                                          "result",
                                          status == 0 ? "ok" : "failed"),
                     1);
    if (status < 0)
        base_log(&ml->log, BASE_LOG_WARN, "push/pull failed",
                 kv_str("node", name), kv_addr("addr", addr),
                 kv_str("error", gossip_strerror(status)));
}

/* The score says how much to trust our own failed probes: Lifeguard,
 * LHA-Probe; gossip.md 2.3. */
void ml_awareness_apply(struct gossip_memberlist *ml, int delta)
{
    int64_t score = (int64_t)ml->score + delta;
    int64_t max = (int64_t)ml->params.awareness_max_multiplier - 1;

    if (score > max)
        score = max;
    if (score < 0)
        score = 0;
    ml->score = (uint32_t)score;
}

void ml_view(const struct ml_record *record, enum gossip_state state,
             uint32_t incarnation, uint64_t change_ns,
             struct gossip_node *out)
{
    out->name = ml_record_name(record);
    out->addr = record->addr;
    out->meta = ml_record_meta(record);
    out->meta_len = record->meta_len;
    out->state = state;
    out->incarnation = incarnation;
    memcpy(out->vsn, record->vsn, ML_VSN_BYTES);
    out->state_change_ms = change_ns / 1000000u;
}

void ml_view_member(const struct ml_member *member, struct gossip_node *out)
{
    ml_view(member->record, (enum gossip_state)member->state,
            member->incarnation, member->change_ns, out);
}

/* Appends the names of the message types: "compound(ping suspect)". */
static void name_types(const uint8_t *data, size_t len, char *text,
                       size_t text_len)
{
    struct base_cursor in = base_cursor_of(data, len);
    unsigned type = base_cursor_u8(&in);
    size_t at = 0, parts, i;
    struct base_cursor lens;

    if (type != ML_COMPOUND) {
        snprintf(text, text_len, "%s", ml_type_name(type));
        return;
    }
    parts = base_cursor_u8(&in);
    lens = in;
    base_cursor_bytes(&in, 2 * parts);
    for (i = 0; i < parts && !in.failed && at + 16 < text_len; i++) {
        const uint8_t *part =
            base_cursor_bytes(&in, base_cursor_u16be(&lens));

        if (part != NULL && part < in.end)
            at += (size_t)snprintf(text + at, text_len - at, "%s%s",
                                   i == 0 ? "" : "+", ml_type_name(*part));
    }
}

void ml_trace_packet(struct gossip_memberlist *ml, char direction,
                     const char *peer, const struct base_addr *addr,
                     const void *data, size_t len)
{
    char where[BASE_ADDR_TEXT_MAX];
    char types[128] = "";

    if (ml->env->ops->trace == NULL || len == 0)
        return;
    name_types(data, len, types, sizeof(types));
    if (peer == NULL || *peer == '\0')
        peer = base_addr_format(addr, where);
    base_env_trace(ml->env, "gossip", "%s%c%s %s %zu", ml->name, direction,
                   peer, types, len);
}
