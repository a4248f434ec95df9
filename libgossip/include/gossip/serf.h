/*
 * serf on memberlist: members with tags, join and leave intents under Lamport
 * clocks, user events, queries, key rotation, a snapshot file. Byte-compatible
 * with HashiCorp serf (protocol 2 to 5). Source: gossip.md sections 3 and 4.
 *
 * Threads: the loop of env, for every call and callback.
 * Reentry: callbacks come from the loop, never inside the call that caused
 *          them, and may call anything here but gossip_serf_free().
 */
#ifndef GOSSIP_SERF_H
#define GOSSIP_SERF_H

#include "gossip/memberlist.h"

#define GOSSIP_USER_EVENT_BYTES_MAX 9216 /* highest user_event_bytes_max */
#define GOSSIP_SERF_PROTOCOL_MAX 5

enum gossip_member_status {
    GOSSIP_MEMBER_NONE,
    GOSSIP_MEMBER_ALIVE,
    GOSSIP_MEMBER_LEAVING,
    GOSSIP_MEMBER_LEFT,
    GOSSIP_MEMBER_FAILED
};
/** "none", "alive", "leaving", "left", "failed". */
const char *gossip_member_status_name(enum gossip_member_status status);

struct gossip_tag {
    const char *key;
    const char *value;
};

/** Borrowed: valid during the callback that shows it. Tags sorted by key. */
struct gossip_member {
    const char *name;
    struct base_addr addr;
    enum gossip_member_status status;
    const struct gossip_tag *tags;
    size_t tag_count;
    uint8_t vsn[6];
    uint64_t status_ltime;
};
/** The value of a tag; NULL if it is not there. */
const char *gossip_member_tag(const struct gossip_member *member,
                              const char *key);

enum gossip_event_kind {
    GOSSIP_EVENT_MEMBER_JOIN,
    GOSSIP_EVENT_MEMBER_LEAVE,
    GOSSIP_EVENT_MEMBER_FAILED,
    GOSSIP_EVENT_MEMBER_UPDATE,
    GOSSIP_EVENT_MEMBER_REAP,
    GOSSIP_EVENT_USER,
    GOSSIP_EVENT_QUERY
};
/** "member-join" ... "user", "query". */
const char *gossip_event_kind_name(enum gossip_event_kind kind);

/** All borrowed for the call. */
struct gossip_event {
    enum gossip_event_kind kind;
    const struct gossip_member *members; /* member events */
    size_t member_count;
    const char *name; /* user events and queries */
    const void *payload;
    size_t payload_len;
    uint64_t ltime;
    bool coalesce;
    /* Queries: a value to answer with, gossip_query_respond(); who asks; and
     * until when (monotonic). */
    uint64_t query;
    const char *query_source;
    uint64_t query_deadline_ms;
};

struct gossip_serf_config {
    const char *name;
    struct base_addr advertise;
    const struct gossip_tag *tags; /* copied; 512 bytes encoded at most */
    size_t tag_count;
    uint8_t protocol;              /* 2 to 5; 0: 5 */
    struct gossip_params params;
    struct gossip_keyring *keyring;
    const char *label;
    bool skip_inbound_label_check;
    bool require_node_names;
    const struct base_cidr *cidrs_allowed;
    size_t cidrs_allowed_count;
    struct gossip_transport transport;
    const char *subsystem;
    bool validate_node_names;      /* letters, digits, - and . only; 128 */
    bool rejoin_after_leave;
    bool disable_coordinates;
    bool disable_conflict_resolution;
    /* gossip.md 3.5; 0 takes the default */
    uint32_t broadcast_timeout_ms;
    uint32_t leave_propagate_delay_ms;
    uint32_t reap_interval_ms;
    uint32_t reconnect_interval_ms;
    uint64_t reconnect_timeout_ms;
    uint64_t tombstone_timeout_ms;
    uint32_t recent_intent_timeout_ms;
    uint32_t queue_check_interval_ms;
    size_t queue_depth_max;        /* 4096 */
    size_t queue_depth_min;        /* 0: off; else max(this, 2 x members) */
    size_t event_buffer_slots;     /* 512 */
    size_t query_buffer_slots;     /* 512 */
    size_t user_event_bytes_max;   /* 512 */
    size_t query_bytes_max;        /* 1024 */
    size_t query_response_bytes_max; /* 1024 */
    uint32_t query_timeout_mult;   /* 16 */
    /* Coalescing (gossip.md 3.11): a period of 0 leaves it off. */
    uint32_t coalesce_period_ms;
    uint32_t quiescent_period_ms;
    uint32_t user_coalesce_period_ms;
    uint32_t user_quiescent_period_ms;
    /** Serf's snapshot file (gossip.md 4); NULL: none. The pool is rejoined
     * from it at start, and old events are not delivered again. */
    const char *snapshot_path;
    /** Where key operations of the pool are stored (gossip.md 3.7); NULL:
     * nowhere. Loading it is gossip_keyring_load()'s. */
    const char *keyring_path;

