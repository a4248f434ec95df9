/*
 * The node as its own files see it: state in one struct, and the functions
 * that one file offers to the others. Users see gossip/memberlist.h only.
 *
 *   packet_in  -> serve (pings), probe (acks), inbox -> merge
 *   exchange   -> reader -> staged -> merge           (streams)
 *   merge      -> members, suspicion, broadcasts, events
 *   probe, gossip, push/pull loops -> packet_out, exchange
 */
#ifndef MEMBERLIST_NODE_H
#define MEMBERLIST_NODE_H

#include "gossip/broadcast.h"
#include "gossip/memberlist.h"
#include "memberlist/heard.h"
#include "memberlist/inbox.h"
#include "memberlist/lzw.h"
#include "memberlist/members.h"
#include "memberlist/messages.h"

/* An agreement above this is an attack or a bug: gossip.md 6.3.11. */
#define ML_MEMBERS_MAX (1u << 20)
#define ML_PROTOCOL_MIN 1
#define ML_PROTOCOL_MAX 5
#define ML_PROTOCOL_DEFAULT 2
/* Spoken by peers from that PMax on (gossip.md 1.11). */
#define ML_PMAX_STREAM_PING 3
#define ML_PMAX_NACK 4
#define ML_PMAX_CRC 5
/* What one packet may become when expanded, and how deep (gossip.md 6.3.2). */
#define ML_PACKET_PLAIN_MAX (1024u * 1024u)
#define ML_PACKET_DEPTH_MAX 8
#define ML_PACKET_BYTES_MAX 65536u
/* Incarnations from here on are refused from peers: refutation must always
 * have room above (gossip.md 6.3.5). */
#define ML_INCARNATION_HIGH (UINT32_MAX - 65536u)
#define ML_RELAYS_MAX 1024u    /* indirect pings that wait for an ack */
#define ML_STREAMS_IN_MAX 256u /* gossip.md 6.3.9 */
#define ML_STREAMS_OUT_MAX 1024u /* our own: one a join, reliable message */

/* Why something from outside was dropped; each is a counter, the label
 * "reason" of isthmus.memberlist.dropped. */
#define ML_DROP_MAP(X)                                                       \
    X(LABEL, "label")                                                        \
    X(CRYPT, "crypt")                                                        \
    X(CRC, "crc")                                                            \
    X(TYPE, "type")                                                          \
    X(DECODE, "decode")                                                      \
    X(TRUNCATED, "truncated")                                                \
    X(DEPTH, "depth")                                                        \
    X(BOMB, "bomb")                                                          \
    X(NAME, "name")                                                          \
    X(ADDR, "addr")                                                          \
    X(META, "meta")                                                          \
    X(VSN, "vsn")                                                            \
    X(INCARNATION, "incarnation")                                            \
    X(CIDR, "cidr")                                                          \
    X(VETO, "veto")                                                          \
    X(MEMBERS_FULL, "members_full")                                          \
    X(INBOX_FULL, "inbox_full")                                              \
    X(RELAYS_FULL, "relays_full")                                            \
    X(STREAMS_FULL, "streams_full")                                          \
    X(PUSH_PULLS_FULL, "push_pulls_full")                                    \
    X(BUDGET, "budget")                                                      \
    X(LIMIT, "limit")                                                        \
    X(WRONG_NODE, "wrong_node")                                              \
    X(UNNAMED, "unnamed")                                                    \
    X(SEND, "send")                                                          \
    X(TOO_LONG, "too_long")                                                  \
    X(CONFLICT, "conflict")                                                  \
    X(EXCHANGE, "exchange")

enum ml_drop {
#define X(name, text) ML_DROP_##name,
    ML_DROP_MAP(X)
#undef X
    ML_DROP_COUNT
};

/* The one probe under way. */
struct ml_probe {
    bool running;
    bool indirect; /* the direct ping had no answer */
    bool stream_ok;
    struct ml_record *target; /* a reference */
    uint32_t incarnation;     /* known when it began */
    uint32_t seq_no;
    uint32_t nacks_expected;
    uint32_t nacks;
    uint64_t sent_ns;
    uint64_t deadline_ns;
    size_t ring_index;
    struct base_timer timer;
    struct base_timer tick;
    struct ml_exchange *stream; /* the stream ping */
};

struct ml_relay;
struct ml_exchange;
struct ml_frame;
struct ml_wait;

struct gossip_memberlist {
    struct base_env *env;
    struct base_log log;
    struct base_log_limit drop_log;
    struct base_log_limit requeue_limit;
    struct gossip_params params;
    char *name;
    char *subsystem;
    char *label;
    size_t label_len;
    bool skip_inbound_label_check;
    bool require_node_names;
    struct base_cidr *cidrs;
    size_t cidr_count;
    struct gossip_transport transport;
    const struct gossip_delegate *delegate;
    void *delegate_ctx;
    struct gossip_keyring *keyring;
    struct base_addr advertise;
    uint8_t vsn[ML_VSN_BYTES];

