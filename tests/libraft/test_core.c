/* The core alone, a rule of the papers a test: one step at a time, time and
 * disk in the test's hand. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "configuration.h"
#include "entry.h"
#include "raft/core.h"
#include "suite.h"

#define TIMEOUT_MS 1000u

struct bench {
    struct raft *core;
    struct raft_update update; /* of the last step */
    uint64_t now_ms;
    uint64_t write_last;
};

static int step(struct bench *bench, struct raft_event *event)
{
    int rv;

    raft_update_close(&bench->update);
    event->now_ms = bench->now_ms;
    rv = raft_step(bench->core, event, &bench->update);
    if (bench->update.write_id != 0)
        bench->write_last = bench->update.write_id;
    raft_check(bench->core);
    return rv;
}

static int step_type(struct bench *bench, enum raft_event_type type)
{
    struct raft_event event = {.type = type};

    return step(bench, &event);
}

/* The disk has done everything. */
static void persist(struct bench *bench)
{
    struct raft_event event = {.type = RAFT_EVENT_PERSISTED};

    event.u.write_id = bench->write_last;
    ck_assert_int_eq(step(bench, &event), 0);
}

/* A log of these terms, entry 1 being the configuration of s0..sN-1. */
static void setup_stored(struct bench *bench, unsigned servers, raft_term term,
                         const char *voted_for, const raft_term *terms,
                         size_t count, bool behind)
{
    struct raft_core_config config = {.id = "s0",
                                      .cluster_id = "test",
                                      .election_timeout_ms = TIMEOUT_MS,
                                      .heartbeat_interval_ms = 100,
                                      .seed = 7};
    struct raft_configuration configuration = {.server_count = servers};
    struct raft_stored stored = {.term = term, .behind = behind};
    struct raft_event event = {.type = RAFT_EVENT_START};
    struct base_buf packed = BASE_BUF_INIT;
    struct raft_entry entries[32];
    size_t i;

    memset(bench, 0, sizeof(*bench));
    memset(entries, 0, sizeof(entries));
    bench->now_ms = 5000;
    for (i = 0; i < servers; i++)
        snprintf(configuration.servers[i].id, RAFT_ID_MAX, "s%zu", i);
    strcpy(configuration.cluster_id, "test");
    configuration_pack(&configuration, &packed);
    for (i = 0; i < count; i++) {
        entries[i].index = i + 1;
        entries[i].term = terms[i];
        entries[i].type = i == 0 ? RAFT_ENTRY_CONFIGURATION
                                 : RAFT_ENTRY_COMMAND;
        entries[i].data = i == 0 ? (const void *)base_buf_data(&packed) : "x";
        entries[i].len = i == 0 ? base_buf_len(&packed) : 1;
        entries[i].checksum = entry_checksum(&entries[i]);
    }
    strcpy(stored.voted_for, voted_for);
    stored.entries = entries;
    stored.entry_count = count;
    ck_assert_int_eq(raft_new(&config, &bench->core), 0);
    event.u.stored = &stored;
    ck_assert_int_eq(step(bench, &event), 0);
    base_buf_close(&packed);
}

static void setup_log(struct bench *bench, unsigned servers, raft_term term,
                      const char *voted_for, const raft_term *terms,
                      size_t count)
{
    setup_stored(bench, servers, term, voted_for, terms, count, false);
}

static void setup_three(struct bench *bench)
{
    static const raft_term terms[] = {1, 1, 1};

    setup_log(bench, 3, 1, "", terms, 3);
}

static void teardown(struct bench *bench)
{
    raft_update_close(&bench->update);
    raft_free(bench->core);
}

static int receive(struct bench *bench, struct raft_message *message)
{
    struct raft_event event = {.type = RAFT_EVENT_MESSAGE};

    strcpy(message->to, "s0");
    event.u.message = message;
    return step(bench, &event);
}

static void time_out(struct bench *bench)
{
    bench->now_ms = raft_deadline_ms(bench->core);
    ck_assert_int_eq(step_type(bench, RAFT_EVENT_TICK), 0);
}

