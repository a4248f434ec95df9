/*
 * memberlist: SWIM with Lifeguard, byte-compatible with HashiCorp memberlist
 * (protocol 1 to 5). Who is here, who is gone, and a way to gossip small
 * messages to all. serf (gossip/serf.h) is one user of it; an embedder may be
 * another. Source: gossip.md sections 1 and 2.
 *
 * Threads: the loop of env, for every call and callback.
 */
#ifndef GOSSIP_MEMBERLIST_H
#define GOSSIP_MEMBERLIST_H

#include "base/env.h"
#include "gossip/error.h"
#include "gossip/keyring.h"
#include "gossip/transport.h"

#define GOSSIP_META_BYTES_MAX 512
#define GOSSIP_PACKET_BYTES 1400 /* default packet budget (UDPBufferSize) */

enum gossip_state { GOSSIP_ALIVE, GOSSIP_SUSPECT, GOSSIP_DEAD, GOSSIP_LEFT };

/** A node as others see it. Strings and meta are borrowed: valid during the
 * callback, or until the next call that runs the loop. */
struct gossip_node {
    const char *name;
    struct base_addr addr;
    const uint8_t *meta;
    size_t meta_len;
    enum gossip_state state;
    uint32_t incarnation;
    uint8_t vsn[6]; /* PMin, PMax, PCur, DMin, DMax, DCur */
    uint64_t state_change_ms; /* monotonic */
};

/** Parameters of gossip.md 2.1, under their own names. */
struct gossip_params {
    uint32_t stream_timeout_ms; /* TCPTimeout */
    uint32_t indirect_checks;
    uint32_t retransmit_mult;
    uint32_t suspicion_mult;
    uint32_t suspicion_max_timeout_mult;
    uint32_t push_pull_interval_ms; /* 0: off */
    uint32_t probe_interval_ms;
    uint32_t probe_timeout_ms;
    uint32_t awareness_max_multiplier;
    uint32_t gossip_interval_ms;
    uint32_t gossip_nodes;
    uint32_t gossip_to_the_dead_ms;
    uint32_t packet_bytes_max;    /* UDPBufferSize */
    uint32_t handoff_queue_depth; /* each inbound list */
    uint32_t dead_node_reclaim_ms;/* 0: off */
    uint32_t push_pulls_max;      /* inbound at once; 128 */
    uint32_t exchange_bytes_max;  /* encrypted bodies of all exchanges; 64 MiB */
    bool compression;
    bool verify_incoming;
    bool verify_outgoing;
    bool stream_pings;            /* false: DisableTcpPings */
};
extern const struct gossip_params gossip_params_lan;
extern const struct gossip_params gossip_params_wan;
extern const struct gossip_params gossip_params_local;

/**
 * What a user of memberlist provides; any member may be NULL.
 * Reentry: may call into the instance, but not free it.
 */
struct gossip_delegate {
    uint32_t version; /* 1 */
    /* Events. join: a node came (back) alive; leave: state says dead or left;
     * update: its meta changed. */
    void (*on_join)(void *ctx, const struct gossip_node *node);
    void (*on_leave)(void *ctx, const struct gossip_node *node);
    void (*on_update)(void *ctx, const struct gossip_node *node);
    /** Another node claims a name that is taken. */
    void (*on_conflict)(void *ctx, const struct gossip_node *existing,
                        const struct gossip_node *other);
    /** A user message came (packet or stream). */
    void (*on_message)(void *ctx, const void *data, size_t len);
    /** Gives queued user messages: calls emit for each that fits; each costs
     * overhead + len of limit. Returns the bytes used. */
    size_t (*broadcasts)(void *ctx, size_t overhead, size_t limit,
                         void (*emit)(void *arg, const void *data, size_t len),
                         void *arg);
    /** The packet with what broadcasts gave has left; or could not: then it
     * should be given again (gossip_broadcasts_sent()). */
    void (*broadcasts_sent)(void *ctx, bool sent);
    /** Our user state for a push/pull, appended to out. */
    void (*local_state)(void *ctx, bool join, struct base_buf *out);
    void (*merge_state)(void *ctx, const void *data, size_t len, bool join);
    /** A push/pull that joins: nonzero refuses it as a whole. Shown are all
     * nodes of the other side, but for entries so bad that they were dropped.
     * While such an exchange is read each of them takes about 32 bytes of
     * exchange_bytes_max, also those that we know just so, which are not held
     * otherwise; NULL saves that. */
    int (*on_merge)(void *ctx, const struct gossip_node *nodes, size_t count);
    /** Any alive message: nonzero drops it (CheckAlive). */
    int (*on_alive)(void *ctx, const struct gossip_node *node);
    /** Payload for our acks, appended to out; and what came back in one. */
    void (*ack_payload)(void *ctx, struct base_buf *out);
    void (*on_ping_complete)(void *ctx, const struct gossip_node *node,
                             uint64_t rtt_ns, const void *payload, size_t len);
};

/** What is known of nodes' names, addresses, meta and versions, each fact kept
 * once. Instances on one loop may share it: worth it where many of them see the
 * same pool, as in a simulation. seed keys its hashes: make it unpredictable. */