    struct ml_members members;
    struct ml_member *self;
    struct gossip_broadcasts *broadcasts;
    struct ml_inbox inbox;
    struct ml_heard heard;
    struct base_timer inbox_timer;
    uint32_t seq_no;
    uint32_t score; /* Lifeguard's awareness */
    bool leaving;

    struct ml_probe probe;
    struct ml_relay *relays; /* by sequence number */
    struct base_timer gossip_timer;
    struct base_timer push_pull_timer;
    bool push_pull_begun;

    struct base_timer self_timer; /* tells the delegate about ourselves */
    bool self_join_due;
    bool self_update_due;
    bool self_leave_due;
    struct ml_wait *waits;

    struct ml_exchange *exchanges;
    struct ml_frame *frames; /* our state on its way out */
    size_t streams_in;
    size_t streams_out;
    size_t push_pulls_in;
    size_t waiting_for_room; /* exchanges that wait for what follows */
    size_t exchange_bytes;   /* held by all exchanges; see exchange_bytes_max */

    struct base_counter *dropped[ML_DROP_COUNT];
    struct base_counter *packets_in;
    struct base_counter *packets_out;
    struct base_counter *refutations;
};

static inline struct mp_bytes ml_record_name_bytes(const struct ml_record *r)
{
    return mp_bytes_of(r->bytes, r->name_len);
}
static inline bool ml_is_self(const struct gossip_memberlist *ml,
                              const struct ml_member *member)
{
    return member == ml->self;
}
static inline struct gossip_peer ml_peer_of(const struct ml_record *record)
{
    return (struct gossip_peer){ml_record_name(record), record->addr};
}
static inline uint64_t ml_ms(uint32_t ms)
{
    return (uint64_t)ms * 1000000u;
}
static inline uint32_t ml_next_seq_no(struct gossip_memberlist *ml)
{
    return ++ml->seq_no;
}

/* report.c */
void ml_report_gauges(struct gossip_memberlist *ml);
/** An exchange that we began is over: failures of streams are no failures of
 * nodes, but they are seen (gossip.md 9.23). */
void ml_report_push_pull(struct gossip_memberlist *ml, const char *name,
                         const struct base_addr *addr, int status);
void ml_awareness_apply(struct gossip_memberlist *ml, int delta);
/** Counts it, and logs at a bounded rate. from and what may be NULL. */
void ml_drop(struct gossip_memberlist *ml, enum ml_drop reason,
             const struct base_addr *from, const char *what);
/** direction '>' or '<'; types of the plain message, compounds opened. */
void ml_trace_packet(struct gossip_memberlist *ml, char direction,
                     const char *peer, const struct base_addr *addr,
                     const void *data, size_t len);
/** Fills *out with a view; borrowed from record. */
void ml_view(const struct ml_record *record, enum gossip_state state,
             uint32_t incarnation, uint64_t change_ns,
             struct gossip_node *out);
void ml_view_member(const struct ml_member *member, struct gossip_node *out);

/* packet_out.c. */

/** Messages for one packet, with their types. lens holds u16be. */
struct ml_parts {
    struct base_buf lens;
    struct base_buf data;
    size_t count;
};
void ml_parts_add(struct ml_parts *parts, const void *data, size_t len);
void ml_parts_close(struct ml_parts *parts);
bool ml_is_encrypting(const struct gossip_memberlist *ml);
unsigned ml_crypt_version(const struct gossip_memberlist *ml);
/** Bytes of label header and encryption on each packet. */
size_t ml_packet_overhead(const struct gossip_memberlist *ml);
/** Sends the parts, as compounds if there are several. known: the receiver's
 * record, or NULL. What the transport says of the first packet. */
int ml_send_parts(struct gossip_memberlist *ml, const struct gossip_peer *to,
                  const struct ml_record *known, const struct ml_parts *parts);
/** One message, with as much of the broadcast queues as fits. */
int ml_send_message(struct gossip_memberlist *ml, const struct gossip_peer *to,
                    const struct ml_record *known, enum ml_type type,
                    const void *message);
/** Adds queued broadcasts that fit into limit. */
void ml_take_broadcasts(struct gossip_memberlist *ml, size_t limit,
                        struct ml_parts *parts);
/** Those have left; or could not, and are not used up by that. */
void ml_broadcasts_sent(struct gossip_memberlist *ml, bool sent);
/** The largest broadcast that fits a gossip packet, and is queued at all. */
size_t ml_broadcast_bytes_max(const struct gossip_memberlist *ml);

/* serve.c: pings of others, acks. */
void ml_on_ping(struct gossip_memberlist *ml, const struct base_addr *from,
                const struct ml_ping *ping);
