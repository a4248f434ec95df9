/*
 * News on its way to all: alive, suspect and dead messages, queued under the
 * name of the node that they are about, so that what is newer replaces what is
 * older; and what we say of ourselves (gossip.md 2.9, 2.10).
 */
#include "memberlist/node.h"

/* Messages that no packet can carry would sit in the queue for ever
 * (gossip.md 9.15). */
static void broadcast(struct gossip_memberlist *ml, const char *name,
                      enum ml_type type, const void *message,
                      gossip_broadcast_done_fn done, void *arg)
{
    struct base_buf out = BASE_BUF_INIT;

    ml_put(&out, type, message);
    if (base_buf_len(&out) <= ml_broadcast_bytes_max(ml)) {
        gossip_broadcasts_add(ml->broadcasts, name, base_buf_data(&out),
                              base_buf_len(&out), done, arg);
    } else {
        ml_drop(ml, ML_DROP_TOO_LONG, NULL, name);
        if (done != NULL)
            done(arg);
    }
    base_buf_close(&out);
}

void ml_tell_alive(struct gossip_memberlist *ml,
                   const struct ml_record *record, uint32_t incarnation,
                   gossip_broadcast_done_fn done, void *arg)
{
    struct ml_alive alive = {0};

    alive.incarnation = incarnation;
    alive.node = ml_record_name_bytes(record);
    alive.addr = mp_bytes_of(record->addr.ip, base_addr_ip_len(&record->addr));
    alive.port = record->addr.port;
    if (record->has_meta)
        alive.meta = mp_bytes_of(ml_record_meta(record), record->meta_len);
    alive.vsn = mp_bytes_of(record->vsn, ML_VSN_BYTES);
    broadcast(ml, ml_record_name(record), ML_ALIVE, &alive, done, arg);
}

void ml_tell_claim(struct gossip_memberlist *ml,
                   const struct ml_member *member, enum ml_type type,
                   uint32_t incarnation, struct mp_bytes from,
                   gossip_broadcast_done_fn done, void *arg)
{
    struct ml_claim claim = {incarnation, ml_record_name_bytes(member->record),
                             from};

    broadcast(ml, ml_record_name(member->record), type, &claim, done, arg);
}

void ml_announce(struct gossip_memberlist *ml, struct ml_record *record,
                 uint32_t incarnation, gossip_broadcast_done_fn done, void *arg)
{
    ml_members_set_record(&ml->members, ml->self, ml_record_ref(record));
    ml->self->incarnation = incarnation;
    if (ml->self->state != GOSSIP_ALIVE)
        ml_members_set_state(&ml->members, ml->self, GOSSIP_ALIVE,
                             base_env_now_ns(ml->env));
    ml_tell_alive(ml, record, incarnation, done, arg);
}

void ml_announce_leave(struct gossip_memberlist *ml,
                       gossip_broadcast_done_fn done, void *arg)
{
    ml_tell_claim(ml, ml->self, ML_DEAD, ml->self->incarnation,
                    mp_str_of(ml->name), done, arg);
    ml_members_set_state(&ml->members, ml->self, GOSSIP_LEFT,
                         base_env_now_ns(ml->env));
}
