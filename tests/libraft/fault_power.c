/*
 * What a loss of power makes of writes that no sync has covered: first all are
 * taken back, newest first, then those that chance lets through are done again,
 * whole or in part. And bits that flip.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "fault_disk_internal.h"

#define SECTOR_BYTES 512u

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

    fault_disk_stop_looking(disk, NULL);
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
        fault_record_free(disk, record);
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
