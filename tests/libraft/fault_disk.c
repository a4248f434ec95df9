/*
 * The list of writes that are not synced, and what a loss of power makes of
 * it: first all are taken back, newest first, then those that chance lets
 * through are done again, whole or in part.
 */
#include "fault_disk.h"

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

#define SECTOR_BYTES 512u

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

static LIST_HEAD(, fault_disk) disks = LIST_HEAD_INITIALIZER(disks);

/* ---- calls of libc, and ours in their place ---- */

ssize_t __real_pwrite(int fd, const void *data, size_t len, off_t at);
ssize_t __real_write(int fd, const void *data, size_t len);
int __real_fdatasync(int fd);
int __real_fsync(int fd);
int __real_rename(const char *from, const char *to);
int __real_unlink(const char *path);
ssize_t __wrap_pwrite(int fd, const void *data, size_t len, off_t at);
ssize_t __wrap_write(int fd, const void *data, size_t len);
int __wrap_fdatasync(int fd);
int __wrap_fsync(int fd);
int __wrap_rename(const char *from, const char *to);
int __wrap_unlink(const char *path);

/* ---- life ---- */

static void remove_at_the_end(void);
static void stop_looking(struct fault_disk *disk, const char *path);

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

static void record_free(struct fault_disk *disk, struct record *record)
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
        record_free(disk, TAILQ_FIRST(&disk->records));
    stop_looking(disk, NULL);
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

