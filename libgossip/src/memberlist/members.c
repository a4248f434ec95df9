/* The member table; see members.h. */
#include "memberlist/members.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"

#define INDEX_MIN 16u

static struct ml_member *slot_at(const struct ml_members *members, uint32_t id)
{
    return &members->chunks[id / ML_CHUNK][id % ML_CHUNK];
}

static void index_alloc(struct ml_members *members, size_t count)
{
    members->index = base_alloc(count * sizeof(*members->index));
    memset(members->index, 0xff, count * sizeof(*members->index));
    members->index_count = count;
}

void ml_members_init(struct ml_members *members,
                     struct gossip_records *records)
{
    memset(members, 0, sizeof(*members));
    members->records = ml_records_ref(records);
    members->free_slot = ML_NO_SLOT;
    index_alloc(members, INDEX_MIN);
}

void ml_members_close(struct ml_members *members)
{
    size_t i;

    for (i = 0; i < members->count; i++)
        ml_record_unref(ml_members_at(members, i)->record);
    for (i = 0; i < members->chunk_count; i++)
        base_free(members->chunks[i]);
    base_free(members->chunks);
    base_free(members->index);
    base_free(members->ring);
    ml_records_unref(members->records);
    memset(members, 0, sizeof(*members));
}

struct ml_member *ml_members_find(const struct ml_members *members,
                                  struct mp_bytes name)
{
    uint32_t hash = ml_records_name_hash(members->records, name);
    size_t mask = members->index_count - 1;
    size_t at;

    for (at = hash & mask; members->index[at].id != ML_NO_SLOT;
         at = (at + 1) & mask) {
        struct ml_member *member;

        if (members->index[at].hash != hash)
            continue;
        member = slot_at(members, members->index[at].id);
        if (member->record->name_len == name.len &&
            memcmp(member->record->bytes, name.data, name.len) == 0)
            return member;
    }
    return NULL;
}

static void index_put(struct ml_members *members,
                      const struct ml_member *member)
{
    uint32_t hash = member->record->name_hash;
    size_t mask = members->index_count - 1;
    size_t at = hash & mask;

    while (members->index[at].id != ML_NO_SLOT)
        at = (at + 1) & mask;
    members->index[at] = (struct ml_index_slot){hash, member->id};
}

static void index_resize(struct ml_members *members, size_t count)
{
    size_t i;

    base_free(members->index);
    index_alloc(members, count);
    for (i = 0; i < members->count; i++)
        index_put(members, ml_members_at(members, i));
}

static void index_remove(struct ml_members *members,
                         const struct ml_member *member)
{
    size_t mask = members->index_count - 1;
    size_t hole = member->record->name_hash & mask;
    size_t at;

    while (members->index[hole].id != member->id)
        hole = (hole + 1) & mask;
    for (at = (hole + 1) & mask; members->index[at].id != ML_NO_SLOT;
         at = (at + 1) & mask) {
        size_t home = members->index[at].hash & mask;

        if (((at - home) & mask) >= ((at - hole) & mask)) {
            members->index[hole] = members->index[at];
            hole = at;
        }
    }
    members->index[hole].id = ML_NO_SLOT;
}

static void add_chunk(struct ml_members *members)
{
    uint32_t base = (uint32_t)(members->chunk_count * ML_CHUNK);
    struct ml_member *chunk = base_calloc(ML_CHUNK, sizeof(*chunk));
    uint32_t i;

    members->chunks = base_reallocarray(
        members->chunks, members->chunk_count + 1, sizeof(*members->chunks));
    members->chunks[members->chunk_count++] = chunk;
    for (i = ML_CHUNK; i-- > 0;) {
        chunk[i].id = members->free_slot;
        members->free_slot = base + i;
    }
}

static struct ml_member *take_slot(struct ml_members *members)
{
    uint32_t id;
    struct ml_member *member;

    if (members->free_slot == ML_NO_SLOT)
        add_chunk(members);
    id = members->free_slot;
    member = slot_at(members, id);
    members->free_slot = member->id;
    memset(member, 0, sizeof(*member));
    member->id = id;
    return member;
}

/* Grows by a quarter: in a pool of pools, slack is most of a table. */
static void ring_append(struct ml_members *members, uint32_t id)
{
    if (members->count == members->ring_cap) {
        members->ring_cap += members->ring_cap / 4 + 8;
        members->ring = base_reallocarray(members->ring, members->ring_cap,
                                          sizeof(*members->ring));
    }
    members->ring[members->count++] = id;
}

static void ring_swap(struct ml_members *members, size_t a, size_t b)
{
    uint32_t id = members->ring[a];

    members->ring[a] = members->ring[b];
    members->ring[b] = id;
}

