/* Restores in the log: their entries, and which one is open. */
#include "restore_part.h"

#include <string.h>

#include "raft/error.h"

void restore_part_pack(const struct restore_part *part, struct base_buf *out)
{
    base_buf_append_u8(out, (uint8_t)part->kind);
    base_buf_append_u64be(out, part->id);
    base_buf_append_u64be(out, part->offset);
    base_buf_append_u32be(out, part->checksum);
    if (part->len > 0)
        base_buf_append(out, part->data, part->len);
}

int restore_part_unpack(const struct raft_entry *entry,
                        struct restore_part *out)
{
    struct base_cursor cursor = base_cursor_of(entry->data, entry->len);
    uint8_t kind = base_cursor_u8(&cursor);

    out->kind = (enum restore_kind)kind;
    out->id = base_cursor_u64be(&cursor);
    out->offset = base_cursor_u64be(&cursor);
    out->checksum = base_cursor_u32be(&cursor);
    if (cursor.failed || kind < RESTORE_PIECE || kind > RESTORE_GIVEN_UP ||
        out->id == 0)
        return RAFT_EDECODE;
    out->len = base_cursor_left(&cursor);
    out->data = base_cursor_bytes(&cursor, out->len);
    return 0;
}

static void piece(struct restore_track *track, const struct raft_entry *entry,
                  const struct restore_part *part)
{
    if (part->offset == 0)
        *track = (struct restore_track){
            .id = part->id, .term = entry->term, .first = entry->index};
    if (part->id == track->id && part->offset == track->len)
        track->len += part->len;
}

int restore_track_entry(struct restore_track *track,
                        const struct raft_entry *entry)
{
    struct restore_part part;

    /* Only the leader that began one ends it, and this is another's. */
    if (entry->term != track->term)
        *track = (struct restore_track){0};
    if (entry->type != RAFT_ENTRY_RESTORE)
        return 0;
    if (restore_part_unpack(entry, &part) < 0)
        return RAFT_EDECODE;
    if (part.kind == RESTORE_PIECE) {
        piece(track, entry, &part);
        return 0;
    }
    if (part.kind == RESTORE_END && part.id == track->id &&
        part.offset == track->len)
        return 1;
    *track = (struct restore_track){0};
    return 0;
}
