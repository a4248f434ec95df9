/* Interned facts about nodes; see records.h. */
#include "memberlist/records.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "gossip/memberlist.h"
#include "memberlist/lzw.h"

#define SLOTS_MIN 16u

struct gossip_records {
    struct ml_record **slots; /* open addressing, at most 3/4 full */
    size_t slot_count;        /* a power of two */
    size_t count;
    uint64_t seed;
    uint32_t refs; /* users and records */
    struct lzw_encoder *encoder; /* NULL until used */
    struct lzw_decoder *decoder;
};

struct gossip_records *ml_records_new(uint64_t seed)
{
    struct gossip_records *records;

    BASE_NEW(records);
    records->slot_count = SLOTS_MIN;
    records->slots = base_calloc(SLOTS_MIN, sizeof(*records->slots));
    records->seed = seed;
    records->refs = 1;
    return records;
}

struct gossip_records *gossip_records_new(uint64_t seed)
{
    return ml_records_new(seed);
}

void gossip_records_free(struct gossip_records *records)
{
    ml_records_unref(records);
}

struct gossip_records *ml_records_ref(struct gossip_records *records)
{
    records->refs++;
    return records;
}

void ml_records_unref(struct gossip_records *records)
{
    if (records == NULL || --records->refs > 0)
        return;
    assert(records->count == 0);
    lzw_encoder_free(records->encoder);
    lzw_decoder_free(records->decoder);
    base_free(records->slots);
    base_free(records);
}

/* A keyed hash by multiplication, eight bytes at a time: a peer that cannot
 * see the seed cannot choose names that collide. */
static uint64_t hash_bytes(uint64_t hash, const void *data, size_t len)
{
    const uint8_t *at = data;

    hash ^= len * UINT64_C(0x9e3779b97f4a7c15);
    while (len > 0) {
        uint64_t word = 0;
        size_t step = len < 8 ? len : 8;

        memcpy(&word, at, step);
        hash = (hash ^ word) * UINT64_C(0xd6e8feb86659fd93);
        hash ^= hash >> 32;
        at += step;
        len -= step;
    }
    return hash;
}

static uint32_t fold(uint64_t hash)
{
    hash *= UINT64_C(0xd6e8feb86659fd93);
    return (uint32_t)(hash >> 32);
}

uint32_t ml_records_name_hash(const struct gossip_records *records,
                              struct mp_bytes name)
{
    return fold(hash_bytes(records->seed, name.data, name.len));
}

static uint32_t facts_hash(const struct gossip_records *records,
                           const struct ml_facts *facts)
{
    uint64_t hash = hash_bytes(records->seed, facts->name.data,
                               facts->name.len);

    hash = hash_bytes(hash, facts->addr.ip, sizeof(facts->addr.ip));
    hash = hash_bytes(hash, &facts->addr.port, sizeof(facts->addr.port));
    hash = hash_bytes(hash, facts->vsn, ML_VSN_BYTES);
    return fold(hash_bytes(hash, facts->meta.data, facts->meta.len));
}

static bool is_same(const struct ml_record *record,
                    const struct ml_facts *facts)
{
    return record->name_len == facts->name.len &&
           record->meta_len == facts->meta.len &&
           record->has_meta == (facts->meta.data != NULL) &&
           memcmp(record->bytes, facts->name.data, facts->name.len) == 0 &&
           (facts->meta.len == 0 || memcmp(ml_record_meta(record),
                                           facts->meta.data,
                                           facts->meta.len) == 0) &&
           base_addr_equal(&record->addr, &facts->addr) &&
           memcmp(record->vsn, facts->vsn, ML_VSN_BYTES) == 0;
}

