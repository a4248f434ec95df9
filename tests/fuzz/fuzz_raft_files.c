/*
 * The files beside the database: the side record and a snapshot. The first
 * byte chooses one, and whether it is what we wrote with a few bytes changed
 * (an offset and a byte each), or all of the fuzzer's.
 * Property: a record or a piece that is given was written by us: its bytes are
 * what its checksum says; all else is refused.
 * needs: raft base
 * covers: libraft/src/sqlite_side.c
 * covers: libraft/src/sqlite_snapshot.c
 */
#include "fuzz.h"

#include <fcntl.h>
#include <unistd.h>

#include "raft/error.h"
#include "sqlite_side.h"
#include "sqlite_snapshot.h"

#define CONTENT_BYTES 150000u

static char folder[64];
static char path[100];
static char other[100];

static void remove_all(void)
{
    unlink(path);
    unlink(other);
    rmdir(folder);
}

static void make_folder(void)
{
    if (folder[0] != '\0')
        return;
    snprintf(folder, sizeof(folder), "%s/raft-fuzz-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    FUZZ_REQUIRE(mkdtemp(folder) != NULL);
    snprintf(path, sizeof(path), "%s/file", folder);
    snprintf(other, sizeof(other), "%s/new", folder);
    atexit(remove_all);
}

static void put_all(const uint8_t *data, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    FUZZ_REQUIRE(write(fd, data, len) == (ssize_t)len);
    close(fd);
}

/* Four bytes a change: where, in 24 bits, and what. */
static void change(const uint8_t *data, size_t len)
{
    int fd = open(path, O_WRONLY);
    off_t size = lseek(fd, 0, SEEK_END);

    for (; len >= 4 && size > 0; data += 4, len -= 4) {
        off_t at = (data[0] << 16 | data[1] << 8 | data[2]) % size;

        FUZZ_REQUIRE(pwrite(fd, data + 3, 1, at) == 1);
    }
    if (len == 1)
        FUZZ_REQUIRE(ftruncate(fd, size * data[0] / 256) == 0);
    close(fd);
}

/* ---- the side record ---- */

static void write_side(void)
{
    struct side_record record = {.term = 7, .voted_for = "s1"};
    struct side_file side;

    unlink(path);
    FUZZ_REQUIRE(side_open(&side, path) == 0);
    for (record.last_index = 1; record.last_index <= 3; record.last_index++)
        FUZZ_REQUIRE(side_write(&side, &record, record.last_index != 2) == 0);
    side_close(&side);
}

static void read_side(bool ours)
{
    struct side_file side;
    int rv = side_open(&side, path);

    FUZZ_REQUIRE(rv <= 0);
    if (rv < 0)
        return;
    FUZZ_REQUIRE(strlen(side.record.voted_for) < RAFT_ID_MAX);
    if (ours && side.found) {
        FUZZ_REQUIRE(side.record.term == 7 && side.record.last_index >= 1 &&
                     side.record.last_index <= 3);
        FUZZ_REQUIRE(strcmp(side.record.voted_for, "s1") == 0);
    }
    FUZZ_REQUIRE(side_write(&side, &side.record, true) == 0);
    side_close(&side);
}

/* ---- a snapshot ---- */

static uint8_t content_at(uint64_t at)
{
    return (uint8_t)(at * 31 + at / 977);
}

static void write_snapshot(void)
{
    struct snapshot_writer writer = {.fd = -1};
    uint8_t piece[1000];
    size_t at, i;

    FUZZ_REQUIRE(snapshot_writer_open(&writer, other) == 0);
    for (at = 0; at < CONTENT_BYTES; at += sizeof(piece)) {
        for (i = 0; i < sizeof(piece); i++)
            piece[i] = content_at(at + i);
        FUZZ_REQUIRE(snapshot_writer_add(&writer, piece, sizeof(piece)) == 0);
    }
    FUZZ_REQUIRE(snapshot_writer_finish(&writer, path, folder) == 0);
}

/* Where nothing can be written, nothing is left behind. */
static void write_nowhere(void)
{
    struct snapshot_writer writer = {.fd = -1};

    FUZZ_REQUIRE(snapshot_writer_open(&writer, "/nowhere/at/all") < 0);
    FUZZ_REQUIRE(snapshot_writer_open(&writer, other) == 0);
    FUZZ_REQUIRE(snapshot_writer_add(&writer, "x", 1) == 0);
    FUZZ_REQUIRE(snapshot_writer_finish(&writer, "/nowhere/at/all", folder) <
                 0);
    FUZZ_REQUIRE(access(other, F_OK) < 0 && writer.fd < 0);
}

static void read_snapshot(bool ours)
{
    struct base_buf piece = BASE_BUF_INIT;
    uint64_t offset = 0;
    bool last = false;

    while (!last && offset <= CONTENT_BYTES) {
        size_t i;

        base_buf_reset(&piece);
        if (snapshot_file_read(path, offset, 50000, &piece, &last) < 0)
            break;
        for (i = 0; ours && i < base_buf_len(&piece); i++)
            FUZZ_REQUIRE(base_buf_data(&piece)[i] == content_at(offset + i));
        if (base_buf_len(&piece) == 0)
            break;
        offset += base_buf_len(&piece);
    }
    base_buf_reset(&piece);
    (void)snapshot_file_read(path, UINT64_MAX - 5, 10, &piece, &last);
    base_buf_close(&piece);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    bool side, ours;

    if (len == 0)
        return 0;
    make_folder();
    side = data[0] % 2 == 0;
    ours = data[0] % 4 < 2;
    if (!ours)
        put_all(data + 1, len - 1);
    else if (side)
        write_side();
    else
        write_snapshot();
    if (len == 1)
        write_nowhere();
    if (ours)
        change(data + 1, len - 1);
    if (side)
        read_side(ours);
    else
        read_snapshot(ours);
    return 0;
}