static void stop_looking(struct fault_disk *disk, const char *path)
{
    struct looked_at *file;

    LIST_FOREACH(file, &disk->files, link) {
        if (path != NULL && strcmp(file->path, path) != 0)
            continue;
        LIST_REMOVE(file, link);
        close(file->fd);
        base_free(file->path);
        base_free(file);
        stop_looking(disk, path);
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

    stop_looking(disk, path);

    for (record = TAILQ_FIRST(&disk->records); record != NULL;
         record = after) {
        after = TAILQ_NEXT(record, next);
        if (strcmp(record->path, path) == 0)
            record_free(disk, record);
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
            record_free(disk, record);
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

/* ---- loss of power ---- */

static void put(const char *path, const void *data, size_t len, uint64_t at)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return; /* removed since */
    if (__real_pwrite(fd, data, len, (off_t)at) != (ssize_t)len)
        abort();
    close(fd);
}

static void take_back(const struct record *record)
{
    if (record->kind == RECORD_RENAME) {
        __real_rename(record->path, record->from);
        return;
    }
    if (record->old_len > 0)
        put(record->path, record->old_data, record->old_len, record->at);
    if (truncate(record->path, (off_t)record->old_size) < 0 &&
        errno != ENOENT)
        abort();
}

/* A disk writes whole sectors, in any order, or stops inside of one. */
static void do_in_part(struct fault_disk *disk, const struct record *record)
{
    size_t from = 0;
    bool any_order = disk->random(disk->arg, 2) == 0;
    size_t stop = (size_t)disk->random(disk->arg, record->len + 1);

    if (!any_order) {
        put(record->path, record->data, stop, record->at);
        return;
    }
    while (from < record->len) {
        size_t to = from + SECTOR_BYTES - (record->at + from) % SECTOR_BYTES;

        if (to > record->len)
            to = record->len;
        if (disk->random(disk->arg, 2) == 0)
            put(record->path, record->data + from, to - from,
                record->at + from);
        from = to;
    }
}

static void do_again(const struct record *record)
{
    if (record->kind == RECORD_RENAME)
        __real_rename(record->from, record->path);
    else if (record->kind == RECORD_WRITE)
        put(record->path, record->data, record->len, record->at);
    else if (truncate(record->path, (off_t)record->at) < 0 && errno != ENOENT)
        abort();
}

enum fate { FATE_THERE, FATE_LOST, FATE_IN_ORDER, FATE_ANY, FATES };

void fault_disk_on_after_power_loss(struct fault_disk *disk)
{
    enum fate fate = (enum fate)disk->random(disk->arg, FATES);
    struct record *record;
    bool stopped = false;

    stop_looking(disk, NULL);
    TAILQ_FOREACH_REVERSE(record, &disk->records, record_list, next)
        take_back(record);
    while ((record = TAILQ_FIRST(&disk->records)) != NULL) {
        uint64_t chance = disk->random(disk->arg, 8);

        if (fate == FATE_THERE ||
            (fate == FATE_IN_ORDER && !stopped && chance > 0) ||
            (fate == FATE_ANY && chance > 4)) {
            do_again(record);
        } else if (fate != FATE_LOST && !stopped && chance < 3 &&
                   record->kind == RECORD_WRITE) {
            do_in_part(disk, record);
            disk->counts.torn++;
            stopped = fate == FATE_IN_ORDER;
        } else {
            disk->counts.lost++;
            stopped = fate == FATE_IN_ORDER;
        }
        record_free(disk, record);
    }
    fault_disk_on_after_kill(disk);
}

void fault_disk_on_after_kill(struct fault_disk *disk)
{
    disk->off = false;
    disk->cut_at = 0;
    disk->fail_sync_at = 0;
}

void fault_disk_flip_bit(struct fault_disk *disk)
{
    static const char *const names[] = {"raft.db", "raft.db-wal"};
    char *path = base_asprintf("%s/%s", disk->folder,
                               names[disk->random(disk->arg, 2)]);
    struct stat info = {0};
    uint8_t byte;
    int fd = open(path, O_RDWR | O_CLOEXEC);

    if (fd >= 0 && fstat(fd, &info) == 0 && info.st_size > 0) {
        off_t at = (off_t)disk->random(disk->arg, (uint64_t)info.st_size);

        if (pread(fd, &byte, 1, at) == 1) {
            byte ^= (uint8_t)(1u << disk->random(disk->arg, 8));
            (void)!__real_pwrite(fd, &byte, 1, at);
        }
    }
    if (fd >= 0)
        close(fd);
    base_free(path);
}

/* ---- libraft's other files ---- */

/* The disk that fd lies on, and its path. */
static struct fault_disk *disk_of_fd(int fd, char path[256])
{
    char link[64];
    ssize_t len;

    if (LIST_EMPTY(&disks))
        return NULL;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    len = readlink(link, path, 255);
    if (len <= 0)
        return NULL;
    path[len] = '\0';
    return fault_disk_of(path);
}

ssize_t __wrap_pwrite(int fd, const void *data, size_t len, off_t at)
{
    char path[256];
    struct fault_disk *disk = disk_of_fd(fd, path);

    if (disk != NULL) {
        errno = fault_disk_may_write(disk, len);
        if (errno != 0)
            return -1;
        fault_disk_note_write(disk, path, data, len, (uint64_t)at);
    }
    return __real_pwrite(fd, data, len, at);
}

ssize_t __wrap_write(int fd, const void *data, size_t len)
{
    char path[256];
    struct fault_disk *disk = disk_of_fd(fd, path);

    if (disk != NULL) {
        errno = fault_disk_may_write(disk, len);
        if (errno != 0)
            return -1;
        fault_disk_note_write(disk, path, data, len,
                              (uint64_t)lseek(fd, 0, SEEK_CUR));
    }
    return __real_write(fd, data, len);
}

static int sync_fd(int fd, int (*real)(int fd))
{
    char path[256];
    struct fault_disk *disk = disk_of_fd(fd, path);

    if (disk == NULL)
        return real(fd);
    errno = fault_disk_sync(disk, path);
    return errno == 0 ? 0 : -1;
}

int __wrap_fdatasync(int fd)
{
    return sync_fd(fd, __real_fdatasync);
}

int __wrap_fsync(int fd)
{
    return sync_fd(fd, __real_fsync);
}

int __wrap_rename(const char *from, const char *to)
{
    struct fault_disk *disk = fault_disk_of(to);
    struct record *record;

    if (disk != NULL) {
        errno = fault_disk_may_write(disk, 0);
        if (errno != 0)
            return -1;
        fault_disk_forget(disk, to);
        stop_looking(disk, from);
        record = note(disk, RECORD_RENAME, to);
        record->from = base_strdup(from);
    }
    return __real_rename(from, to);
}

int __wrap_unlink(const char *path)
{
    struct fault_disk *disk = fault_disk_of(path);

    if (disk != NULL) {
        errno = fault_disk_may_write(disk, 0);
        if (errno != 0)
            return -1;
        fault_disk_forget(disk, path);
    }
    return __real_unlink(path);
}
