/*
 * What peers send. The first byte chooses: bytes as they are, or a message of
 * one type made from them, so that the fuzzer gets behind checksums, and then
 * one byte of it changed.
 * Property: what decodes packs, and decodes and packs again to the same bytes.
 * needs: raft base
 * covers: libraft/src/message.c
 * covers: libraft/src/entry.c
 */
#include "fuzz.h"

#include "base/alloc.h"
#include "entry.h"
#include "raft/message.h"

enum { TYPE_MASK = 15, CHANGE = 16, BAD_CLUSTER = 32 };

static uint64_t number(struct base_cursor *cursor)
{
    uint8_t size = base_cursor_u8(cursor);

    /* Small ones are the interesting ones. */
    return size < 250 ? size : base_cursor_u64be(cursor);
}

static void make_append(struct base_cursor *cursor, struct raft_message *m)
{
    size_t count = base_cursor_u8(cursor) % 5;
    size_t i;

    m->u.append.prev_index = number(cursor);
    m->u.append.prev_term = number(cursor);
    m->u.append.commit = number(cursor);
    m->u.append.round = number(cursor);
    m->u.append.renew = number(cursor);
    m->u.append.renew_index = number(cursor);
    if (count > 0)
        m->u.append.entries = base_calloc(count, sizeof(struct raft_entry));
    m->u.append.entry_count = count;
    for (i = 0; i < count; i++) {
        struct raft_entry *entry = &m->u.append.entries[i];

        entry->index = m->u.append.prev_index + 1 + i +
                       (base_cursor_u8(cursor) == 255);
        entry->term = number(cursor);
        entry->type = (enum raft_entry_type)(base_cursor_u8(cursor) % 6);
        entry->len = base_cursor_u8(cursor) % 40;
        if (entry->len > base_cursor_left(cursor))
            entry->len = base_cursor_left(cursor);
        entry->data = raft_data_dup(cursor->at, entry->len);
        (void)base_cursor_bytes(cursor, entry->len);
        entry->checksum = entry_checksum(entry);
    }
}

static void make_snapshot(struct base_cursor *cursor, struct raft_message *m)
{
    struct raft_configuration *configuration;
    uint32_t i;

    BASE_NEW(configuration);
    configuration->server_count = base_cursor_u8(cursor) % 4;
    for (i = 0; i < configuration->server_count; i++)
        configuration->servers[i].id[0] = (char)base_cursor_u8(cursor);
    m->u.snapshot.index = number(cursor);
    m->u.snapshot.term = number(cursor);
    m->u.snapshot.configuration_index = number(cursor);
    m->u.snapshot.configuration = configuration;
    m->u.snapshot.offset = number(cursor);
    m->u.snapshot.last = base_cursor_u8(cursor) % 2;
    m->u.snapshot.round = number(cursor);
    m->u.snapshot.len = base_cursor_left(cursor);
    m->u.snapshot.data =
        base_memdup(cursor->at, base_cursor_left(cursor));
}

static void make(struct base_cursor *cursor, struct raft_message *m)
{
    m->term = number(cursor);
    memcpy(m->from, "s1", 3);
    memcpy(m->to, "s2", 3);
    switch (m->type) {
    case RAFT_MESSAGE_VOTE_REQUEST:
        m->u.vote.last_index = number(cursor);
        m->u.vote.last_term = number(cursor);
        m->u.vote.pre = base_cursor_u8(cursor) % 2;
        break;
    case RAFT_MESSAGE_VOTE_REPLY:
        m->u.vote_reply.granted = base_cursor_u8(cursor) % 2;
        break;
    case RAFT_MESSAGE_APPEND:
        make_append(cursor, m);
        break;
    case RAFT_MESSAGE_APPEND_REPLY:
        m->u.append_reply.rejected = base_cursor_u8(cursor) % 2;
        m->u.append_reply.match = number(cursor);
        m->u.append_reply.behind = number(cursor);
        break;
    case RAFT_MESSAGE_SNAPSHOT:
        make_snapshot(cursor, m);
        break;
    case RAFT_MESSAGE_SNAPSHOT_REPLY:
        m->u.snapshot_reply.index = number(cursor);
        m->u.snapshot_reply.offset = number(cursor);
        break;
    case RAFT_MESSAGE_TIMEOUT_NOW:
        break;
    }
}

static void round_trip(const void *data, size_t len)
{
    struct base_buf first = BASE_BUF_INIT, second = BASE_BUF_INIT;
    char cluster[RAFT_ID_MAX];
    struct raft_message message;

    if (raft_message_unpack(data, len, &message, cluster) < 0) {
        raft_message_close(&message);
        return;
    }
    FUZZ_REQUIRE(strlen(message.from) < RAFT_ID_MAX);
    FUZZ_REQUIRE(raft_message_type_name(message.type) != NULL);
    raft_message_pack(&message, cluster, &first);
    raft_message_close(&message);
    FUZZ_REQUIRE(raft_message_unpack(base_buf_data(&first),
                                     base_buf_len(&first), &message,
                                     cluster) == 0);
    raft_message_pack(&message, cluster, &second);
    raft_message_close(&message);
    FUZZ_REQUIRE(base_buf_len(&first) == base_buf_len(&second) &&
                 memcmp(base_buf_data(&first), base_buf_data(&second),
                        base_buf_len(&first)) == 0);
    base_buf_close(&first);
    base_buf_close(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct base_cursor cursor = base_cursor_of(data, len);
    uint8_t how = base_cursor_u8(&cursor);
    uint8_t change = base_cursor_u8(&cursor);
    struct raft_message message = {.type = how & TYPE_MASK};
    struct base_buf packed = BASE_BUF_INIT;
    char long_name[100];

    if (len < 2)
        return 0;
    if (message.type < RAFT_MESSAGE_VOTE_REQUEST ||
        message.type > RAFT_MESSAGE_TIMEOUT_NOW) {
        round_trip(cursor.at, base_cursor_left(&cursor));
        return 0;
    }
    memset(long_name, 'x', sizeof(long_name));
    long_name[99] = '\0';
    make(&cursor, &message);
    raft_message_pack(&message, how & BAD_CLUSTER ? long_name : "c1", &packed);
    raft_message_close(&message);
    if (how & CHANGE)
        ((uint8_t *)base_buf_data(&packed))[change % base_buf_len(&packed)] ^=
            (uint8_t)(1u << (change % 8));
    round_trip(base_buf_data(&packed), base_buf_len(&packed));
    base_buf_close(&packed);
    return 0;
}