struct ml_member *ml_members_add(struct ml_members *members,
                                 struct base_env *env, struct ml_record *record)
{
    struct ml_member *member = take_slot(members);

    member->record = record;
    member->state = GOSSIP_DEAD;
    member->change_ns = base_env_now_ns(env);
    ring_append(members, member->id);
    ring_swap(members, members->count - 1,
              (size_t)base_env_random_below(env, members->count));
    if (members->count * 4 > members->index_count * 3)
        index_resize(members, members->index_count * 2);
    else
        index_put(members, member);
    members->version++;
    return member;
}

void ml_members_set_record(struct ml_members *members,
                           struct ml_member *member, struct ml_record *record)
{
    assert(member->record->name_hash == record->name_hash);
    ml_record_unref(member->record);
    member->record = record;
    members->version++;
}

static bool is_up(unsigned state)
{
    return state == GOSSIP_ALIVE || state == GOSSIP_SUSPECT;
}

void ml_members_set_state(struct ml_members *members, struct ml_member *member,
                          enum gossip_state state, uint64_t now_ns)
{
    members->alive_count -= is_up(member->state);
    members->alive_count += is_up(state);
    member->state = (uint8_t)state;
    member->change_ns = now_ns;
    members->version++;
}

static void drop(struct ml_members *members, struct ml_member *member)
{
    uint32_t id = member->id;

    index_remove(members, member);
    ml_record_unref(member->record);
    memset(member, 0, sizeof(*member));
    member->id = members->free_slot;
    members->free_slot = id;
}

static void shuffle(uint32_t *ids, size_t count, struct base_env *env)
{
    size_t i;

    for (i = count; i > 1; i--) {
        size_t other = (size_t)base_env_random_below(env, i);
        uint32_t id = ids[i - 1];

        ids[i - 1] = ids[other];
        ids[other] = id;
    }
}

size_t ml_members_reset(struct ml_members *members, struct base_env *env,
                        uint64_t before_ns)
{
    size_t kept = 0, i, gone;

    for (i = 0; i < members->count; i++) {
        struct ml_member *member = ml_members_at(members, i);

        if (!is_up(member->state) && member->change_ns < before_ns)
            drop(members, member);
        else
            members->ring[kept++] = members->ring[i];
    }
    gone = members->count - kept;
    members->count = kept;
    if (gone > 0)
        members->version++;
    if (members->index_count > INDEX_MIN &&
        members->count * 8 < members->index_count)
        index_resize(members, members->index_count / 2);
    shuffle(members->ring, members->count, env);
    return gone;
}

/* Few members: a shuffled copy finds every eligible one (gossip.md 9.16). */
static size_t random_few(const struct ml_members *members,
                         struct base_env *env, size_t count,
                         bool (*keep)(void *arg, const struct ml_member *m),
                         void *arg, struct ml_member **out)
{
    uint32_t *ids = base_alloc((members->count + 1) * sizeof(*ids));
    size_t found = 0, i;

    memcpy(ids, members->ring, members->count * sizeof(*ids));
    shuffle(ids, members->count, env);
    for (i = 0; i < members->count && found < count; i++)
        if (keep(arg, slot_at(members, ids[i])))
            out[found++] = slot_at(members, ids[i]);
    base_free(ids);
    return found;
}

static bool is_chosen(struct ml_member *const *out, size_t found,
                      const struct ml_member *member)
{
    size_t i;

    for (i = 0; i < found; i++)
        if (out[i] == member)
            return true;
    return false;
}

size_t ml_members_random(const struct ml_members *members,
                         struct base_env *env, size_t count,
                         bool (*keep)(void *arg, const struct ml_member *m),
                         void *arg, struct ml_member **out)
{
    size_t found = 0, draws;

    if (members->count == 0 || count == 0)
        return 0;
    if (members->count < 3 * count)
        return random_few(members, env, count, keep, arg, out);
    for (draws = 3 * members->count; draws > 0 && found < count; draws--) {
        struct ml_member *member = ml_members_at(
            members, (size_t)base_env_random_below(env, members->count));

        if (keep(arg, member) && !is_chosen(out, found, member))
            out[found++] = member;
    }
    return found;
}

void ml_members_check(const struct ml_members *members)
{
    size_t alive = 0, i;

    for (i = 0; i < members->count; i++) {
        const struct ml_member *member = ml_members_at(members, i);
        struct mp_bytes name = {(const uint8_t *)member->record->bytes,
                                member->record->name_len};

        assert(ml_members_find(members, name) == member);
        assert(member->record->refs > 0);
        alive += is_up(member->state);
    }
    assert(alive == members->alive_count);
}
