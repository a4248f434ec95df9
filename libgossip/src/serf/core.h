/*
 * The inside of a serf node: its state, and what its parts offer each other.
 * Each part is one file:
 *
 *   delegate.c      memberlist's side: what it tells and asks serf
 *   member_rules.c  joins, leaves, intents: how a member changes
 *   push_pull.c     the body of a push/pull
 *   user_event.c    user events
 *   question.c      queries asked of us; query.c: asked by us
 *   internal.c      queries that nodes ask each other; conflict.c, key_*.c
 *   event_path.c    events on their way to the user, coalesce.c
 *   join.c leave.c reap.c  what takes time
 *   snapshot.c      what survives a restart
 */
#ifndef SERF_CORE_H
#define SERF_CORE_H

#include <string.h>

#include "base/env.h"
#include "base/error.h"
#include "gossip/broadcast.h"
#include "gossip/serf.h"
#include "serf/coordinate.h"
#include "serf/event_ring.h"
#include "serf/intent.h"
#include "serf/lamport.h"
#include "serf/members.h"
#include "serf/messages.h"

struct serf_event_path;
struct serf_snapshot;

/* What came and was not used, by reason. */
struct serf_counters {
    struct base_counter *malformed;
    struct base_counter *ltime;       /* a Lamport time beyond the limit */
    struct base_counter *too_big;     /* would not travel on */
    struct base_counter *full;        /* a bounded thing had no room */
    struct base_counter *unroutable;  /* an answer that could not go out */
    struct base_counter *pruned;      /* messages cut from the queues */
    struct base_counter *events_dropped;
};

struct gossip_serf {
    struct base_env *env;
    struct base_log log;
    struct base_log_limit log_limit;
    struct serf_counters counters;
    struct gossip_serf_config cfg; /* defaults filled in, strings ours */
    struct base_buf meta;          /* our encoded tags */
    struct gossip_delegate delegate; /* what we are to memberlist */
    struct gossip_memberlist *memberlist;
    enum gossip_serf_state state;

    struct serf_lamport clock;
    struct serf_lamport event_clock;
    struct serf_lamport query_clock;
    struct serf_members members;
    struct serf_intents intents;
    struct serf_ring events;
    struct serf_ring queries;
    struct gossip_broadcasts *intent_queue;
    struct gossip_broadcasts *query_queue;
    struct gossip_broadcasts *event_queue;
    struct serf_coordinate_client coordinate;

    struct serf_event_path *path;
    struct serf_snapshot *snapshot; /* NULL: none */
    struct serf_wait *waits;
    struct serf_join *joins;
    size_t join_count;
    unsigned ignore_old_joins; /* under way */
    struct serf_leave *leave;
    struct serf_force_leave *force_leaves;
    size_t force_leave_count;
    struct gossip_query *open_queries;
    size_t open_query_count;
    struct serf_question *questions;
    size_t question_count;
    uint64_t question_next;
    struct serf_local *local_first; /* messages from us to us */
    struct serf_local **local_tail;
    size_t local_count;
    struct base_timer local_timer;
    struct serf_vote *conflict_vote; /* under way */
    struct base_log_limit conflict_limit;
    struct serf_key_op *key_ops;
    struct serf_key_write *key_writes;

    struct base_timer reap_timer;
    struct base_timer reconnect_timer;
    struct base_timer queue_timer;
    struct base_timer prune_timer;
};

static inline bool serf_is_self(const struct gossip_serf *serf,
                                const char *name)
{
    return strcmp(serf->cfg.name, name) == 0;
}

/* serf.c: the machine lost power (base/sim.h): nothing that is owed will come,
 * so what waits for it is freed at once. */
bool serf_env_has_ended(struct base_env *env);

/* refuse.c: input that is not used is counted, and logged at a bounded rate. */
void serf_counters_init(struct gossip_serf *serf);
void serf_refuse(struct gossip_serf *serf, struct base_counter *counter,
                 const char *what, const char *detail);

/* broadcast_out.c: what we gossip. */
/** Queues a message unless it can never fit a packet. name and done may be
 * NULL (gossip/broadcast.h). False if it was refused: done does not come. */
bool serf_broadcast(struct gossip_serf *serf, struct gossip_broadcasts *queue,
                    const char *name, const void *data, size_t len,
                    gossip_broadcast_done_fn done, void *arg);
size_t serf_broadcasts_take(void *ctx, size_t overhead, size_t limit,
                            void (*emit)(void *arg, const void *data,
                                         size_t len),
                            void *arg);
void serf_broadcasts_sent(void *ctx, bool sent);
void serf_queues_check(void *arg);
/** Broadcasts if another member is alive, and calls done later, once: with 0
 * when the message has left (or there was nobody), or GOSSIP_ETIMEOUT. */