static struct raft_message vote_request(const char *from, raft_term term,
                                        raft_index last_index,
                                        raft_term last_term)
{
    struct raft_message message = {.type = RAFT_MESSAGE_VOTE_REQUEST,
                                   .term = term};

    strcpy(message.from, from);
    message.u.vote.last_index = last_index;
    message.u.vote.last_term = last_term;
    return message;
}

static int vote_reply(struct bench *bench, const char *from, raft_term term,
                      bool pre, bool granted)
{
    struct raft_message message = {.type = RAFT_MESSAGE_VOTE_REPLY,
                                   .term = term};

    strcpy(message.from, from);
    message.u.vote_reply.pre = pre;
    message.u.vote_reply.granted = granted;
    return receive(bench, &message);
}

/* From three servers' follower to leader of the next term. */
static void become_leader(struct bench *bench)
{
    raft_term term;

    time_out(bench);
    term = raft_current_term(bench->core);
    vote_reply(bench, "s1", term + 1, true, true);
    persist(bench);
    vote_reply(bench, "s1", term + 1, false, true);
    ck_assert_int_eq(raft_role(bench->core), RAFT_LEADER);
}

static int ack(struct bench *bench, const char *from, raft_index match,
               uint64_t round)
{
    struct raft_message message = {.type = RAFT_MESSAGE_APPEND_REPLY};

    message.term = raft_current_term(bench->core);
    strcpy(message.from, from);
    message.u.append_reply.match = match;
    message.u.append_reply.round = round;
    return receive(bench, &message);
}

/* An append of entries with these terms after prev. */
static int append(struct bench *bench, const char *from, raft_term term,
                  raft_index prev, raft_term prev_term,
                  const raft_term *terms, size_t count, raft_index commit)
{
    struct raft_message message = {.type = RAFT_MESSAGE_APPEND, .term = term};
    size_t i;
    int rv;

    strcpy(message.from, from);
    message.u.append.prev_index = prev;
    message.u.append.prev_term = prev_term;
    message.u.append.commit = commit;
    message.u.append.entry_count = count;
    message.u.append.entries =
        base_calloc(count + 1, sizeof(struct raft_entry));
    for (i = 0; i < count; i++) {
        struct raft_entry *entry = &message.u.append.entries[i];

        entry->index = prev + 1 + i;
        entry->term = terms[i];
        entry->type = RAFT_ENTRY_COMMAND;
        entry->data = raft_data_dup("y", 1);
        entry->len = 1;
        entry->checksum = entry_checksum(entry);
    }
    rv = receive(bench, &message);
    raft_message_close(&message);
    return rv;
}

static const struct raft_message *only_after(const struct bench *bench)
{
    ck_assert_uint_eq(bench->update.after_count, 1);
    return &bench->update.messages_after[0];
}

/* ---- elections ---- */

/* 5.4.1: the later last term wins, then the longer log. Ours: 1 1 2. */
static const struct {
    raft_index last_index;
    raft_term last_term;
    bool granted;
} logs[] = {
    {3, 2, true},  /* the same */
    {4, 2, true},  /* longer */
    {2, 2, false}, /* shorter */
    {1, 3, true},  /* shorter, of a later term */
    {9, 1, false}, /* longer, of an earlier one */
    {0, 0, false}, /* empty */
};

START_TEST(votes_go_to_logs_that_lack_nothing)
{
    static const raft_term terms[] = {1, 1, 2};
    struct raft_message request =
        vote_request("s1", 5, logs[_i].last_index, logs[_i].last_term);
    struct bench bench;

    setup_log(&bench, 3, 2, "", terms, 3);
    ck_assert_int_eq(receive(&bench, &request), 0);
    ck_assert_int_eq(only_after(&bench)->u.vote_reply.granted,
                     logs[_i].granted);
    ck_assert_uint_eq(raft_current_term(bench.core), 5);
    ck_assert_str_eq(raft_voted_for(bench.core), logs[_i].granted ? "s1" : "");
    /* And the reply waits for the write of term and vote. */
    ck_assert(bench.update.set_vote);
    ck_assert_uint_eq(bench.update.after_id, bench.update.write_id);
    teardown(&bench);
}
END_TEST

