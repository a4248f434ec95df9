/*
 * The core's state and what its files call of each other:
 *   core.c         new, free, the step's dispatch, deadlines, getters
 *   election.c     timeouts, pre-vote, votes, roles
 *   follow.c       what a follower does with a leader's appends
 *   lead.c         what a leader sends, and when an entry is committed
 *   persist.c      writes under way, the durable index
 *   membership.c   configurations of the log, changes, leadership transfer
 *   read.c         read barriers
 *   lease.c        while nobody else can lead, and how that is known
 *   snapshot.c     log compaction and snapshots from the leader
 *   repair.c       the way back of a server whose storage lost something
 *   update.c       filling and freeing updates
 */
#ifndef LIBRAFT_CORE_INTERNAL_H
#define LIBRAFT_CORE_INTERNAL_H

#include "configuration.h"
#include "log.h"
#include "raft/core.h"

/* A probe asks where logs agree: it takes some entries along, not a flood. */
#define PROBE_BYTES_MAX (64u << 10)
/* How long an idle follower may wait to hear of a commit. */
#define COMMIT_NOTICE_MS 5u
/* Rounds of catching up before a new voter counts (thesis 4.2.1). */
#define CATCH_UP_ROUNDS_MAX 10u
/* Election timeouts without a new acknowledged entry until it is given up. */
#define CATCH_UP_STALL_TIMEOUTS 30u

enum progress_state {
    PROGRESS_PROBE,     /* we do not know where logs agree: one at a time */
    PROGRESS_REPLICATE, /* they agree: appends run ahead of acks */
    PROGRESS_SNAPSHOT   /* what it needs was compacted away */
};

/* A peer as its leader sees it. */
struct progress {
    char id[RAFT_ID_MAX];
    enum progress_state state;
    raft_index match; /* known durable there and equal to ours */
    raft_index next;  /* the next to send */
    bool probing;     /* the probe is out, or its heartbeat is not yet due */
    bool reading;     /* the storage has been asked for its next entries */
    bool voter;
    uint64_t sent_ms;
    uint64_t heard_ms;
    uint64_t moved_ms; /* when match grew last */
    uint64_t round;
    raft_index commit_sent;
    struct {
        raft_index last;
        uint32_t bytes;
    } inflight[RAFT_INFLIGHT_MAX]; /* a ring */
    uint32_t inflight_start;
    uint32_t inflight_count;
    uint32_t inflight_bytes;
    uint64_t snapshot_offset; /* up to here it has it */
    uint64_t snapshot_sent;   /* and up to here it was sent */
    uint64_t snapshot_asked_ms;
    uint64_t behind;      /* what it called itself when it had lost something;
                             0: nothing lost, or on its way back */
    bool repairing;       /* its log does not count yet */
    uint64_t lease_ms;    /* sent then, by our clock, and answered; 0: none */
    uint64_t valid_round; /* answers to earlier rounds are of an earlier life */
};

/* A write that the storage has and has not answered. */
struct pending_write {
    uint64_t id;
    uint64_t since_ms;
    raft_index last_index; /* what it makes durable; shrinks at truncation */
};

struct configuration_at {
    raft_index index;
    struct raft_configuration configuration;
};

struct pending_read {
    uint64_t id;
    raft_index index;
    uint64_t round; /* 0: waits for the next one */
};

enum change_phase { CHANGE_NONE, CHANGE_CATCH_UP, CHANGE_COMMIT };

struct raft {
    char id[RAFT_ID_MAX];
    char cluster_id[RAFT_ID_MAX];
    uint64_t election_ms;
    uint64_t heartbeat_ms;
    uint64_t lease_ms; /* how long an answer is worth one; 0: no leases */
    uint64_t random;
    uint64_t now_ms;
    bool started;
    uint64_t behind;         /* names this life of ours; 0: nothing lost */
    raft_index repair_until; /* see struct raft_write */

    /* Persistent (Figure 2); in memory ahead of the disk. */
    raft_term term;
    char voted_for[RAFT_ID_MAX];
    struct raft_log log;

    enum raft_role role;
    char leader_id[RAFT_ID_MAX];
    raft_index commit;
    raft_index snapshot_index;
    raft_term snapshot_term;

    /* persist.c */
    uint64_t write_last;  /* id of the newest write */
    uint64_t write_done;  /* all up to it are durable */
    uint64_t write_vote;  /* the newest that changed term or vote */
    raft_index durable;
    struct pending_write *pending;
    size_t pending_start, pending_count, pending_cap;