void serf_broadcast_wait(struct gossip_serf *serf, const void *data, size_t len,
                         uint32_t timeout_ms, gossip_done_fn done, void *arg);
void serf_waits_close(struct gossip_serf *serf);

/* delegate.c */
extern const struct gossip_delegate serf_delegate;
/** One message, from a peer or from ourselves. */
void serf_take_message(struct gossip_serf *serf, const uint8_t *data,
                       size_t len);
/** A message to one node; to ourselves it goes by the loop, not the network. */
int serf_send(struct gossip_serf *serf, const struct gossip_peer *to,
              const void *data, size_t len);
void serf_locals_init(struct gossip_serf *serf);
void serf_locals_close(struct gossip_serf *serf);

/* member_rules.c */
void serf_node_join(struct gossip_serf *serf, const struct gossip_node *node);
void serf_node_leave(struct gossip_serf *serf, const struct gossip_node *node);
void serf_node_update(struct gossip_serf *serf,
                      const struct gossip_node *node);
/** True if the others should hear of it. */
bool serf_join_intent(struct gossip_serf *serf, const char *name,
                      uint64_t ltime);
bool serf_leave_intent(struct gossip_serf *serf, const char *name,
                       uint64_t ltime, bool prune);
/** Tells all that we are here, at the current time. */
void serf_broadcast_join(struct gossip_serf *serf);
void serf_erase(struct gossip_serf *serf, struct serf_member *member);
bool serf_others_alive(const struct gossip_serf *serf);
size_t serf_alive_count(const struct gossip_serf *serf);

/* prune.c */
void serf_prune(struct gossip_serf *serf, struct serf_member *member);
void serf_prune_due(void *arg);

/* push_pull.c */
void serf_local_state(struct gossip_serf *serf, struct base_buf *out);
void serf_merge_state(struct gossip_serf *serf, const void *data, size_t len,
                      bool join);

/* user_event.c: true if the others should hear of it. */
bool serf_user_event(struct gossip_serf *serf,
                     const struct serf_msg_event *msg);

/* question.c */
struct serf_question;
/** True if the others should hear of it. */
bool serf_query_in(struct gossip_serf *serf, const struct serf_msg_query *msg);
/** The answer to an open question, which ends with it. */
int serf_question_answer(struct gossip_serf *serf, uint64_t handle,
                         const void *payload, size_t len);
/** NULL if it is gone. */
struct serf_question *serf_question_find(struct gossip_serf *serf,
                                         uint64_t handle);
/** Answers go only where nodes may be (CIDRsAllowed). */
bool serf_may_answer(const struct gossip_serf *serf,
                     const struct base_addr *addr);
void serf_questions_reap(struct gossip_serf *serf);
void serf_questions_close(struct gossip_serf *serf);

/* query.c */
void serf_response_in(struct gossip_serf *serf,
                      const struct serf_msg_response *msg);
void serf_queries_close(struct gossip_serf *serf);

/* relay.c */
void serf_relay_in(struct gossip_serf *serf, const void *data, size_t len);
/** Sends the answer by up to factor other members as well. */
void serf_relay_out(struct gossip_serf *serf, uint8_t factor,
                    const struct gossip_peer *to, const void *data,
                    size_t len);

/* internal.c: true if the name is one of ours to answer. */
#define SERF_INTERNAL_PREFIX "_serf_"
bool serf_is_internal(struct mp_bytes name);
void serf_internal_query(struct gossip_serf *serf, const char *name,
                         uint64_t question, const void *payload, size_t len);

/* conflict.c */
void serf_conflict(struct gossip_serf *serf, const struct gossip_node *existing,
                   const struct gossip_node *other);
void serf_conflict_close(struct gossip_serf *serf);

/* key_answer.c, key_manager.c */
void serf_key_answer(struct gossip_serf *serf,
                     enum gossip_key_operation operation, uint64_t question,
                     const void *payload, size_t len);
void serf_key_writes_close(struct gossip_serf *serf);
void serf_key_ops_close(struct gossip_serf *serf);

/* event_path.c */
struct serf_event_path *serf_event_path_new(struct gossip_serf *serf);
void serf_event_path_free(struct serf_event_path *path);
void serf_emit_member(struct gossip_serf *serf, enum gossip_event_kind kind,
                      const struct serf_member *member);
/** A user event or a query; copied. */
void serf_emit(struct gossip_serf *serf, const struct gossip_event *event);
uint64_t serf_events_dropped(const struct gossip_serf *serf);

/* join.c */
void serf_joins_close(struct gossip_serf *serf);

/* leave.c */
void serf_leave_close(struct gossip_serf *serf);

/* reap.c */
void serf_reap_start(struct gossip_serf *serf);
void serf_reap_stop(struct gossip_serf *serf);

#endif
