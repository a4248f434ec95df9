/*
 * The snapshot on the loop's side. The state of what the file should say is
 * kept here; lines that the worker is too slow for are dropped and counted, and
 * the next job then writes the whole state anew, so that nothing is lost for
 * long. The same repairs a failed append (gossip.md 4.2, 4.3).
 */
#include "serf/snapshot.h"

#include "base/alloc.h"
#include "serf/snapshot_file.h"
#include "serf/snapshot_lines.h"

#define FLUSH_MS 500u
#define LINES_WAITING_MAX 2048u
#define COMPACT_BYTES_MIN (128u * 1024u)
#define COMPACT_BYTES_EACH (2u * 128u)
#define REPAIR_MS 30000u
#define FAILED_CANDIDATES_MAX 64u /* each may cost a dial's timeout */

struct serf_snapshot {
    struct gossip_serf *serf;
    struct serf_snapshot_file *file;
    struct serf_snapshot_state state;
    struct base_buf lines; /* for the next job */
    size_t line_count;
    uint64_t dropped;
    struct base_counter *dropped_counter;
    bool stale;    /* the file lacks something: write it anew */
    bool failed;   /* the last job did */
    uint64_t repair_ms; /* not before */
    bool sync;     /* the next job must reach the disk */
    bool left;     /* members are not recorded any more */
    bool rejoin_after_leave;
    struct base_timer timer;

    /* Who was there in the last run. */
    struct serf_known **candidates;
    size_t candidate_count;
    size_t candidate_next;
};

static void note_line(struct serf_snapshot *snapshot)
{
    snapshot->line_count++;
}

/* True if there is room for one more line. */
static bool has_room(struct serf_snapshot *snapshot)
{
    if (snapshot->line_count < LINES_WAITING_MAX)
        return true;
    snapshot->dropped++;
    base_counter_add(snapshot->dropped_counter, 1);
    snapshot->stale = true;
    return false;
}

static void note_clock(struct serf_snapshot *snapshot, const char *keyword,
                       uint64_t *recorded, uint64_t value)
{
    if (value <= *recorded)
        return;
    *recorded = value;
    if (!has_room(snapshot))
        return;
    base_buf_printf(&snapshot->lines, "%s: %llu\n", keyword,
                    (unsigned long long)value);
    note_line(snapshot);
}

static void note_member_clock(struct serf_snapshot *snapshot)
{
    note_clock(snapshot, "clock", &snapshot->state.clock,
               snapshot->serf->clock.time - 1);
}

void serf_snapshot_user_event(struct serf_snapshot *snapshot, uint64_t ltime)
{
    if (snapshot != NULL)
        note_clock(snapshot, "event-clock", &snapshot->state.event_clock,
                   ltime);
}

void serf_snapshot_query(struct serf_snapshot *snapshot, uint64_t ltime)
{
    if (snapshot != NULL)
        note_clock(snapshot, "query-clock", &snapshot->state.query_clock,
                   ltime);
}

static void note_alive(struct serf_snapshot *snapshot,
                       const struct serf_member *member)
{
    if (!serf_snapshot_state_alive(&snapshot->state, member->name,
                                   &member->addr) ||
        !has_room(snapshot))
        return;
    serf_put_alive_line(&snapshot->lines, member->name, &member->addr);
    note_line(snapshot);
}

static void note_gone(struct serf_snapshot *snapshot,
                      const struct serf_member *member, bool failed)
{
    serf_snapshot_state_gone(&snapshot->state, member->name);
    if (failed)
        (void)serf_snapshot_state_failed(&snapshot->state, member->name,
                                         &member->addr);
    if (!has_room(snapshot))
        return;
    base_buf_printf(&snapshot->lines, "not-alive: %s\n", member->name);
    if (failed)
        serf_put_failed_line(&snapshot->lines, member->name, &member->addr);
    note_line(snapshot);
}

void serf_snapshot_member(struct serf_snapshot *snapshot,
                          enum gossip_event_kind kind,
                          const struct serf_member *member)
{
    /* Who says goodbye does not want to come back to those who go as well. */
    if (snapshot == NULL || snapshot->left)
        return;
    if (kind == GOSSIP_EVENT_MEMBER_JOIN)
        note_alive(snapshot, member);
    else if (kind == GOSSIP_EVENT_MEMBER_LEAVE ||
             kind == GOSSIP_EVENT_MEMBER_FAILED)
        note_gone(snapshot, member, kind == GOSSIP_EVENT_MEMBER_FAILED);
    else if (kind == GOSSIP_EVENT_MEMBER_REAP)
        serf_snapshot_state_gone(&snapshot->state, member->name);
    note_member_clock(snapshot);
}

