/*
 * serf on memberlist: members with tags, join and leave intents under Lamport
 * clocks, user events, queries. Byte-compatible with HashiCorp serf
 * (protocol 2 to 5). Source: gossip.md section 3.
 *
 * Threads: the loop of env, for every call and callback.
 */
#ifndef GOSSIP_SERF_H
#define GOSSIP_SERF_H

#include "gossip/memberlist.h"

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
    bool require_node_names;
    const struct base_cidr *cidrs_allowed;
    size_t cidrs_allowed_count;
    struct gossip_transport transport;
    const char *subsystem;
    bool validate_node_names;
    bool rejoin_after_leave;
    /* gossip.md 3.5; 0 takes the default */
    uint32_t broadcast_timeout_ms;
    uint32_t leave_propagate_delay_ms;
    uint32_t reap_interval_ms;
    uint32_t reconnect_interval_ms;
    uint32_t reconnect_timeout_ms;
    uint32_t tombstone_timeout_ms;
    uint32_t recent_intent_timeout_ms;

    void (*on_event)(void *ctx, const struct gossip_event *event);
    /** A pool that wants to merge with ours: nonzero refuses. May be NULL. */
    int (*on_merge)(void *ctx, const struct gossip_member *members,
                    size_t count);
    /** Each alive message about a node: nonzero drops it. May be NULL. */
    int (*on_alive)(void *ctx, const struct gossip_member *member);
    /** Another node took our name and the others agree with it: stop. */
    void (*on_conflict_lost)(void *ctx);
    void *ctx;
};

struct gossip_serf;

/** Starts a node that knows itself alone (its own member-join event comes soon
 * from the loop). */
int gossip_serf_new(struct base_env *env,
                    const struct gossip_serf_config *config,
                    struct gossip_serf **out);
void gossip_serf_free(struct gossip_serf *serf);
/** For the transport: packets and streams go in there. */
struct gossip_memberlist *gossip_serf_memberlist(struct gossip_serf *serf);

/** joined is the number of peers reached; status 0 if at least one was, else
 * the last error. */
typedef void (*gossip_join_fn)(void *arg, int status, size_t joined);
/** Contacts each target, [name "/"] host [":" port], with every address that
 * its name has. ignore_old: user events from before are not delivered.
 * Strings are copied. GOSSIP_ESTATE unless alive. */
int gossip_serf_join(struct gossip_serf *serf, const char *const *targets,
                     size_t count, uint16_t default_port, bool ignore_old,
                     gossip_join_fn done, void *arg);
/** The whole goodbye of gossip.md 3.9; done when state is left. */
int gossip_serf_leave(struct gossip_serf *serf, gossip_done_fn done, void *arg);
/** Declares a failed member left; with prune it is forgotten at once. */
int gossip_serf_force_leave(struct gossip_serf *serf, const char *name,
                            bool prune, gossip_done_fn done, void *arg);
/** Replaces our tags. */
int gossip_serf_set_tags(struct gossip_serf *serf,
                         const struct gossip_tag *tags, size_t count);
/** Fires a user event; name and payload together at most 512 bytes. */
int gossip_serf_user_event(struct gossip_serf *serf, const char *name,
                           const void *payload, size_t payload_len,
                           bool coalesce);

void gossip_serf_each_member(struct gossip_serf *serf,
                             void (*each)(void *arg,
                                          const struct gossip_member *member),
                             void *arg);
size_t gossip_serf_member_count(const struct gossip_serf *serf);
bool gossip_serf_find(struct gossip_serf *serf, const char *name,
                      void (*show)(void *arg, const struct gossip_member *m),
                      void *arg);
/** Round-trip estimate by Vivaldi coordinates, in nanoseconds; 0 if unknown. */
uint64_t gossip_serf_rtt_ns(struct gossip_serf *serf, const char *a,
                            const char *b);

struct gossip_serf_stats {
    size_t members, failed, left;
    uint64_t member_time, event_time, query_time;
    size_t intent_queue, event_queue, query_queue;
    uint32_t health_score;
    bool encrypted;
};
struct gossip_serf_stats gossip_serf_stats(const struct gossip_serf *serf);

#endif
