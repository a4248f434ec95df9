/*
 * The folder of a disk in trouble, and the list of writes to it that no sync
 * has covered.
 */
#include "fault_disk_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

static LIST_HEAD(, fault_disk) disks = LIST_HEAD_INITIALIZER(disks);

/* ---- life ---- */

static void remove_at_the_end(void);

struct fault_disk *fault_disk_new(fault_random_fn random, void *arg)
{
    struct fault_disk *disk;

    fault_vfs_register();
    remove_at_the_end();
    BASE_NEW(disk);
    snprintf(disk->folder, sizeof(disk->folder), "%s/raft-disk-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (mkdtemp(disk->folder) == NULL) {
        perror(disk->folder);
        abort();
    }
    disk->random = random;
    disk->arg = arg;
    disk->room = UINT64_MAX;
    TAILQ_INIT(&disk->records);
    LIST_INIT(&disk->files);
    LIST_INSERT_HEAD(&disks, disk, link);
    return disk;
}

void fault_record_free(struct fault_disk *disk, struct record *record)
{
    TAILQ_REMOVE(&disk->records, record, next);
    base_free(record->path);
    base_free(record->from);
    base_free(record->old_data);
    base_free(record->data);
    base_free(record);
}

static void remove_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char *path = base_asprintf("%s/%s", folder, entry->d_name);

        __real_unlink(path);
        base_free(path);
    }
    if (dir != NULL)
        closedir(dir);
    rmdir(folder);
}

/* A test that fails should not fill the memory of the machine. */
static void remove_all(void)
{
    struct fault_disk *disk;

    LIST_FOREACH(disk, &disks, link)
        remove_folder(disk->folder);
}

static void on_abort(int number)
{
    (void)number;
    remove_all();
}

static void remove_at_the_end(void)
{
    static pid_t whose;

    if (whose == getpid())
        return;
    whose = getpid();
    atexit(remove_all);
    signal(SIGABRT, on_abort);
}

void fault_disk_free(struct fault_disk *disk)
{
    if (disk == NULL)
        return;
    while (!TAILQ_EMPTY(&disk->records))
        fault_record_free(disk, TAILQ_FIRST(&disk->records));
    fault_disk_stop_looking(disk, NULL);
    LIST_REMOVE(disk, link);
    remove_folder(disk->folder);
    base_free(disk);
}

const char *fault_disk_folder(const struct fault_disk *disk)
{
    return disk->folder;
}

const struct fault_counts *fault_disk_counts(const struct fault_disk *disk)
{
    return &disk->counts;
}

void fault_disk_cut_at(struct fault_disk *disk, uint64_t nth)
{
    disk->cut_at = nth;
}

void fault_disk_fail_sync_at(struct fault_disk *disk, uint64_t nth)
{
    disk->fail_sync_at = nth;
}

void fault_disk_set_room(struct fault_disk *disk, uint64_t bytes)
{
    disk->room = bytes;
}

void fault_disk_off(struct fault_disk *disk)
{
    disk->off = true;
}

bool fault_disk_is_off(const struct fault_disk *disk)
{
    return disk->off;
}

struct fault_disk *fault_disk_of(const char *path)
{
    struct fault_disk *disk;

    LIST_FOREACH(disk, &disks, link) {
        size_t len = strlen(disk->folder);

        if (strncmp(path, disk->folder, len) == 0 &&
            (path[len] == '/' || path[len] == '\0'))
            return disk;
    }
    return NULL;
}

/* ---- noting ---- */

static bool cut_now(struct fault_disk *disk)
{
    if (disk->cut_at > 0 && --disk->cut_at == 0)
        disk->off = true;
    return disk->off;
}

int fault_disk_may_write(struct fault_disk *disk, size_t bytes)
{
    if (disk->off)
        return EIO;
    if (bytes > disk->room) {
        disk->room = 0;
        disk->counts.full++;
        return ENOSPC;
    }
    return 0;
}

static struct record *note(struct fault_disk *disk, enum record_kind kind,
                           const char *path)
{
    struct record *record;

    BASE_NEW(record);
    record->kind = kind;
    record->path = base_strdup(path);
    TAILQ_INSERT_TAIL(&disk->records, record, next);
    return record;
}