    void (*on_event)(void *ctx, const struct gossip_event *event);
    /** A pool that wants to merge with ours, with all of its members: nonzero
     * refuses. May be NULL, which saves memory (gossip/memberlist.h). */
    int (*on_merge)(void *ctx, const struct gossip_member *members,
                    size_t count);
    /** Each alive message about a node: nonzero drops it. May be NULL. */
    int (*on_alive)(void *ctx, const struct gossip_member *member);
    /** Another node took our name and the others agree with it: stop. */
    void (*on_conflict_lost)(void *ctx);
    /** How long this member is kept once failed or left, instead of timeout_ms
     * of the configuration. May be NULL. */
    uint64_t (*reap_after_ms)(void *ctx, const struct gossip_member *member,
                              uint64_t timeout_ms);
    void *ctx;
};

struct gossip_serf;

/** Starts a node that knows itself alone (its own member-join event comes soon
 * from the loop). Strings, tags and networks are copied. Reads the snapshot
 * file, once, before it returns. GOSSIP_EINVAL, GOSSIP_ENAME, GOSSIP_EMETA,
 * BASE_EIO and its kin for the snapshot file. */
int gossip_serf_new(struct base_env *env,
                    const struct gossip_serf_config *config,
                    struct gossip_serf **out);
/** Stops at once; without gossip_serf_leave() before, others see a failure.
 * Callbacks that are still owed (joins, queries) do not come. What the
 * snapshot still lacks is written by the bulk worker soon after. */
void gossip_serf_free(struct gossip_serf *serf);
/** For the transport: packets and streams go in there. */
struct gossip_memberlist *gossip_serf_memberlist(struct gossip_serf *serf);

enum gossip_serf_state {
    GOSSIP_SERF_ALIVE,
    GOSSIP_SERF_LEAVING,
    GOSSIP_SERF_LEFT
};
enum gossip_serf_state gossip_serf_state(const struct gossip_serf *serf);

/** joined is the number of peers reached; status 0 if at least one was, else
 * the last error. */
typedef void (*gossip_join_fn)(void *arg, int status, size_t joined);
/** Contacts each target, [name "/"] host [":" port], with every address that
 * its name has. ignore_old: user events from before are not delivered.
 * Strings are copied. GOSSIP_ESTATE unless alive. GOSSIP_EBUSY past 16 joins
 * under way. done may be NULL. */
int gossip_serf_join(struct gossip_serf *serf, const char *const *targets,
                     size_t count, uint16_t default_port, bool ignore_old,
                     gossip_join_fn done, void *arg);
/** The whole goodbye of gossip.md 3.9; done (may be NULL) when state is left.
 * GOSSIP_ESTATE while another leave is under way; when left already, done
 * comes at once. */
int gossip_serf_leave(struct gossip_serf *serf, gossip_done_fn done, void *arg);
/** Declares a failed member left; with prune it is forgotten at once. A member
 * that is alive refutes it. done: 0, or GOSSIP_ETIMEOUT if the news could not
 * leave in time. */
int gossip_serf_force_leave(struct gossip_serf *serf, const char *name,
                            bool prune, gossip_done_fn done, void *arg);
/** Replaces our tags. GOSSIP_EMETA if they do not fit. */
int gossip_serf_set_tags(struct gossip_serf *serf,
                         const struct gossip_tag *tags, size_t count);
/** Fires a user event; name and payload together at most user_event_bytes_max,
 * and what a packet carries. GOSSIP_ETOOBIG. */
int gossip_serf_user_event(struct gossip_serf *serf, const char *name,
                           const void *payload, size_t payload_len,
                           bool coalesce);

/* Queries. */

/** Who is asked and how; zeroed: everybody, no acks, the default time. */
struct gossip_query_params {
    const char *const *nodes;      /* only these names */
    size_t node_count;
    const struct gossip_tag *tags; /* value: a regular expression that matches
                                      somewhere in the tag's value */
    size_t tag_count;
    bool want_acks;
    uint8_t relay_factor;          /* members that each answer also goes by */
    uint32_t timeout_ms;           /* 0: default; 10 min at most */
};

/** Each may be NULL. on_done comes once, at the deadline or after
 * gossip_query_finish(); never after gossip_query_cancel(). */
struct gossip_query_events {
    void (*on_ack)(void *arg, const char *from);
    void (*on_response)(void *arg, const char *from, const void *payload,
                        size_t len);
    void (*on_done)(void *arg);
};

struct gossip_query; /* asked by us and still open */

/** Asks the pool. Our own node is asked too. *out (may be NULL) is good until
 * on_done. GOSSIP_ETOOBIG over query_bytes_max; GOSSIP_EBUSY past 256 open. */
