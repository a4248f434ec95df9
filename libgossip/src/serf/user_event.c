/*
 * User events: small news for everybody, each delivered at most once
 * (gossip.md 3.6).
 */
#include "serf/core.h"

#include "base/alloc.h"
#include "serf/snapshot.h"

bool serf_user_event(struct gossip_serf *serf,
                     const struct serf_msg_event *msg)
{
    char *name;

    if (!serf_ltime_ok(msg->ltime)) {
        serf_refuse(serf, serf->counters.ltime, "user event", "");
        return false;
    }
    if (msg->name.len + msg->payload.len > GOSSIP_USER_EVENT_BYTES_MAX ||
        (msg->name.len > 0 &&
         memchr(msg->name.data, '\0', msg->name.len) != NULL)) {
        serf_refuse(serf, serf->counters.malformed, "user event",
                    "name or size");
        return false;
    }
    serf_lamport_witness(&serf->event_clock, msg->ltime);
    switch (serf_ring_see(&serf->events, msg->ltime, serf->event_clock.time, 0,
                          msg->name.data, msg->name.len, msg->payload.data,
                          msg->payload.len)) {
    case SERF_RING_NEW:
        break;
    case SERF_RING_FULL:
        serf_refuse(serf, serf->counters.full, "user event", "");
        return false;
    default:
        return false;
    }
    serf_snapshot_user_event(serf->snapshot, msg->ltime);
    name = base_strndup((const char *)msg->name.data, msg->name.len);
    serf_emit(serf, &(struct gossip_event){.kind = GOSSIP_EVENT_USER,
                                           .name = name,
                                           .payload = msg->payload.data,
                                           .payload_len = msg->payload.len,
                                           .ltime = msg->ltime,
                                           .coalesce = msg->coalesce});
    base_free(name);
    return true;
}

int gossip_serf_user_event(struct gossip_serf *serf, const char *name,
                           const void *payload, size_t payload_len,
                           bool coalesce)
{
    struct serf_msg_event msg = {
        .ltime = serf->event_clock.time,
        .name = mp_str_of(name),
        .payload = mp_bytes_of(payload_len > 0 ? payload : NULL, payload_len),
        .coalesce = coalesce};
    struct base_buf out = BASE_BUF_INIT;
    int rv = 0;

    if (msg.name.len + payload_len > serf->cfg.user_event_bytes_max)
        return GOSSIP_ETOOBIG;
    serf_put_event(&out, &msg);
    if (base_buf_len(&out) > serf->cfg.user_event_bytes_max ||
        base_buf_len(&out) >
            gossip_memberlist_message_bytes_max(serf->memberlist)) {
        rv = GOSSIP_ETOOBIG;
    } else {
        (void)serf_lamport_take(&serf->event_clock);
        (void)serf_user_event(serf, &msg);
        serf_broadcast(serf, serf->event_queue, NULL, base_buf_data(&out),
                       base_buf_len(&out), NULL, NULL);
    }
    base_buf_close(&out);
    return rv;
}