    /* Follower. */
    bool leader_heard;
    uint64_t leader_heard_ms;
    uint64_t election_due_ms;
    raft_index verified; /* equal to the leader's log up to here, this term */
    bool ack_owed;       /* entries wait for the disk before their ack */
    uint64_t ack_round;
    uint64_t ack_sent_ms;
    uint64_t quiet_until_ms; /* what a life before this one may have promised */

    /* Candidate. */
    bool pre_vote;
    bool transfer_election;
    uint64_t campaign_write; /* our own vote counts once it is durable */
    char granted[RAFT_SERVERS_MAX][RAFT_ID_MAX];
    uint32_t granted_count;

    /* Leader. */
    struct progress *peers; /* of the current configuration, without us */
    uint32_t peer_count;
    raft_index term_start; /* the noop of this term */
    uint64_t round;
    struct pending_read *reads;
    size_t read_count, read_cap;
    bool round_running;
    bool lease_broken; /* somebody was told not to wait for us to fall silent */

    /* membership.c */
    struct configuration_at *configurations; /* oldest first */
    size_t configuration_count, configuration_cap;
    enum change_phase change_phase;
    raft_index change_index; /* its entry */
    char change_id[RAFT_ID_MAX];
    raft_index catch_up_target;
    uint64_t catch_up_since_ms;
    uint32_t catch_up_round;
    bool promote_next;
    bool transfer_running;
    char transfer_id[RAFT_ID_MAX];
    uint64_t transfer_due_ms;
};

/* ---- core.c ---- */
/** Uniform below bound, from the core's own seed. */
uint64_t core_random_below(struct raft *core, uint64_t bound);
static inline bool id_equal(const char *a, const char *b)
{
    return __builtin_strcmp(a, b) == 0;
}
/** The current configuration; an empty one before there is any. */
const struct raft_configuration *core_configuration(const struct raft *core);
bool core_is_voter(const struct raft *core);
/** A voter, or one that an uncommitted change takes the vote from. */
bool core_may_campaign(const struct raft *core);

/* ---- update.c ---- */
/** A message of ours; the pointer is valid until the next one is added. */
struct raft_message *update_now(struct raft *core, struct raft_update *update,
                                enum raft_message_type type, const char *to);
struct raft_message *update_after(struct raft *core,
                                  struct raft_update *update,
                                  enum raft_message_type type, const char *to);
void update_entry(struct raft_update *update, const struct raft_entry *entry);
void update_read(struct raft_update *update, uint64_t id, int status,
                 raft_index index, uint64_t until_ms);
void update_want(struct raft *core, struct raft_update *update,
                 struct progress *peer);

void update_fetch(struct raft *core, struct raft_update *update,
                  struct progress *peer);

/* ---- persist.c ---- */
/** Gives the update's write its number, if there is one to do. */
void persist_finish_step(struct raft *core, struct raft_update *update);
void persist_truncated(struct raft *core, raft_index from);
int persist_done(struct raft *core, uint64_t write_id,
                 struct raft_update *update);
/** The storage has owed us an answer for longer than an election timeout. */
bool persist_is_stalled(const struct raft *core);
uint64_t persist_stall_due_ms(const struct raft *core);

/* ---- election.c ---- */
void election_reset_timer(struct raft *core);
void election_set_term(struct raft *core, raft_term term,
                       struct raft_update *update);
void become_follower(struct raft *core, raft_term term, const char *leader_id,
                     struct raft_update *update);
void election_start(struct raft *core, bool pre, bool transfer,
                    struct raft_update *update);
void election_tick(struct raft *core, struct raft_update *update);
void election_persisted(struct raft *core, struct raft_update *update);
void election_vote_request(struct raft *core, const struct raft_message *m,
                           struct raft_update *update);
void election_vote_reply(struct raft *core, const struct raft_message *m,
                         struct raft_update *update);
/** A live leader was heard within the minimum election timeout. */
bool election_is_sticky(const struct raft *core);

/* ---- follow.c ---- */
int follow_append(struct raft *core, struct raft_message *m,
                  struct raft_update *update);
void follow_reject_stale(struct raft *core, const struct raft_message *m,
                         struct raft_update *update);
/** Sends the acknowledgement that entries waited for. */
void follow_persisted(struct raft *core, struct raft_update *update);
void follow_ack(struct raft *core, struct raft_update *update);