START_TEST(one_vote_a_term)
{
    struct raft_message first = vote_request("s1", 4, 3, 1);
    struct raft_message second = vote_request("s2", 4, 3, 1);
    struct bench bench;

    setup_three(&bench);
    receive(&bench, &first);
    ck_assert(only_after(&bench)->u.vote_reply.granted);
    receive(&bench, &second);
    ck_assert(!only_after(&bench)->u.vote_reply.granted);
    receive(&bench, &first); /* asked again: the same answer */
    ck_assert(only_after(&bench)->u.vote_reply.granted);
    teardown(&bench);
}
END_TEST

/* Also where the term itself was already written. */
START_TEST(a_vote_in_a_known_term_is_written)
{
    static const raft_term terms[] = {1, 1, 1};
    struct raft_message request = vote_request("s2", 4, 3, 1);
    struct bench bench;

    setup_log(&bench, 3, 4, "", terms, 3);
    receive(&bench, &request);
    ck_assert(only_after(&bench)->u.vote_reply.granted);
    ck_assert(bench.update.set_vote);
    ck_assert_str_eq(bench.update.voted_for, "s2");
    ck_assert_uint_eq(bench.update.after_id, bench.update.write_id);
    teardown(&bench);
}
END_TEST

START_TEST(a_vote_outlives_a_restart)
{
    static const raft_term terms[] = {1, 1, 1};
    struct raft_message request = vote_request("s2", 4, 3, 1);
    struct bench bench;

    setup_log(&bench, 3, 4, "s1", terms, 3);
    receive(&bench, &request);
    ck_assert(!only_after(&bench)->u.vote_reply.granted);
    teardown(&bench);
}
END_TEST

/* Thesis 9.6: asking raises no term, here or there. */
START_TEST(a_pre_vote_changes_nothing)
{
    struct raft_message request = vote_request("s1", 9, 3, 1);
    struct bench bench;
    size_t i;

    setup_three(&bench);
    request.u.vote.pre = true;
    receive(&bench, &request);
    ck_assert(only_after(&bench)->u.vote_reply.granted);
    ck_assert_uint_eq(raft_current_term(bench.core), 1);
    ck_assert_uint_eq(bench.update.write_id, 0);
    time_out(&bench);
    ck_assert_int_eq(raft_role(bench.core), RAFT_CANDIDATE);
    ck_assert_uint_eq(raft_current_term(bench.core), 1);
    ck_assert_uint_eq(bench.update.now_count, 2);
    for (i = 0; i < 2; i++) {
        ck_assert(bench.update.messages_now[i].u.vote.pre);
        ck_assert_uint_eq(bench.update.messages_now[i].term, 2);
    }
    teardown(&bench);
}
END_TEST

/* Vote requests leave, and our own vote counts, once they are durable. */
START_TEST(a_candidate_counts_itself_when_its_vote_is_durable)
{
    struct bench bench;

    setup_three(&bench);
    time_out(&bench);
    vote_reply(&bench, "s1", 2, true, true);
    ck_assert_uint_eq(raft_current_term(bench.core), 2);
    ck_assert_uint_eq(bench.update.now_count, 0);
    ck_assert_uint_eq(bench.update.after_count, 2);
    ck_assert_uint_eq(bench.update.after_id, bench.update.write_id);
    vote_reply(&bench, "s1", 2, false, true);
    ck_assert_int_eq(raft_role(bench.core), RAFT_CANDIDATE);
    persist(&bench);
    ck_assert_int_eq(raft_role(bench.core), RAFT_LEADER);
    teardown(&bench);
}
END_TEST

/* Thesis 4.2.3, and that a transfer is let through (3.10). */
static const struct {
    uint64_t after_ms;
    bool transfer, granted;
} visits[] = {
    {0, false, false},
    {TIMEOUT_MS - 1, false, false},
    {TIMEOUT_MS, false, true},
    {0, true, true},
};

