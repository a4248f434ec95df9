/* libc's calls in front of a disk in trouble (WRAP_raft of the Makefile). */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "fault_disk_internal.h"

ssize_t __wrap_pwrite(int fd, const void *data, size_t len, off_t at);
ssize_t __wrap_write(int fd, const void *data, size_t len);
int __wrap_fdatasync(int fd);
int __wrap_fsync(int fd);
int __wrap_rename(const char *from, const char *to);
int __wrap_unlink(const char *path);

/* The disk that fd lies on, and its path. */
static struct fault_disk *disk_of_fd(int fd, char path[256])
{
    char link[64];
    ssize_t len;

    if (!fault_disks_any())
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

    if (disk != NULL) {
        errno = fault_disk_may_write(disk, 0);
        if (errno != 0)
            return -1;
        fault_disk_note_rename(disk, from, to);
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