struct gossip_records;
struct gossip_records *gossip_records_new(uint64_t seed);
/** Instances keep it alive as long as they need it. */
void gossip_records_free(struct gossip_records *records);

struct gossip_memberlist_config {
    const char *name;             /* 1 to 255 bytes */
    struct base_addr advertise;   /* what others are told */
    const void *meta;             /* at most 512 bytes; copied */
    size_t meta_len;
    uint8_t protocol_cur;         /* 1 to 5; 0: 2, as everybody does */
    uint8_t delegate_vsn[3];      /* DMin, DMax, DCur */
    struct gossip_params params;
    struct gossip_keyring *keyring; /* borrowed; NULL: no encryption */
    const char *label;            /* NULL or "": none */
    bool skip_inbound_label_check;
    bool require_node_names;
    const struct base_cidr *cidrs_allowed; /* copied; count 0: all */
    size_t cidrs_allowed_count;
    struct gossip_transport transport;
    const struct gossip_delegate *delegate;
    void *delegate_ctx;
    const char *subsystem;        /* for the log: "gossip.lan" */
    struct gossip_records *records; /* NULL: its own */
};

struct gossip_memberlist;

/** Starts a node that knows itself alone. Everything is copied but keyring,
 * transport and delegate. GOSSIP_ENAME, GOSSIP_EMETA, GOSSIP_EINVAL. */
int gossip_memberlist_new(struct base_env *env,
                          const struct gossip_memberlist_config *config,
                          struct gossip_memberlist **out);
/** Stops at once, without a word to the others: they will see a failure. What
 * is under way ends without its callback. */
void gossip_memberlist_free(struct gossip_memberlist *memberlist);

/* What the transport brings in. */

/** One datagram, borrowed. from is where an answer without a name would go. */
void gossip_packet_in(struct gossip_memberlist *memberlist,
                      const struct base_addr *from, const void *data,
                      size_t len);
/** A stream that a peer opened (given). */
void gossip_stream_in(struct gossip_memberlist *memberlist,
                      struct base_stream *stream);

/**
 * Takes nodes for alive that are known from before: a view that was kept, or
 * another instance's, as gossip_memberlist_each() shows them (state_change_ms
 * is not looked at). Nobody is asked and nothing is gossiped: probes find out
 * who is gone, a push/pull what is new. Dead and left nodes and names already
 * held are passed over; what a peer might not say either is dropped and
 * counted. No callback comes for them: the caller knows them. Returns how many
 * were taken. Instances that share records (above) hold about 60 bytes for
 * each.
 */
size_t gossip_memberlist_restore(struct gossip_memberlist *memberlist,
                                 const struct gossip_node *nodes,
                                 size_t count);

/** A push/pull with join set to one peer; done gets 0 or why not, once. */
typedef void (*gossip_done_fn)(void *arg, int status);
int gossip_memberlist_join(struct gossip_memberlist *memberlist,
                           const struct gossip_peer *peer, gossip_done_fn done,
                           void *arg);
/** Says goodbye: done after the news has left, or after timeout_ms with
 * GOSSIP_ETIMEOUT. It keeps serving afterwards. */
int gossip_memberlist_leave(struct gossip_memberlist *memberlist,
                            uint32_t timeout_ms, gossip_done_fn done, void *arg);
/** New meta for ourselves, told to all. */
int gossip_memberlist_update(struct gossip_memberlist *memberlist,
                             const void *meta, size_t meta_len,
                             uint32_t timeout_ms, gossip_done_fn done,
                             void *arg);

/** Nodes of every state that are still held, our own included, in list order. */
void gossip_memberlist_each(struct gossip_memberlist *memberlist,
                            void (*each)(void *arg,
                                         const struct gossip_node *node),
                            void *arg);
/** All held nodes; and those alive or suspect. */
size_t gossip_memberlist_count(const struct gossip_memberlist *memberlist);
size_t gossip_memberlist_alive_count(const struct gossip_memberlist *memberlist);
/** True and *out if that name is held. */
bool gossip_memberlist_find(struct gossip_memberlist *memberlist,
                            const char *name, struct gossip_node *out);
/** Lifeguard's health score: 0 is well. */
uint32_t gossip_memberlist_health(const struct gossip_memberlist *memberlist);

/** A user message to one node now: a packet, or a stream with done. */
int gossip_memberlist_send(struct gossip_memberlist *memberlist,
                           const struct gossip_peer *to, const void *data,
                           size_t len);
int gossip_memberlist_send_reliable(struct gossip_memberlist *memberlist,
                                    const struct gossip_peer *to,
                                    const void *data, size_t len,
                                    gossip_done_fn done, void *arg);
/** The largest user message that still fits a gossip packet with our label and
 * encryption (gossip.md 6.4). */
size_t gossip_memberlist_message_bytes_max(
    const struct gossip_memberlist *memberlist);
/** Up to count distinct random nodes that pass keep(), into out; returns how
 * many. */
size_t gossip_memberlist_random(struct gossip_memberlist *memberlist,
                                size_t count,
                                bool (*keep)(void *arg,
                                             const struct gossip_node *node),
                                void *arg, struct gossip_node *out);

#endif