static bool is_oversized(const struct serf_snapshot *snapshot)
{
    size_t limit =
        COMPACT_BYTES_EACH *
        (snapshot->state.alive.count + snapshot->state.failed.count);

    if (limit < COMPACT_BYTES_MIN)
        limit = COMPACT_BYTES_MIN;
    return serf_snapshot_file_bytes(snapshot->file) +
               base_buf_len(&snapshot->lines) >
           limit;
}

static void on_written(void *arg, int status)
{
    struct serf_snapshot *snapshot = arg;

    if (status == 0) {
        if (snapshot->failed)
            base_log(&snapshot->serf->log, BASE_LOG_INFO,
                     "snapshot is written again");
        snapshot->failed = false;
        return;
    }
    if (!snapshot->failed)
        base_log(&snapshot->serf->log, BASE_LOG_ERROR,
                 "snapshot not written, going on without",
                 kv_str("path", snapshot->serf->cfg.snapshot_path),
                 kv_str("error", gossip_strerror(status)));
    snapshot->failed = true;
    snapshot->stale = true;
}

/* A failed file is repaired by a new one, not too often. */
static bool may_write(struct serf_snapshot *snapshot)
{
    uint64_t now_ms = base_env_now_ms(snapshot->serf->env);

    if (!snapshot->failed)
        return true;
    if (now_ms < snapshot->repair_ms)
        return false;
    snapshot->repair_ms = now_ms + REPAIR_MS;
    return true;
}

static void write_out(struct serf_snapshot *snapshot)
{
    struct base_buf data = BASE_BUF_INIT;
    bool whole = snapshot->stale || is_oversized(snapshot);

    if (serf_snapshot_file_is_busy(snapshot->file) || !may_write(snapshot))
        return;
    if (!whole && base_buf_len(&snapshot->lines) == 0 && !snapshot->sync)
        return;
    if (whole) {
        serf_snapshot_write(&data, &snapshot->state);
    } else {
        data = snapshot->lines;
        snapshot->lines = (struct base_buf)BASE_BUF_INIT;
    }
    base_buf_reset(&snapshot->lines);
    snapshot->line_count = 0;
    snapshot->stale = false;
    if (serf_snapshot_file_submit(snapshot->file, &data, whole,
                                  snapshot->sync, on_written, snapshot) < 0)
        snapshot->stale = true; /* the worker is busy: all of it, later */
    else
        snapshot->sync = false;
}

static void on_timer(void *arg)
{
    struct serf_snapshot *snapshot = arg;

    note_member_clock(snapshot);
    write_out(snapshot);
    base_timer_start_ms(&snapshot->timer, FLUSH_MS);
}

void serf_snapshot_leave(struct serf_snapshot *snapshot)
{
    if (snapshot == NULL || snapshot->left)
        return;
    snapshot->left = true;
    if (!snapshot->rejoin_after_leave)
        serf_snapshot_state_forget(&snapshot->state);
    base_buf_append(&snapshot->lines, "leave\n", strlen("leave\n"));
    note_line(snapshot);
    snapshot->sync = true;
    write_out(snapshot);
}

/* In random order: a restarted pool must not all ask the same one. */
static void shuffle(struct serf_snapshot *snapshot, size_t from)
{
    size_t i;

    for (i = snapshot->candidate_count; i > from + 1; i--) {
        size_t j = from + (size_t)base_env_random_below(snapshot->serf->env,
                                                        i - from);
        struct serf_known *swap = snapshot->candidates[i - 1];

        snapshot->candidates[i - 1] = snapshot->candidates[j];
        snapshot->candidates[j] = swap;
    }
}

static void add_candidates(struct serf_snapshot *snapshot,
                           const struct serf_name_table *table)
{
    size_t from = snapshot->candidate_count;
    size_t i;

    for (i = 0; i < table->count; i++) {
        const struct serf_known *known =
            (const struct serf_known *)(const void *)table->all[i];
        size_t bytes = sizeof(*known) + strlen(known->name) + 1;

        if (!serf_is_self(snapshot->serf, known->name))
            snapshot->candidates[snapshot->candidate_count++] =
                base_memdup(known, bytes);
    }
    shuffle(snapshot, from);
}

/* First those who were alive, then some of those who had failed. */
static void note_candidates(struct serf_snapshot *snapshot)
{
    const struct serf_snapshot_state *state = &snapshot->state;
    size_t max;

    snapshot->candidates =
        base_calloc(state->alive.count + state->failed.count + 1,
                    sizeof(snapshot->candidates[0]));
    add_candidates(snapshot, &state->alive);
    max = snapshot->candidate_count + FAILED_CANDIDATES_MAX;
    add_candidates(snapshot, &state->failed);
    while (snapshot->candidate_count > max)
        base_free(snapshot->candidates[--snapshot->candidate_count]);
}