int gossip_serf_query(struct gossip_serf *serf, const char *name,
                      const void *payload, size_t payload_len,
                      const struct gossip_query_params *params,
                      const struct gossip_query_events *events, void *arg,
                      struct gossip_query **out);
/** Ends it early; on_done comes soon. */
void gossip_query_finish(struct gossip_query *query);
/** Ends it now, without a word. */
void gossip_query_cancel(struct gossip_query *query);
/** Answers a query that an event brought, once, before its deadline.
 * GOSSIP_ENONODE if it was answered already or is unknown, GOSSIP_ETIMEOUT past
 * its deadline, GOSSIP_ETOOBIG over query_response_bytes_max. */
int gossip_query_respond(struct gossip_serf *serf, uint64_t query,
                         const void *payload, size_t payload_len);
/** gossip interval x 16 x ceil(log10(alive + 1)). */
uint32_t gossip_serf_query_timeout_ms(const struct gossip_serf *serf);

/* Keys (gossip.md 3.7). Rotation: install everywhere, use, remove the old. */

enum gossip_key_operation {
    GOSSIP_KEY_INSTALL,
    GOSSIP_KEY_USE,
    GOSSIP_KEY_REMOVE,
    GOSSIP_KEY_LIST
};

/** A key and how many nodes have it (or have it as primary). */
struct gossip_key_count {
    const char *key; /* base64 */
    size_t nodes;
};
struct gossip_key_message {
    const char *node;
    const char *text;
    bool failed;
};

/** Borrowed for the callback. */
struct gossip_key_result {
    size_t node_count;     /* alive when it began */
    size_t response_count;
    size_t error_count;    /* answers that said no */
    const struct gossip_key_message *messages;
    size_t message_count;
    const struct gossip_key_count *keys;
    size_t key_count;
    const struct gossip_key_count *primaries;
    size_t primary_count;
};

/** status: 0; GOSSIP_EREMOTE if a node said no; GOSSIP_ETIMEOUT if one did not
 * answer. result is there in each case. */
typedef void (*gossip_key_fn)(void *arg, int status,
                              const struct gossip_key_result *result);
/** Runs it on every node of the pool. key is base64, NULL for a list.
 * GOSSIP_EKEY for a key of another length. relay_factor as in queries. */
int gossip_serf_key(struct gossip_serf *serf,
                    enum gossip_key_operation operation, const char *key,
                    uint8_t relay_factor, gossip_key_fn done, void *arg);

/** Adds the keys of a keyring file to an empty keyring, first is primary.
 * BASE_ENOTFOUND and its kin, BASE_EPARSE, GOSSIP_EKEY. Blocks on the disk. */
int gossip_keyring_load(struct gossip_keyring *keyring, const char *path);
/** Writes a keyring file at once: mode 0600, or what the file has. Blocks. */
int gossip_keyring_save(const struct gossip_keyring *keyring,
                        const char *path);

/* What is known. */

void gossip_serf_each_member(struct gossip_serf *serf,
                             void (*each)(void *arg,
                                          const struct gossip_member *member),
                             void *arg);
size_t gossip_serf_member_count(const struct gossip_serf *serf);
/** True, after show (may be NULL), if that name is known. */
bool gossip_serf_find(struct gossip_serf *serf, const char *name,
                      void (*show)(void *arg, const struct gossip_member *m),
                      void *arg);

#define GOSSIP_COORDINATE_DIMENSIONS 8

/** A place in Vivaldi space (gossip.md 3.12). Seconds; error has no unit. */
struct gossip_coordinate {
    double vec[GOSSIP_COORDINATE_DIMENSIONS];
    double error;
    double adjustment;
    double height;
};
/** The last known coordinate of a node, our own included; false if none. */
bool gossip_serf_coordinate(struct gossip_serf *serf, const char *name,
                            struct gossip_coordinate *out);
/** Estimated round trip between two coordinates, in whole nanoseconds. */
uint64_t gossip_coordinate_rtt_ns(const struct gossip_coordinate *a,
                                  const struct gossip_coordinate *b);
/** Round-trip estimate by Vivaldi coordinates, in nanoseconds; 0 if unknown. */
uint64_t gossip_serf_rtt_ns(struct gossip_serf *serf, const char *a,
                            const char *b);

struct gossip_serf_stats {
    size_t members, failed, left;
    uint64_t member_time, event_time, query_time;
    size_t intent_queue, event_queue, query_queue;
    uint32_t health_score;
    uint64_t coordinate_resets;
    uint64_t events_dropped;    /* on_event was too slow for them */
    uint64_t snapshot_dropped;  /* the disk was too slow for them */
    bool encrypted;
};
struct gossip_serf_stats gossip_serf_stats(const struct gossip_serf *serf);

#endif
