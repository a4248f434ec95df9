/*
 * A folder that behaves like a disk in trouble. What SQLite and libraft write
 * there goes to files in memory (tmpfs) and is also kept as a list of writes
 * that no sync has covered yet. A loss of power puts these writes, one by one
 * and piece by piece, back or not, as chance says; a process that is killed
 * leaves them where they are, still not synced. Besides: power that goes off
 * at a chosen write or sync, a sync that fails, and a disk that fills up.
 *
 * SQLite comes through a VFS of its own (fault_vfs.c, the default from the
 * first disk on), libraft's other files through wrapped calls of libc: link
 * with WRAP_raft of the Makefile.
 *
 * What it takes for granted: a file that was made stays made, and one that was
 * removed stays removed; a renamed one needs its folder synced.
 *
 * Threads: one.
 */
#ifndef TESTS_LIBRAFT_FAULT_DISK_H
#define TESTS_LIBRAFT_FAULT_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fault_disk;

/** Uniform in [0, bound). */
typedef uint64_t (*fault_random_fn)(void *arg, uint64_t bound);

struct fault_counts {
    uint64_t writes, syncs;
    uint64_t lost, torn;   /* writes, at losses of power */
    uint64_t failed_syncs, full;
};

struct fault_disk *fault_disk_new(fault_random_fn random, void *arg);
/** Removes the folder. */
void fault_disk_free(struct fault_disk *disk);
const char *fault_disk_folder(const struct fault_disk *disk);
const struct fault_counts *fault_disk_counts(const struct fault_disk *disk);

/** From now on nothing reaches it: every write and sync fails. Then free what
 * had it open, then one of the two below. */
void fault_disk_off(struct fault_disk *disk);
bool fault_disk_is_off(const struct fault_disk *disk);
/** Power was lost: of what no sync covered, only some is there. */
void fault_disk_on_after_power_loss(struct fault_disk *disk);
/** Only the process was killed: what it wrote is there, and still not
 * synced. */
void fault_disk_on_after_kill(struct fault_disk *disk);

/** Goes off by itself instead of doing the nth write or sync from now on, 1
 * being the next; 0: never. */
void fault_disk_cut_at(struct fault_disk *disk, uint64_t nth);
/** The nth sync from now on fails, and the disk with it (off), since nobody
 * knows what it has; 0: none. */
void fault_disk_fail_sync_at(struct fault_disk *disk, uint64_t nth);
/** So many more bytes fit; UINT64_MAX: no limit. */
void fault_disk_set_room(struct fault_disk *disk, uint64_t bytes);
/** Turns one bit of one of the database's files over, by chance, while nothing
 * has it open. */
void fault_disk_flip_bit(struct fault_disk *disk);

/* ---- for the VFS and the wrapped calls ---- */

/** The disk that path lies on, or NULL. */
struct fault_disk *fault_disk_of(const char *path);
/** Whether a write of so many bytes may go on: 0, EIO or ENOSPC. */
int fault_disk_may_write(struct fault_disk *disk, size_t bytes);
/** Notes it, before it is done: the file's present bytes are looked up. */
void fault_disk_note_write(struct fault_disk *disk, const char *path,
                           const void *data, size_t len, uint64_t at);
void fault_disk_note_truncate(struct fault_disk *disk, const char *path,
                              uint64_t size);
/** 0: all of that file is safe now. EIO: it is not. */
int fault_disk_sync(struct fault_disk *disk, const char *path);
/** The file is gone, and what was noted of it. */
void fault_disk_forget(struct fault_disk *disk, const char *path);
/** Makes the VFS the default, once. */
void fault_vfs_register(void);

#endif