void fault_disk_stop_looking(struct fault_disk *disk, const char *path)
{
    struct looked_at *file;

    LIST_FOREACH(file, &disk->files, link) {
        if (path != NULL && strcmp(file->path, path) != 0)
            continue;
        LIST_REMOVE(file, link);
        close(file->fd);
        base_free(file->path);
        base_free(file);
        fault_disk_stop_looking(disk, path);
        return;
    }
}

static int look_at(struct fault_disk *disk, const char *path)
{
    struct looked_at *file;
    int fd;

    LIST_FOREACH(file, &disk->files, link) {
        if (strcmp(file->path, path) == 0)
            return file->fd;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        BASE_NEW(file);
        file->path = base_strdup(path);
        file->fd = fd;
        LIST_INSERT_HEAD(&disk->files, file, link);
    }
    return fd;
}

/* What the file holds from `at` on, at most len bytes. */
static void keep_old(struct fault_disk *disk, struct record *record,
                     uint64_t at, uint64_t len)
{
    int fd = look_at(disk, record->path);
    struct stat info = {0};
    ssize_t got = 0;

    if (fd >= 0 && fstat(fd, &info) == 0) {
        record->old_size = (uint64_t)info.st_size;
        if (at < record->old_size) {
            if (len > record->old_size - at)
                len = record->old_size - at;
            record->old_data = base_alloc((size_t)len);
            got = pread(fd, record->old_data, (size_t)len, (off_t)at);
        }
    }
    record->old_len = got > 0 ? (size_t)got : 0;
}

void fault_disk_note_write(struct fault_disk *disk, const char *path,
                           const void *data, size_t len, uint64_t at)
{
    struct record *record = note(disk, RECORD_WRITE, path);

    disk->counts.writes++;
    if (disk->room != UINT64_MAX)
        disk->room -= len;
    keep_old(disk, record, at, len);
    record->at = at;
    record->data = base_memdup(data, len);
    record->len = len;
    /* Off at this very write: it is noted, and so may be there in part. Zeros
     * that only make a file longer are the same one as the other. */
    if (len == 0 || ((const char *)data)[0] != 0 ||
        memcmp(data, (const char *)data + 1, len - 1) != 0)
        (void)cut_now(disk);
}

void fault_disk_note_truncate(struct fault_disk *disk, const char *path,
                              uint64_t size)
{
    struct record *record = note(disk, RECORD_TRUNCATE, path);

    keep_old(disk, record, size, UINT64_MAX);
    record->at = size;
}

void fault_disk_forget(struct fault_disk *disk, const char *path)
{
    struct record *record, *after;

    fault_disk_stop_looking(disk, path);

    for (record = TAILQ_FIRST(&disk->records); record != NULL;
         record = after) {
        after = TAILQ_NEXT(record, next);
        if (strcmp(record->path, path) == 0)
            fault_record_free(disk, record);
    }
}

/* A rename is its folder's matter, not the file's. */
static void settle(struct fault_disk *disk, const char *path)
{
    bool folder = strcmp(path, disk->folder) == 0;
    struct record *record, *after;

    for (record = TAILQ_FIRST(&disk->records); record != NULL;
         record = after) {
        after = TAILQ_NEXT(record, next);
        if (folder ? record->kind == RECORD_RENAME
                   : record->kind != RECORD_RENAME &&
                         strcmp(record->path, path) == 0)
            fault_record_free(disk, record);
    }
}

int fault_disk_sync(struct fault_disk *disk, const char *path)
{
    if (cut_now(disk))
        return EIO;
    disk->counts.syncs++;
    if (disk->fail_sync_at > 0 && --disk->fail_sync_at == 0) {
        disk->counts.failed_syncs++;
        disk->off = true;
        return EIO;
    }
    settle(disk, path);
    return 0;
}

void fault_disk_note_rename(struct fault_disk *disk, const char *from,
                            const char *to)
{
    struct record *record;

    fault_disk_forget(disk, to);
    fault_disk_stop_looking(disk, from);
    record = note(disk, RECORD_RENAME, to);
    record->from = base_strdup(from);
}

bool fault_disks_any(void)
{
    return !LIST_EMPTY(&disks);
}