START_TEST(a_vote_is_refused_while_a_leader_lives)
{
    struct raft_message request = vote_request("s2", 8, 3, 1);
    struct bench bench;

    setup_three(&bench);
    append(&bench, "s1", 2, 3, 1, NULL, 0, 0);
    persist(&bench);
    bench.now_ms += visits[_i].after_ms;
    request.u.vote.transfer = visits[_i].transfer;
    receive(&bench, &request);
    ck_assert_int_eq(only_after(&bench)->u.vote_reply.granted,
                     visits[_i].granted);
    ck_assert_uint_eq(raft_current_term(bench.core),
                      visits[_i].granted ? 8 : 2);
    teardown(&bench);
}
END_TEST

START_TEST(timeouts_are_spread_over_one_to_two)
{
    struct bench bench;
    uint64_t least = UINT64_MAX, most = 0;
    unsigned i;

    setup_three(&bench);
    for (i = 0; i < 200; i++) {
        uint64_t before = bench.now_ms, took;

        time_out(&bench);
        took = bench.now_ms - before;
        if (i == 0)
            continue;
        ck_assert_uint_ge(took, TIMEOUT_MS);
        ck_assert_uint_lt(took, 2 * TIMEOUT_MS);
        least = took < least ? took : least;
        most = took > most ? took : most;
    }
    ck_assert_uint_gt(most - least, TIMEOUT_MS / 2);
    teardown(&bench);
}
END_TEST

/* ---- the follower's log ---- */

/* 5.3 and Figure 7: ours is 1 1 4 4; what appends do to it. */
static const struct {
    raft_index prev;
    raft_term prev_term;
    raft_term terms[3];
    size_t count;
    bool accepted;
    raft_index last, match_or_hint, truncated;
} appends[] = {
    {4, 4, {6, 6}, 2, true, 6, 6, 0},   /* goes on */
    {4, 4, {0}, 0, true, 4, 4, 0},      /* a heartbeat */
    {2, 1, {4, 4}, 2, true, 4, 4, 0},   /* had it already */
    {2, 1, {4}, 1, true, 4, 3, 0},      /* old news cuts nothing */
    {2, 1, {6}, 1, true, 3, 3, 3},      /* another history */
    {3, 4, {6, 6}, 2, true, 5, 5, 4},   /* the tail is another */
    {9, 6, {6}, 1, false, 4, 5, 0},     /* a gap: hint where we end */
    {4, 6, {6}, 1, false, 4, 3, 0},     /* mismatch: hint its whole term */
};

START_TEST(appends_make_the_log_match)
{
    static const raft_term terms[] = {1, 1, 4, 4};
    const struct raft_message *reply;
    struct bench bench;

    setup_log(&bench, 3, 6, "", terms, 4);
    ck_assert_int_eq(append(&bench, "s1", 6, appends[_i].prev,
                            appends[_i].prev_term, appends[_i].terms,
                            appends[_i].count, 0),
                     0);
    ck_assert_uint_eq(raft_last_index(bench.core), appends[_i].last);
    ck_assert_uint_eq(bench.update.truncate_from, appends[_i].truncated);
    if (bench.update.write_id != 0) {
        /* Nothing is acknowledged before the disk has it. */
        ck_assert_uint_eq(bench.update.after_count, 0);
        persist(&bench);
    }
    reply = only_after(&bench);
    ck_assert_int_eq(!reply->u.append_reply.rejected, appends[_i].accepted);
    ck_assert_uint_eq(appends[_i].accepted
                          ? reply->u.append_reply.match
                          : reply->u.append_reply.conflict_index,
                      appends[_i].match_or_hint);
    teardown(&bench);
}
END_TEST

