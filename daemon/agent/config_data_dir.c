/*
 * The data folder: made if need be, and tried with a real file, because modes,
 * read-only mounts and full disks all look alike until somebody writes.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/config.h"
#include "base/alloc.h"
#include "base/error.h"

static int fail(const struct config *config, int err, const char *doing,
                char **why)
{
    char *where = config_where(config, "data_dir");

    *why = base_asprintf("%s: cannot %s \"%s\": %s", where, doing,
                         config->data_dir, strerror(err));
    base_free(where);
    return base_error_from_errno(err);
}

/* mkdir -p; only its owner may look in, since keys are kept there. Returns 0
 * or an errno value. */
static int make_folders(char *path)
{
    char *slash = path;

    for (;;) {
        slash = strchr(slash + 1, '/');
        if (slash != NULL)
            *slash = '\0';
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
            return errno;
        if (slash == NULL)
            return 0;
        *slash = '/';
    }
}

static int try_writing(const char *folder)
{
    char *path = base_asprintf("%s/.writable-%ld", folder, (long)getpid());
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int err = 0;

    if (fd < 0) {
        err = errno;
    } else {
        if (write(fd, "x", 1) != 1)
            err = errno;
        close(fd);
        unlink(path);
    }
    base_free(path);
    return err;
}

int config_prepare_data_dir(const struct config *config, char **why)
{
    char *path = base_strdup(config->data_dir);
    int err = make_folders(path);

    base_free(path);
    if (err != 0)
        return fail(config, err, "make the folder", why);
    err = try_writing(config->data_dir);
    if (err != 0)
        return fail(config, err, "write in the folder", why);
    return 0;
}
