/*
 * SQLite on a disk in trouble: a VFS that hands everything to the usual one of
 * this system, and tells fault_disk.c of writes, truncations and syncs first.
 * Files that lie on no such disk are handed on as they are. A sync is not
 * handed on: what counts as synced is fault_disk.c's to say.
 */
#include <errno.h>
#include <sqlite3.h>
#include <stddef.h>
#include <string.h>

#include "fault_disk.h"

struct fault_file {
    sqlite3_file file; /* first */
    struct fault_disk *disk; /* NULL: not ours */
    const char *path;        /* SQLite's, until the file is closed */
    sqlite3_file *real;      /* in the memory behind */
};

static sqlite3_vfs *under;

static struct fault_file *of(sqlite3_file *file)
{
    return (struct fault_file *)(void *)file;
}

static int refused(int err)
{
    return err == ENOSPC ? SQLITE_FULL : SQLITE_IOERR;
}

/* ---- a file ---- */

static int file_close(sqlite3_file *file)
{
    sqlite3_file *real = of(file)->real;

    return real->pMethods == NULL ? SQLITE_OK : real->pMethods->xClose(real);
}

static int file_read(sqlite3_file *file, void *data, int len, sqlite3_int64 at)
{
    sqlite3_file *real = of(file)->real;

    return real->pMethods->xRead(real, data, len, at);
}

static int file_write(sqlite3_file *file, const void *data, int len,
                      sqlite3_int64 at)
{
    sqlite3_file *real = of(file)->real;
    struct fault_disk *disk = of(file)->disk;

    if (disk != NULL) {
        int err = fault_disk_may_write(disk, (size_t)len);

        if (err != 0)
            return refused(err);
        fault_disk_note_write(disk, of(file)->path, data, (size_t)len,
                              (uint64_t)at);
    }
    return real->pMethods->xWrite(real, data, len, at);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    sqlite3_file *real = of(file)->real;
    struct fault_disk *disk = of(file)->disk;

    if (disk != NULL) {
        int err = fault_disk_may_write(disk, 0);

        if (err != 0)
            return refused(err);
        fault_disk_note_truncate(disk, of(file)->path, (uint64_t)size);
    }
    return real->pMethods->xTruncate(real, size);
}

static int file_sync(sqlite3_file *file, int flags)
{
    sqlite3_file *real = of(file)->real;
    struct fault_disk *disk = of(file)->disk;

    if (disk == NULL)
        return real->pMethods->xSync(real, flags);
    return fault_disk_sync(disk, of(file)->path) == 0 ? SQLITE_OK
                                                      : SQLITE_IOERR_FSYNC;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    sqlite3_file *real = of(file)->real;

    return real->pMethods->xFileSize(real, size);
}

static int file_lock(sqlite3_file *file, int level)
{
    sqlite3_file *real = of(file)->real;

    return real->pMethods->xLock(real, level);
}

static int file_unlock(sqlite3_file *file, int level)
{
    sqlite3_file *real = of(file)->real;

    return real->pMethods->xUnlock(real, level);
}

static int file_check_lock(sqlite3_file *file, int *out)
{
    sqlite3_file *real = of(file)->real;

    return real->pMethods->xCheckReservedLock(real, out);
}

static int file_control(sqlite3_file *file, int op, void *arg)
{
    sqlite3_file *real = of(file)->real;

    return real->pMethods->xFileControl(real, op, arg);
}

/* No promises of atomic or ordered writes: the harshest kind of disk. */
static int file_sector_size(sqlite3_file *file)
{
    (void)file;
    return 512;
}

static int file_characteristics(sqlite3_file *file)
{
    (void)file;
    return 0;
}

static int file_shm_map(sqlite3_file *file, int page, int page_bytes, int more,
                        void volatile **out)
{
    sqlite3_file *real = of(file)->real;

    return real->pMethods->xShmMap(real, page, page_bytes, more, out);
}

static int file_shm_lock(sqlite3_file *file, int from, int count, int flags)
{
    sqlite3_file *real = of(file)->real;

    return real->pMethods->xShmLock(real, from, count, flags);
}

static void file_shm_barrier(sqlite3_file *file)
{
    sqlite3_file *real = of(file)->real;

    real->pMethods->xShmBarrier(real);
}

static int file_shm_unmap(sqlite3_file *file, int remove)
{
    sqlite3_file *real = of(file)->real;

    return real->pMethods->xShmUnmap(real, remove);
}

/* ---- the file system ---- */

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file,
                    int flags, int *out_flags)
{
    static const sqlite3_io_methods methods = {
        .iVersion = 2,
        .xClose = file_close,
        .xRead = file_read,
        .xWrite = file_write,
        .xTruncate = file_truncate,
        .xSync = file_sync,
        .xFileSize = file_size,
        .xLock = file_lock,
        .xUnlock = file_unlock,
        .xCheckReservedLock = file_check_lock,
        .xFileControl = file_control,
        .xSectorSize = file_sector_size,
        .xDeviceCharacteristics = file_characteristics,
        .xShmMap = file_shm_map,
        .xShmLock = file_shm_lock,
        .xShmBarrier = file_shm_barrier,
        .xShmUnmap = file_shm_unmap};
    struct fault_file *mine = of(file);
    int code;

    (void)vfs;
    mine->real = (sqlite3_file *)(void *)(mine + 1);
    mine->path = path;
    mine->disk = path == NULL ? NULL : fault_disk_of(path);
    code = under->xOpen(under, path, mine->real, flags, out_flags);
    /* Closed by SQLite only if it has methods. */
    mine->file.pMethods = mine->real->pMethods == NULL ? NULL : &methods;
    return code;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
    struct fault_disk *disk = fault_disk_of(path);

    (void)vfs;
    if (disk != NULL) {
        if (fault_disk_is_off(disk))
            return SQLITE_IOERR;
        fault_disk_forget(disk, path);
    }
    return under->xDelete(under, path, sync);
}

void fault_vfs_register(void)
{
    static sqlite3_vfs vfs;

    if (under != NULL)
        return;
    under = sqlite3_vfs_find(NULL);
    vfs = *under; /* its other calls need no file of ours */
    vfs.szOsFile = (int)sizeof(struct fault_file) + under->szOsFile;
    vfs.zName = "fault";
    vfs.pNext = NULL;
    vfs.xOpen = vfs_open;
    vfs.xDelete = vfs_delete;
    sqlite3_vfs_register(&vfs, 1);
}