void ml_on_indirect_ping(struct gossip_memberlist *ml,
                         const struct base_addr *from,
                         const struct ml_indirect_ping *ping);
void ml_on_ack(struct gossip_memberlist *ml, const struct ml_ack *ack);
void ml_on_nack(struct gossip_memberlist *ml, const struct ml_nack *nack);
void ml_relays_close(struct gossip_memberlist *ml);
/** A ping with our own source fields. */
struct ml_ping ml_ping_to(const struct gossip_memberlist *ml, uint32_t seq_no,
                          struct mp_bytes node);

/* probe.c. */
void ml_probe_start(struct gossip_memberlist *ml);
void ml_probe_stop(struct gossip_memberlist *ml);
/** True if the probe took it. */
bool ml_probe_on_ack(struct gossip_memberlist *ml, const struct ml_ack *ack);
void ml_probe_on_nack(struct gossip_memberlist *ml, uint32_t seq_no);
void ml_probe_on_stream(struct gossip_memberlist *ml, int status);
/** A ping with the accusation, so that a suspect can refute at once; nothing
 * else rides along. */
int ml_ping_suspect(struct gossip_memberlist *ml,
                    const struct ml_member *member, uint32_t seq_no);

/* gossip.c: the gossip loop and the inbox worker. */
void ml_gossip_start(struct gossip_memberlist *ml);
void ml_inbox_wake(struct gossip_memberlist *ml);

/* facts.c: what a peer says about a node, checked (gossip.md 6.3.3, 6.3.4). */

/** Fills *facts (vsn points to vsn[6]); port is 0 where the receiver's own is
 * meant. ML_DROP_COUNT if it is good, else why not. */
enum ml_drop ml_check_facts(const struct gossip_memberlist *ml,
                            struct mp_bytes name, struct mp_bytes addr,
                            uint16_t port, struct mp_bytes meta,
                            struct mp_bytes vsn, struct ml_facts *facts);
bool ml_name_is_valid(struct mp_bytes name);
bool ml_addr_is_allowed(const struct gossip_memberlist *ml,
                        const struct base_addr *addr);

/* merge.c: the rules. The record is borrowed. */
void ml_rule_alive(struct gossip_memberlist *ml, struct ml_record *record,
                   uint32_t incarnation);
void ml_rule_suspect(struct gossip_memberlist *ml, uint32_t incarnation,
                     struct mp_bytes node, struct mp_bytes from);
void ml_rule_dead(struct gossip_memberlist *ml, uint32_t incarnation,
                  struct mp_bytes node, struct mp_bytes from);
/** Stops its suspicion, if one runs. */
void ml_member_forget_suspicion(struct ml_member *member);

/** Would an entry with these facts change anything here? */
bool ml_is_news(const struct gossip_memberlist *ml,
                const struct ml_facts *facts, uint32_t incarnation,
                enum gossip_state state);

/* news.c: to all, by the broadcast queue; done as that calls it. */
void ml_tell_alive(struct gossip_memberlist *ml,
                   const struct ml_record *record, uint32_t incarnation,
                   gossip_broadcast_done_fn done, void *arg);
/** type: suspect or dead. */
void ml_tell_claim(struct gossip_memberlist *ml,
                   const struct ml_member *member, enum ml_type type,
                   uint32_t incarnation, struct mp_bytes from,
                   gossip_broadcast_done_fn done, void *arg);
/** Our own alive message, at start and when meta changed (bootstrap). done as
 * the broadcast queue calls it. */
void ml_announce(struct gossip_memberlist *ml, struct ml_record *record,
                 uint32_t incarnation, gossip_broadcast_done_fn done,
                 void *arg);
/** The dead rule on ourselves, leaving set. */
void ml_announce_leave(struct gossip_memberlist *ml,
                       gossip_broadcast_done_fn done, void *arg);

/* exchange_out.c: the loop of push/pulls; see exchange.h. */
void ml_push_pull_start(struct gossip_memberlist *ml);
void ml_exchanges_close(struct gossip_memberlist *ml);
/** Dials for a stream ping; cancelled by ml_exchange_free(). */
struct ml_exchange *ml_stream_ping(struct gossip_memberlist *ml,
                                   const struct ml_record *target,
                                   uint32_t seq_no, uint64_t timeout_ns);
void ml_exchange_free(struct ml_exchange *exchange);

/* waits.c: leave and update until their broadcast has left. */
int ml_wait_new(struct gossip_memberlist *ml, uint32_t timeout_ms,
                gossip_done_fn done, void *arg, struct ml_wait **out);
/** Given to the broadcast queue, with the wait. */
void ml_wait_done(void *arg);
/** Nobody needs to hear: done soon with 0. */
void ml_wait_skip(struct ml_wait *wait);
void ml_waits_close(struct gossip_memberlist *ml);

#endif
