/* Two checksummed slots in a file. */
#include "sqlite_side.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "crc32c.h"
#include "raft/error.h"

#define SLOT_BYTES 512u
#define SLOT_SPACING 4096
#define SUMMED_BYTES 184u

static const char magic[8] = {'i', 's', 't', 'h', 's', 'i', 'd', '2'};

static void put_u64(uint8_t *at, uint64_t value)
{
    unsigned i;

    for (i = 0; i < 8; i++)
        at[i] = (uint8_t)(value >> (56 - 8 * i));
}

static void slot_encode(const struct side_file *side,
                        const struct side_record *record, uint64_t sequence,
                        uint8_t slot[SLOT_BYTES])
{
    uint32_t sum;

    memset(slot, 0, SLOT_BYTES);
    memcpy(slot, magic, sizeof(magic));
    put_u64(slot + 8, sequence);
    put_u64(slot + 16, record->term);
    memcpy(slot + 24, record->voted_for, RAFT_ID_MAX);
    put_u64(slot + 88, record->last_index);
    put_u64(slot + 96, record->repair_until);
    put_u64(slot + 104, record->last_term);
    put_u64(slot + 112, record->behind);
    memcpy(slot + 120, side->server_id, RAFT_ID_MAX);
    sum = crc32c(0, slot, SUMMED_BYTES);
    slot[SUMMED_BYTES] = (uint8_t)(sum >> 24);
    slot[SUMMED_BYTES + 1] = (uint8_t)(sum >> 16);
    slot[SUMMED_BYTES + 2] = (uint8_t)(sum >> 8);
    slot[SUMMED_BYTES + 3] = (uint8_t)sum;
}

static bool slot_decode(const uint8_t slot[SLOT_BYTES],
                        struct side_record *record, uint64_t *sequence,
                        char server_id[RAFT_ID_MAX])
{
    struct base_cursor cursor = base_cursor_of(slot, SLOT_BYTES);
    const uint8_t *found = base_cursor_bytes(&cursor, sizeof(magic));

    if (memcmp(found, magic, sizeof(magic)) != 0)
        return false;
    *sequence = base_cursor_u64be(&cursor);
    record->term = base_cursor_u64be(&cursor);
    memcpy(record->voted_for, base_cursor_bytes(&cursor, RAFT_ID_MAX),
           RAFT_ID_MAX);
    record->last_index = base_cursor_u64be(&cursor);
    record->repair_until = base_cursor_u64be(&cursor);
    record->last_term = base_cursor_u64be(&cursor);
    record->behind = base_cursor_u64be(&cursor) != 0;
    memcpy(server_id, base_cursor_bytes(&cursor, RAFT_ID_MAX), RAFT_ID_MAX);
    return base_cursor_u32be(&cursor) == crc32c(0, slot, SUMMED_BYTES) &&
           record->voted_for[RAFT_ID_MAX - 1] == '\0' &&
           server_id[RAFT_ID_MAX - 1] == '\0';
}

static int read_slots(struct side_file *side)
{
    bool newer = false;
    int i, used = 0;

    for (i = 0; i < 2; i++) {
        uint8_t slot[SLOT_BYTES];
        struct side_record record;
        uint64_t sequence;
        char server_id[RAFT_ID_MAX];
        ssize_t got = pread(side->fd, slot, sizeof(slot),
                            (off_t)i * SLOT_SPACING);

        if (got < 0)
            return base_error_from_errno(errno);
        used += got > 0 && slot[0] != 0;
        newer = newer || (got == (ssize_t)sizeof(slot) &&
                          memcmp(slot, magic, 7) == 0 && slot[7] > magic[7]);
        if (got != (ssize_t)sizeof(slot) ||
            !slot_decode(slot, &record, &sequence, server_id))
            continue;
        if (!side->found || sequence > side->sequence) {
            side->found = true;
            side->safe_slot = i;
            side->sequence = sequence;
            side->record = record;
            memcpy(side->server_id, server_id, sizeof(side->server_id));
        }
    }
    if (newer && !side->found)
        return RAFT_EFORMAT;
    /* One slot alone is the first write ever, torn: it promised nothing yet. */
    return used == 2 && !side->found ? RAFT_ECORRUPT : 0;
}

int side_open(struct side_file *side, const char *path)
{
    int rv;

    memset(side, 0, sizeof(*side));
    side->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (side->fd < 0)
        return base_error_from_errno(errno);
    rv = read_slots(side);
    /* A process that was killed may have left it written and not synced. */
    if (rv == 0 && side->found && fdatasync(side->fd) < 0)
        rv = RAFT_ESTORAGE;
    if (rv < 0)
        side_close(side);
    return rv;
}

int side_write(struct side_file *side, const struct side_record *record,
               bool sync)
{
    uint8_t slot[SLOT_BYTES];
    int slot_number = 1 - side->safe_slot;
    off_t at = (off_t)slot_number * SLOT_SPACING;

    slot_encode(side, record, side->sequence + 1, slot);
    if (pwrite(side->fd, slot, sizeof(slot), at) != (ssize_t)sizeof(slot))
        return RAFT_ESTORAGE;
    if (sync) {
        if (fdatasync(side->fd) < 0)
            return RAFT_ESTORAGE;
        side->safe_slot = slot_number;
    }
    side->sequence++;
    side->record = *record;
    return 0;
}

void side_close(struct side_file *side)
{
    if (side->fd >= 0)
        close(side->fd);
    side->fd = -1;
}