START_TEST(a_stale_leader_hears_the_newer_term)
{
    static const raft_term terms[] = {1, 1, 1};
    struct bench bench;

    setup_log(&bench, 3, 5, "", terms, 3);
    append(&bench, "s1", 4, 3, 1, NULL, 0, 0);
    ck_assert(only_after(&bench)->u.append_reply.rejected);
    ck_assert_uint_eq(only_after(&bench)->term, 5);
    teardown(&bench);
}
END_TEST

/* One disk answer, one ack for all it covers; and a truncation that comes
 * while a write is out takes back what that write would have promised. */
START_TEST(what_was_cut_meanwhile_is_not_durable)
{
    static const raft_term old[] = {2, 2, 2};
    static const raft_term fresh[] = {3};
    struct raft_event event = {.type = RAFT_EVENT_PERSISTED};
    struct bench bench;
    uint64_t first;

    setup_three(&bench);
    append(&bench, "s1", 2, 3, 1, old, 3, 0);
    first = bench.write_last;
    append(&bench, "s2", 3, 3, 1, fresh, 1, 0);
    ck_assert_uint_eq(bench.update.truncate_from, 4);
    event.u.write_id = first;
    step(&bench, &event);
    ck_assert_uint_eq(raft_durable_index(bench.core), 3);
    persist(&bench);
    ck_assert_uint_eq(raft_durable_index(bench.core), 4);
    ck_assert_uint_eq(only_after(&bench)->u.append_reply.match, 4);
    teardown(&bench);
}
END_TEST

/* A heartbeat is answered while the disk is busy: with what it has. */
START_TEST(a_heartbeat_acknowledges_what_is_durable)
{
    static const raft_term fresh[] = {2, 2};
    struct bench bench;

    setup_three(&bench);
    append(&bench, "s1", 2, 3, 1, fresh, 2, 0);
    ck_assert_uint_eq(bench.update.after_count, 0);
    append(&bench, "s1", 2, 5, 2, NULL, 0, 0);
    ck_assert_uint_eq(only_after(&bench)->u.append_reply.match, 3);
    persist(&bench);
    ck_assert_uint_eq(only_after(&bench)->u.append_reply.match, 5);
    teardown(&bench);
}
END_TEST

START_TEST(a_follower_applies_only_what_is_durable_here)
{
    static const raft_term fresh[] = {2, 2};
    struct bench bench;

    setup_three(&bench);
    append(&bench, "s1", 2, 3, 1, fresh, 2, 5);
    ck_assert_uint_eq(raft_commit_index(bench.core), 5);
    ck_assert_uint_eq(raft_apply_index(bench.core), 3);
    persist(&bench);
    ck_assert_uint_eq(raft_apply_index(bench.core), 5);
    teardown(&bench);
}
END_TEST

/* ---- the leader ---- */

START_TEST(a_new_leader_appends_a_noop_and_sends_it_before_its_disk_has_it)
{
    struct bench bench;

    setup_three(&bench);
    become_leader(&bench);
    ck_assert_uint_eq(raft_last_index(bench.core), 4);
    ck_assert_int_eq(raft_entry_at(bench.core, 4)->type, RAFT_ENTRY_NOOP);
    ck_assert_uint_eq(bench.update.now_count, 2);
    ck_assert_int_eq(bench.update.messages_now[0].type, RAFT_MESSAGE_APPEND);
    ck_assert_uint_ne(bench.update.write_id, 0);
    teardown(&bench);
}
END_TEST

/* 5.4.2, Figure 8: entries of earlier terms are not committed by counting. */
START_TEST(old_entries_commit_only_below_one_of_our_own)
{
    struct bench bench;

    setup_three(&bench);
    become_leader(&bench);
    ck_assert_int_eq(ack(&bench, "s1", 3, 0), 0);
    ck_assert_int_eq(ack(&bench, "s2", 3, 0), 0);
    ck_assert_uint_eq(raft_commit_index(bench.core), 0);
    ck_assert_int_eq(ack(&bench, "s1", 4, 0), 0);
    persist(&bench);
    ck_assert_uint_eq(raft_commit_index(bench.core), 4);
    teardown(&bench);
}
END_TEST