/* ---- repair.c ---- */
/** Nothing that was promised is missing: may vote, lead, acknowledge. */
bool repair_is_whole(const struct raft *core);
/** True if m lets the log begin anew, and it has. */
bool repair_begin(struct raft *core, const struct raft_message *m,
                  struct raft_update *update);
/** Tells a leader that we are behind. */
void repair_report(struct raft *core, const char *leader_id, uint64_t round,
                   struct raft_update *update);
/** After the durable or the verified index grew. */
void repair_advance(struct raft *core, struct raft_update *update);
void repair_heard(struct raft *core, struct progress *peer, uint64_t behind,
                  struct raft_update *update);
void repair_returned(struct raft *core, struct progress *peer);
/** It is level with us and still waits for the index that it was let back with. */
bool repair_wants_entry(const struct raft *core, const struct progress *peer);

/* ---- lead.c ---- */
void lead_begin(struct raft *core, struct raft_update *update);
/** outvoted: by a newer term, not of our own accord. */
void lead_end(struct raft *core, bool outvoted, struct raft_update *update);
void lead_append(struct raft *core, struct raft_entry *entry,
                 struct raft_update *update);
int lead_propose(struct raft *core, struct raft_event *event,
                 struct raft_update *update);
int lead_append_reply(struct raft *core, const struct raft_message *m,
                      struct raft_update *update);
/** What a peer needs and memory has no more. */
void lead_entries_read(struct raft *core, const struct raft_event *event,
                       struct raft_update *update);
/** Sends what windows allow to everybody. */
void lead_replicate(struct raft *core, struct raft_update *update);
/** Sends the peer an append without entries. */
void lead_heartbeat(struct raft *core, struct progress *peer,
                    struct raft_update *update);
/** Nothing is known of the peer's log. */
void lead_probe_anew(struct raft *core, struct progress *peer);
/** Sends an append to everybody, with or without entries. */
void lead_heartbeat_all(struct raft *core, struct raft_update *update);
void lead_advance_commit(struct raft *core, struct raft_update *update);
void lead_tick(struct raft *core, struct raft_update *update);
uint64_t lead_due_ms(const struct raft *core);
struct progress *lead_peer(const struct raft *core, const char *id);
/** Peers of the configuration now in force: keeps those who stay. */
void lead_set_peers(struct raft *core);
/** Something came from the peer: it is there. */
void lead_heard(struct raft *core, struct progress *peer, uint64_t round,
                struct raft_update *update);
void lead_matched(struct raft *core, struct progress *peer, raft_index match,
                  struct raft_update *update);

/* ---- membership.c ---- */
void membership_push(struct raft *core, raft_index index,
                     const struct raft_configuration *configuration,
                     struct raft_update *update);
void membership_entry(struct raft *core, const struct raft_entry *entry,
                      struct raft_update *update);
void membership_truncated(struct raft *core, raft_index from,
                          struct raft_update *update);
int membership_add(struct raft *core, const struct raft_server *server,
                   struct raft_update *update);
int membership_remove(struct raft *core, const char *id,
                      struct raft_update *update);
/** After the commit index or a match grew, or time passed. */
void membership_advance(struct raft *core, struct raft_update *update);
void membership_end(struct raft *core, int status, struct raft_update *update);
int transfer_start(struct raft *core, const char *id,
                   struct raft_update *update);
void transfer_advance(struct raft *core, struct raft_update *update);
void transfer_end(struct raft *core, int status, struct raft_update *update);

/* ---- lease.c ---- */
int lease_init(struct raft *core, uint32_t drift_ppm);
/** Until when nobody else can lead, by our clock; 0: no lease. */
uint64_t lease_until_ms(const struct raft *core);

/* ---- read.c ---- */
int read_start(struct raft *core, uint64_t id, struct raft_update *update);
void read_advance(struct raft *core, struct raft_update *update);
void read_end(struct raft *core, struct raft_update *update);

/* ---- snapshot.c ---- */
int snapshot_chunk(struct raft *core, const struct raft_message *m,
                   struct raft_update *update);
/** Asks for the pieces that the peer's window allows. */
void snapshot_ask(struct raft *core, struct progress *peer,
                  struct raft_update *update);
int snapshot_reply(struct raft *core, const struct raft_message *m,
                   struct raft_update *update);
int snapshot_taken(struct raft *core, const struct raft_event *event,
                   struct raft_update *update);
int snapshot_installed(struct raft *core, const struct raft_event *event,
                       struct raft_update *update);

#endif
