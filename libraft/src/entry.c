/* Counted blocks, and the packed form of entries. */
#include "entry.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "crc32c.h"

/* A count in front of the bytes that users see. */
struct data_block {
    size_t refs;
    unsigned char bytes[];
};

static struct data_block *block_of(const void *data)
{
    return BASE_CONTAINER_OF(data, struct data_block, bytes);
}

void *raft_data_new(size_t len)
{
    struct data_block *block = base_alloc(sizeof(*block) + len);

    block->refs = 1;
    return block->bytes;
}

void *raft_data_dup(const void *data, size_t len)
{
    void *copy = raft_data_new(len);

    if (len > 0)
        memcpy(copy, data, len);
    return copy;
}

const void *raft_data_ref(const void *data)
{
    block_of(data)->refs++;
    return data;
}

void raft_data_unref(const void *data)
{
    struct data_block *block;

    if (data == NULL)
        return;
    block = block_of(data);
    assert(block->refs > 0);
    if (--block->refs == 0)
        base_free(block);
}

static void put_u32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

static void put_u64(uint8_t *at, uint64_t value)
{
    put_u32(at, (uint32_t)(value >> 32));
    put_u32(at + 4, (uint32_t)value);
}

static void header_fill(const struct raft_entry *entry,
                        uint8_t out[ENTRY_HEADER_BYTES])
{
    put_u32(out, entry->checksum);
    put_u32(out + 4, (uint32_t)entry->len);
    put_u64(out + 8, entry->index);
    put_u64(out + 16, entry->term);
    out[24] = (uint8_t)entry->type;
}

uint32_t entry_checksum(const struct raft_entry *entry)
{
    uint8_t header[ENTRY_HEADER_BYTES];

    header_fill(entry, header);
    return crc32c(crc32c(0, header + 4, sizeof(header) - 4), entry->data,
                  entry->len);
}

void entry_pack(const struct raft_entry *entry, struct base_buf *out)
{
    size_t len = entry_packed_len(entry);
    uint8_t *at = base_buf_reserve(out, len);

    header_fill(entry, at);
    if (entry->len > 0)
        memcpy(at + ENTRY_HEADER_BYTES, entry->data, entry->len);
    base_buf_commit(out, len);
}

bool entries_end(const struct base_cursor *from)
{
    size_t left = base_cursor_left(from);
    size_t i;

    for (i = 0; i < left; i++) {
        if (from->at[i] != 0)
            return false;
    }
    return true;
}

int entry_unpack(struct base_cursor *from, struct raft_entry *out)
{
    uint8_t type;

    out->checksum = base_cursor_u32be(from);
    out->len = base_cursor_u32be(from);
    out->index = base_cursor_u64be(from);
    out->term = base_cursor_u64be(from);
    type = base_cursor_u8(from);
    if (from->failed || out->len > RAFT_ENTRY_BYTES_MAX)
        return RAFT_EDECODE;
    out->data = base_cursor_bytes(from, out->len);
    if (from->failed)
        return RAFT_EDECODE;
    out->type = (enum raft_entry_type)type;
    if (entry_checksum(out) != out->checksum)
        return RAFT_ECORRUPT;
    if (type < RAFT_ENTRY_COMMAND || type > RAFT_ENTRY_RESTORE)
        return RAFT_EDECODE;
    return 0;
}

/* How many there are at most; each takes a header. */
static size_t entries_bound(size_t len)
{
    return len / ENTRY_HEADER_BYTES;
}

int entries_unpack(const void *data, size_t len, struct raft_entry **out,
                   size_t *count)
{
    struct base_cursor cursor = base_cursor_of(data, len);
    struct raft_entry *entries;
    size_t filled = 0;
    size_t cap = 0;
    int rv = 0;

    *out = NULL;
    *count = 0;
    if (len == 0)
        return 0;
    entries = NULL;
    while (rv == 0 && base_cursor_left(&cursor) > 0) {
        if (filled == cap) {
            cap = cap == 0 ? 16 : cap * 2;
            if (cap > entries_bound(len) + 1)
                cap = entries_bound(len) + 1;
            entries = base_reallocarray(entries, cap, sizeof(*entries));
        }
        rv = entry_unpack(&cursor, &entries[filled]);
        if (rv == 0) {
            entries[filled].data =
                raft_data_dup(entries[filled].data, entries[filled].len);
            filled++;
        }
    }
    if (rv < 0) {
        entries_free(entries, filled);
        return rv;
    }
    *out = entries;
    *count = filled;
    return 0;
}

void entries_free(struct raft_entry *entries, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        raft_data_unref(entries[i].data);
    base_free(entries);
}