/* What the last run left, applied. */
static int restore(struct serf_snapshot *snapshot,
                   const struct base_buf *content)
{
    struct gossip_serf *serf = snapshot->serf;
    struct serf_snapshot_state *state = &snapshot->state;
    size_t whole;
    size_t bad;

    serf_snapshot_read(state, (const char *)base_buf_data(content),
                       base_buf_len(content), snapshot->rejoin_after_leave,
                       &bad, &whole);
    if (bad > 0)
        base_log(&serf->log, BASE_LOG_WARN, "snapshot lines skipped",
                 kv_uint("lines", bad));
    serf_lamport_witness(&serf->clock, state->clock);
    serf_lamport_witness(&serf->event_clock, state->event_clock);
    serf_lamport_witness(&serf->query_clock, state->query_clock);
    serf->events.min_time = state->event_clock + 1;
    serf->queries.min_time = state->query_clock + 1;
    note_candidates(snapshot);
    if (whole == base_buf_len(content))
        return 0;
    base_log(&serf->log, BASE_LOG_WARN, "snapshot ends in half a line");
    return serf_snapshot_file_cut(snapshot->file, whole);
}

static void free_candidates(struct serf_snapshot *snapshot)
{
    size_t i;

    for (i = 0; i < snapshot->candidate_count; i++)
        base_free(snapshot->candidates[i]);
    base_free(snapshot->candidates);
    snapshot->candidates = NULL;
    snapshot->candidate_count = 0;
}

int serf_snapshot_new(struct gossip_serf *serf, const char *path,
                      bool rejoin_after_leave, struct serf_snapshot **out)
{
    struct base_buf content = BASE_BUF_INIT;
    struct serf_snapshot *snapshot;
    int rv;

    BASE_NEW(snapshot);
    snapshot->serf = serf;
    snapshot->rejoin_after_leave = rejoin_after_leave;
    snapshot->dropped_counter = base_metrics_counter(
        serf->env->metrics, "isthmus.gossip.snapshot.dropped", NULL, NULL);
    serf_snapshot_state_init(&snapshot->state, base_env_random_u64(serf->env));
    base_timer_init(&snapshot->timer, serf->env, "serf-snapshot", on_timer,
                    snapshot);
    rv = serf_snapshot_file_open(serf->env, path, &content, &snapshot->file);
    if (rv == 0)
        rv = restore(snapshot, &content);
    base_buf_close(&content);
    if (rv < 0) {
        serf_snapshot_free(snapshot);
        return rv;
    }
    base_timer_start_ms(&snapshot->timer, FLUSH_MS);
    *out = snapshot;
    return 0;
}

void serf_snapshot_free(struct serf_snapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    base_timer_stop(&snapshot->timer);
    if (snapshot->file != NULL) {
        note_member_clock(snapshot);
        serf_snapshot_file_finish(snapshot->file, &snapshot->lines);
    }
    base_buf_close(&snapshot->lines);
    free_candidates(snapshot);
    serf_snapshot_state_close(&snapshot->state);
    base_free(snapshot);
}

static void try_next(struct serf_snapshot *snapshot);

static void on_tried(void *arg, int status)
{
    struct serf_snapshot *snapshot = arg;

    if (status == 0) {
        base_log(&snapshot->serf->log, BASE_LOG_INFO,
                 "rejoined the pool of the last run");
        free_candidates(snapshot);
        if (snapshot->serf->state == GOSSIP_SERF_ALIVE)
            serf_broadcast_join(snapshot->serf);
        return;
    }
    try_next(snapshot);
}

static void try_next(struct serf_snapshot *snapshot)
{
    while (snapshot->candidate_next < snapshot->candidate_count &&
           snapshot->serf->state == GOSSIP_SERF_ALIVE) {
        const struct serf_known *known =
            snapshot->candidates[snapshot->candidate_next++];
        struct gossip_peer peer = {known->name, known->addr};

        if (gossip_memberlist_join(snapshot->serf->memberlist, &peer, on_tried,
                                   snapshot) == 0)
            return;
    }
    free_candidates(snapshot);
}

void serf_snapshot_rejoin(struct serf_snapshot *snapshot)
{
    if (snapshot != NULL)
        try_next(snapshot);
}

uint64_t serf_snapshot_dropped(const struct serf_snapshot *snapshot)
{
    return snapshot == NULL ? 0 : snapshot->dropped;
}
