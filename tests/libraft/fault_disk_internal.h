/*
 * What the files of a disk in trouble share:
 *   fault_disk.c   its folder, and what was written and is not synced
 *   fault_power.c  what a loss of power makes of that
 *   fault_calls.c  libc's calls, for libraft's own files
 *   fault_vfs.c    SQLite's
 */
#ifndef TESTS_LIBRAFT_FAULT_DISK_INTERNAL_H
#define TESTS_LIBRAFT_FAULT_DISK_INTERNAL_H

#include <sys/queue.h>
#include <sys/types.h>

#include "fault_disk.h"

enum record_kind { RECORD_WRITE, RECORD_TRUNCATE, RECORD_RENAME };

struct record {
    TAILQ_ENTRY(record) next;
    enum record_kind kind;
    char *path;
    char *from;        /* RENAME: its name before */
    uint64_t at;       /* TRUNCATE: the new size */
    uint64_t old_size; /* of the file */
    uint8_t *old_data; /* what was at `at`, as far as the file went */
    size_t old_len;
    uint8_t *data;
    size_t len;
};
TAILQ_HEAD(record_list, record);

/* Files stay open here: to open them at each write costs more than all else. */
struct looked_at {
    LIST_ENTRY(looked_at) link;
    char *path;
    int fd;
};

struct fault_disk {
    LIST_ENTRY(fault_disk) link;
    char folder[64];
    fault_random_fn random;
    void *arg;
    struct record_list records;
    LIST_HEAD(, looked_at) files;
    bool off;
    uint64_t cut_at, fail_sync_at, room;
    struct fault_counts counts;
};

/* libc's own, behind the wrapped ones. */
ssize_t __real_pwrite(int fd, const void *data, size_t len, off_t at);
ssize_t __real_write(int fd, const void *data, size_t len);
int __real_fdatasync(int fd);
int __real_fsync(int fd);
int __real_rename(const char *from, const char *to);
int __real_unlink(const char *path);

void fault_record_free(struct fault_disk *disk, struct record *record);
void fault_disk_note_rename(struct fault_disk *disk, const char *from,
                            const char *to);
/** Closes the file that is open for looking at; NULL: all. */
void fault_disk_stop_looking(struct fault_disk *disk, const char *path);
bool fault_disks_any(void);

#endif
