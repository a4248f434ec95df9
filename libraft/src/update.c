/* Filling updates, and freeing them. */
#include <string.h>

#include "base/alloc.h"
#include "core_internal.h"
#include "entry.h"

static void *grown(void *array, size_t count, size_t *cap, size_t size)
{
    if (count < *cap)
        return array;
    *cap = *cap == 0 ? 8 : *cap * 2;
    return base_reallocarray(array, *cap, size);
}

static void message_begin(const struct raft *core, struct raft_message *m,
                          enum raft_message_type type, const char *to)
{
    memset(m, 0, sizeof(*m));
    m->type = type;
    m->term = core->term;
    memcpy(m->from, core->id, sizeof(m->from));
    text_copy(m->to, sizeof(m->to), to);
}

struct raft_message *update_now(struct raft *core, struct raft_update *update,
                                enum raft_message_type type, const char *to)
{
    struct raft_message *m;

    update->messages_now =
        grown(update->messages_now, update->now_count, &update->now_cap,
              sizeof(*update->messages_now));
    m = &update->messages_now[update->now_count++];
    message_begin(core, m, type, to);
    return m;
}

struct raft_message *update_after(struct raft *core,
                                  struct raft_update *update,
                                  enum raft_message_type type, const char *to)
{
    struct raft_message *m;

    update->messages_after =
        grown(update->messages_after, update->after_count, &update->after_cap,
              sizeof(*update->messages_after));
    m = &update->messages_after[update->after_count++];
    message_begin(core, m, type, to);
    return m;
}

void update_entry(struct raft_update *update, const struct raft_entry *entry)
{
    update->entries = grown(update->entries, update->entry_count,
                            &update->entry_cap, sizeof(*update->entries));
    update->entries[update->entry_count] = *entry;
    raft_data_ref(entry->data);
    update->entry_count++;
}

void update_read(struct raft_update *update, uint64_t id, int status,
                 raft_index index, uint64_t until_ms)
{
    update->reads = grown(update->reads, update->read_count, &update->read_cap,
                          sizeof(*update->reads));
    update->reads[update->read_count++] =
        (struct raft_read_ready){id, status, index, until_ms};
}

void update_want(struct raft *core, struct raft_update *update,
                 struct progress *peer)
{
    struct raft_snapshot_want *want;

    update->wants = grown(update->wants, update->want_count, &update->want_cap,
                          sizeof(*update->wants));
    want = &update->wants[update->want_count++];
    memcpy(want->to, peer->id, sizeof(want->to));
    want->term = core->term;
    want->offset = peer->snapshot_sent;
    want->round = core->round;
    peer->snapshot_sent += RAFT_SNAPSHOT_CHUNK_MAX;
    peer->snapshot_asked_ms = core->now_ms;
}

void update_fetch(struct raft *core, struct raft_update *update,
                  struct progress *peer)
{
    struct raft_entries_want *want;

    update->fetches =
        grown(update->fetches, update->fetch_count, &update->fetch_cap,
              sizeof(*update->fetches));
    want = &update->fetches[update->fetch_count++];
    memcpy(want->to, peer->id, sizeof(want->to));
    want->term = core->term;
    want->first = peer->next;
    peer->reading = true;
}

static void close_messages(struct raft_message *messages, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        raft_message_close(&messages[i]);
    base_free(messages);
}

void raft_update_close(struct raft_update *update)
{
    close_messages(update->messages_now, update->now_count);
    close_messages(update->messages_after, update->after_count);
    entries_free(update->entries, update->entry_count);
    base_free(update->reads);
    base_free(update->wants);
    base_free(update->fetches);
    memset(update, 0, sizeof(*update));
}