/* A leader counts itself only up to its own disk (thesis 10.2.1). */
START_TEST(a_leader_does_not_count_its_unsynced_tail)
{
    struct bench bench;

    setup_three(&bench);
    become_leader(&bench);
    ack(&bench, "s1", 4, 0);
    ck_assert_uint_eq(raft_commit_index(bench.core), 0); /* s1 alone */
    ack(&bench, "s2", 4, 0);
    ck_assert_uint_eq(raft_commit_index(bench.core), 4); /* a majority */
    ck_assert_uint_eq(raft_apply_index(bench.core), 3);  /* not here yet */
    persist(&bench);
    ck_assert_uint_eq(raft_apply_index(bench.core), 4);
    teardown(&bench);
}
END_TEST

/* ---- repair ---- */

static struct raft_message permit(uint64_t behind, raft_index until)
{
    struct raft_message message = {.type = RAFT_MESSAGE_APPEND, .term = 1};

    strcpy(message.from, "s1");
    message.u.append.renew = behind;
    message.u.append.renew_index = until;
    return message;
}

START_TEST(a_permit_for_another_life_changes_nothing)
{
    static const raft_term terms[] = {1, 1, 1};
    struct raft_message message = permit(0, 0);
    struct bench bench;
    uint64_t behind;

    setup_stored(&bench, 3, 1, "", terms, 3, true);
    ck_assert_int_eq(receive(&bench, &message), 0);
    ck_assert_uint_eq(bench.update.after_count, 1);
    behind = bench.update.messages_after[0].u.append_reply.behind;
    ck_assert_uint_ne(behind, 0);
    message = permit(behind + 2, 9);
    ck_assert_int_eq(receive(&bench, &message), 0);
    ck_assert_uint_eq(bench.update.write_id, 0);
    ck_assert_uint_eq(bench.update.messages_after[0].u.append_reply.behind,
                      behind);
    message = permit(behind, 9);
    ck_assert_int_eq(receive(&bench, &message), 0);
    ck_assert(bench.update.set_repair);
    ck_assert_uint_eq(bench.update.repair_until, 9);
    ck_assert_uint_eq(bench.update.truncate_from, 4);
    /* The answer is a promise, and waits for the note of it. */
    ck_assert_uint_eq(bench.update.after_id, bench.update.write_id);
    ck_assert(bench.update.messages_after[0].u.append_reply.repairing);
    teardown(&bench);
}
END_TEST

START_TEST(a_leader_does_not_count_what_was_lost)
{
    struct raft_message lost = {.type = RAFT_MESSAGE_APPEND_REPLY, .term = 2};
    struct raft_progress progress;
    struct bench bench;

    setup_three(&bench);
    become_leader(&bench);
    ack(&bench, "s1", 4, 0);
    strcpy(lost.from, "s1");
    lost.u.append_reply.behind = 5;
    ck_assert_int_eq(receive(&bench, &lost), 0);
    ck_assert(raft_peer_progress(bench.core, "s1", &progress));
    ck_assert(progress.behind);
    ck_assert_uint_eq(progress.match, 0);
    ck_assert_uint_eq(bench.update.messages_now[0].u.append.renew, 5);
    ck_assert_uint_eq(bench.update.messages_now[0].u.append.renew_index, 4);
    ack(&bench, "s1", 4, 0); /* of its earlier life, late */
    persist(&bench);
    ck_assert_uint_lt(raft_commit_index(bench.core), 4);
    teardown(&bench);
}
END_TEST

START_TEST(a_leader_without_a_majority_steps_down)
{
    struct bench bench;

    setup_three(&bench);
    become_leader(&bench);
    persist(&bench);
    bench.now_ms += TIMEOUT_MS - 1;
    step_type(&bench, RAFT_EVENT_TICK);
    ck_assert_int_eq(raft_role(bench.core), RAFT_LEADER);
    bench.now_ms += 1;
    step_type(&bench, RAFT_EVENT_TICK);
    ck_assert_int_eq(raft_role(bench.core), RAFT_FOLLOWER);
    ck_assert(bench.update.lost_leadership);
    teardown(&bench);
}
END_TEST