static struct ml_record *record_new(struct gossip_records *records,
                                    const struct ml_facts *facts,
                                    uint32_t hash)
{
    struct ml_record *record = base_calloc(
        1, sizeof(*record) + facts->name.len + 1 + facts->meta.len);

    assert(facts->name.len <= UINT16_MAX && facts->meta.len <= UINT16_MAX);
    record->owner = ml_records_ref(records);
    record->refs = 1;
    record->hash = hash;
    record->name_hash = ml_records_name_hash(records, facts->name);
    record->addr = facts->addr;
    memcpy(record->vsn, facts->vsn, ML_VSN_BYTES);
    record->name_len = (uint16_t)facts->name.len;
    record->meta_len = (uint16_t)facts->meta.len;
    record->has_meta = facts->meta.data != NULL;
    memcpy(record->bytes, facts->name.data, facts->name.len);
    if (facts->meta.len > 0)
        memcpy(record->bytes + facts->name.len + 1, facts->meta.data,
               facts->meta.len);
    return record;
}

static void place(struct gossip_records *records, struct ml_record *record)
{
    size_t at = record->hash & (records->slot_count - 1);

    while (records->slots[at] != NULL)
        at = (at + 1) & (records->slot_count - 1);
    records->slots[at] = record;
}

static void resize(struct gossip_records *records, size_t slot_count)
{
    struct ml_record **old = records->slots;
    size_t old_count = records->slot_count;
    size_t i;

    records->slots = base_calloc(slot_count, sizeof(*records->slots));
    records->slot_count = slot_count;
    for (i = 0; i < old_count; i++)
        if (old[i] != NULL)
            place(records, old[i]);
    base_free(old);
}

struct ml_record *ml_records_intern(struct gossip_records *records,
                                    const struct ml_facts *facts, bool *made)
{
    uint32_t hash = facts_hash(records, facts);
    size_t at = hash & (records->slot_count - 1);
    struct ml_record *record;

    if (made != NULL)
        *made = false;
    for (; (record = records->slots[at]) != NULL;
         at = (at + 1) & (records->slot_count - 1))
        if (record->hash == hash && is_same(record, facts))
            return ml_record_ref(record);
    if ((records->count + 1) * 4 > records->slot_count * 3)
        resize(records, records->slot_count * 2);
    record = record_new(records, facts, hash);
    place(records, record);
    records->count++;
    if (made != NULL)
        *made = true;
    return record;
}

struct ml_record *ml_record_ref(struct ml_record *record)
{
    assert(record->refs > 0);
    record->refs++;
    return record;
}

/* Takes the slot out and moves up what would be unreachable behind it. */
static void unplace(struct gossip_records *records,
                    const struct ml_record *record)
{
    size_t mask = records->slot_count - 1;
    size_t hole = record->hash & mask;
    size_t at;

    while (records->slots[hole] != record)
        hole = (hole + 1) & mask;
    for (at = (hole + 1) & mask; records->slots[at] != NULL;
         at = (at + 1) & mask) {
        size_t home = records->slots[at]->hash & mask;

        if (((at - home) & mask) >= ((at - hole) & mask)) {
            records->slots[hole] = records->slots[at];
            hole = at;
        }
    }
    records->slots[hole] = NULL;
}

void ml_record_unref(struct ml_record *record)
{
    struct gossip_records *records;

    if (record == NULL || --record->refs > 0)
        return;
    records = record->owner;
    unplace(records, record);
    records->count--;
    if (records->slot_count > SLOTS_MIN &&
        records->count * 8 < records->slot_count)
        resize(records, records->slot_count / 2);
    base_free(record);
    ml_records_unref(records);
}

size_t ml_record_bytes(const struct ml_record *record)
{
    return sizeof(*record) + record->name_len + 1 + record->meta_len;
}

size_t ml_records_count(const struct gossip_records *records)
{
    return records->count;
}

struct lzw_encoder *ml_records_encoder(struct gossip_records *records)
{
    if (records->encoder == NULL)
        records->encoder = lzw_encoder_new();
    return records->encoder;
}

struct lzw_decoder *ml_records_decoder(struct gossip_records *records)
{
    if (records->decoder == NULL)
        records->decoder = lzw_decoder_new();
    return records->decoder;
}