/* A disk that does not answer is not hidden behind heartbeats. */
START_TEST(a_leader_with_a_stalled_disk_steps_down)
{
    struct bench bench;
    unsigned i;

    setup_three(&bench);
    become_leader(&bench); /* the noop's write is out */
    for (i = 0; i < 10; i++) {
        bench.now_ms += TIMEOUT_MS / 10;
        ack(&bench, "s1", 4, 0);
        ack(&bench, "s2", 4, 0);
    }
    step_type(&bench, RAFT_EVENT_TICK);
    ck_assert_int_eq(raft_role(bench.core), RAFT_FOLLOWER);
    time_out(&bench); /* and does not ask for votes either */
    ck_assert_int_eq(raft_role(bench.core), RAFT_FOLLOWER);
    persist(&bench);
    time_out(&bench);
    ck_assert_int_eq(raft_role(bench.core), RAFT_CANDIDATE);
    teardown(&bench);
}
END_TEST

/* Thesis 6.4: no read before the term's first entry is committed, none before
 * a majority confirmed. */
START_TEST(a_read_waits_for_the_noop_and_a_majority)
{
    struct raft_event event = {.type = RAFT_EVENT_READ};
    struct bench bench;

    setup_three(&bench);
    become_leader(&bench);
    persist(&bench);
    event.u.read_id = 77;
    ck_assert_int_eq(step(&bench, &event), 0);
    ck_assert_uint_eq(bench.update.read_count, 0);
    ack(&bench, "s1", 4, 0); /* commits the noop, starts a round */
    ck_assert_uint_eq(bench.update.read_count, 0);
    ck_assert_uint_eq(raft_commit_index(bench.core), 4);
    ack(&bench, "s1", 4, 0); /* from before the round */
    ck_assert_uint_eq(bench.update.read_count, 0);
    ack(&bench, "s1", 4, 1);
    ck_assert_uint_eq(bench.update.read_count, 1);
    ck_assert_uint_eq(bench.update.reads[0].read_id, 77);
    ck_assert_uint_eq(bench.update.reads[0].index, 4);
    teardown(&bench);
}
END_TEST

START_TEST(a_change_waits_for_the_terms_first_commit)
{
    struct raft_event event = {.type = RAFT_EVENT_REMOVE};
    const struct raft_configuration *now;
    struct bench bench;

    setup_three(&bench);
    /* The old configuration is committed, by the leader before. */
    append(&bench, "s1", 2, 3, 1, NULL, 0, 3);
    persist(&bench);
    become_leader(&bench);
    persist(&bench);
    strcpy(event.u.server.id, "s2");
    ck_assert_int_eq(step(&bench, &event), RAFT_EBUSY);
    ck_assert_uint_eq(raft_last_index(bench.core), 4);
    ack(&bench, "s1", 4, 0);
    ck_assert_int_eq(step(&bench, &event), 0);
    now = raft_current_configuration(bench.core, NULL);
    ck_assert_uint_eq(now->server_count, 2); /* in force from appending on */
    ck_assert_int_eq(step(&bench, &event), RAFT_ECHANGE);
    teardown(&bench);
}
END_TEST

/* Section 7: the configuration is a part of the snapshot, and all of a log
 * that contradicts it goes, on the disk too. */
START_TEST(an_installed_snapshot_brings_log_and_configuration)
{
    struct raft_event event = {.type = RAFT_EVENT_SNAPSHOT_INSTALLED};
    struct raft_configuration configuration = {.server_count = 2};
    const struct raft_configuration *now;
    struct bench bench;
    raft_index at;

    strcpy(configuration.servers[0].id, "s0");
    strcpy(configuration.servers[1].id, "s7");
    setup_three(&bench);
    event.u.snapshot.index = 50;
    event.u.snapshot.term = 1;
    event.u.snapshot.configuration_index = 33;
    event.u.snapshot.configuration = &configuration;
    ck_assert_int_eq(step(&bench, &event), 0);
    now = raft_current_configuration(bench.core, &at);
    ck_assert_uint_eq(at, 33);
    ck_assert_uint_eq(now->server_count, 2);
    ck_assert_str_eq(now->servers[1].id, "s7");
    ck_assert_uint_eq(raft_first_index(bench.core), 51);
    ck_assert_uint_eq(raft_last_index(bench.core), 50);
    ck_assert_uint_eq(raft_commit_index(bench.core), 50);
    ck_assert_uint_eq(bench.update.truncate_from, 51);
    teardown(&bench);
}
END_TEST

/* Appends run ahead of acks, and stop at the window. */
START_TEST(a_window_bounds_what_a_follower_is_sent)
{
    struct bench bench;
    unsigned i, sent = 0;

    setup_three(&bench);
    become_leader(&bench);
    persist(&bench);
    ack(&bench, "s1", 4, 0);
    for (i = 0; i < 100; i++) {
        struct raft_entry entry = {.type = RAFT_ENTRY_COMMAND};
        struct raft_event event = {.type = RAFT_EVENT_PROPOSE};

        entry.data = raft_data_dup("z", 1);
        entry.len = 1;
        event.u.propose.entries = &entry;
        event.u.propose.count = 1;
        ck_assert_int_eq(step(&bench, &event), 0);
        sent += (unsigned)bench.update.now_count;
    }
    ck_assert_uint_eq(sent, RAFT_INFLIGHT_MAX);
    ack(&bench, "s1", 20, 0);
    ck_assert_uint_gt(bench.update.now_count, 0);
    teardown(&bench);
}
END_TEST

Suite *core_suite(void)
{
    Suite *suite = suite_create("core");
    TCase *tcase = tcase_create("core");

    tcase_add_loop_test(tcase, votes_go_to_logs_that_lack_nothing, 0,
                        (int)BASE_COUNT_OF(logs));
    tcase_add_test(tcase, one_vote_a_term);
    tcase_add_test(tcase, a_vote_in_a_known_term_is_written);
    tcase_add_test(tcase, a_vote_outlives_a_restart);
    tcase_add_test(tcase, a_pre_vote_changes_nothing);
    tcase_add_test(tcase,
                   a_candidate_counts_itself_when_its_vote_is_durable);
    tcase_add_loop_test(tcase, a_vote_is_refused_while_a_leader_lives, 0,
                        (int)BASE_COUNT_OF(visits));
    tcase_add_test(tcase, timeouts_are_spread_over_one_to_two);
    tcase_add_loop_test(tcase, appends_make_the_log_match, 0,
                        (int)BASE_COUNT_OF(appends));
    tcase_add_test(tcase, a_stale_leader_hears_the_newer_term);
    tcase_add_test(tcase, what_was_cut_meanwhile_is_not_durable);
    tcase_add_test(tcase, a_heartbeat_acknowledges_what_is_durable);
    tcase_add_test(tcase, a_follower_applies_only_what_is_durable_here);
    tcase_add_test(
        tcase, a_new_leader_appends_a_noop_and_sends_it_before_its_disk_has_it);
    tcase_add_test(tcase, old_entries_commit_only_below_one_of_our_own);
    tcase_add_test(tcase, a_leader_does_not_count_its_unsynced_tail);
    tcase_add_test(tcase, a_permit_for_another_life_changes_nothing);
    tcase_add_test(tcase, a_leader_does_not_count_what_was_lost);
    tcase_add_test(tcase, a_leader_without_a_majority_steps_down);
    tcase_add_test(tcase, a_leader_with_a_stalled_disk_steps_down);
    tcase_add_test(tcase, a_read_waits_for_the_noop_and_a_majority);
    tcase_add_test(tcase, a_change_waits_for_the_terms_first_commit);
    tcase_add_test(tcase, an_installed_snapshot_brings_log_and_configuration);
    tcase_add_test(tcase, a_window_bounds_what_a_follower_is_sent);
    suite_add_tcase(suite, tcase);
    return suite;
}
