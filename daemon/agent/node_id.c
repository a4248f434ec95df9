#include "agent/node_id.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "agent/stable_files.h"
#include "base/alloc.h"
#include "base/error.h"
#include "server/uuid.h"

static int make_uuid(char out[NODE_ID_TEXT])
{
    uint8_t random[16];

    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return BASE_EIO;
    uuid_format(random, out);
    return 0;
}

/* What the file says, without white space at its end; "" if there is none. */
static int read_kept(const char *path, char out[NODE_ID_TEXT], char **why)
{
    struct base_buf content = BASE_BUF_INIT;
    int rv = stable_read_file(path, 256, &content);
    char *text;
    size_t len;

    out[0] = '\0';
    if (rv == BASE_ENOTFOUND) {
        base_buf_close(&content);
        return 0;
    }
    text = base_buf_take_string(&content);
    for (len = strlen(text); len > 0 && isspace((unsigned char)text[len - 1]);)
        text[--len] = '\0';
    if (rv == 0 && uuid_is_valid(text))
        strcpy(out, text);
    else
        *why = base_asprintf("%s does not hold a node id (a UUID)%s%s", path,
                             rv ? ": " : "", rv ? base_strerror(rv) : "");
    base_free(text);
    return *why ? BASE_EPARSE : 0;
}

int node_id_load(const char *data_dir, const char *wanted,
                 char out[NODE_ID_TEXT], char **why)
{
    char *path = base_asprintf("%s/node-id", data_dir);
    int rv = read_kept(path, out, why);

    if (rv == 0 && wanted && !uuid_is_valid(wanted)) {
        *why = base_asprintf("node_id: %s is no UUID", wanted);
        rv = BASE_EINVAL;
    }
    if (rv == 0 && wanted && out[0] != '\0' && strcasecmp(wanted, out) != 0) {
        *why = base_asprintf("node_id: %s is asked for, but data_dir belongs "
                             "to %s",
                             wanted, out);
        rv = BASE_EINVAL;
    }
    if (rv == 0 && out[0] == '\0') {
        if (wanted)
            strcpy(out, wanted);
        else
            rv = make_uuid(out);
        if (rv == 0)
            rv = stable_write_file(path, out, strlen(out));
        if (rv != 0)
            *why = base_asprintf("%s: %s", path, base_strerror(rv));
    }
    base_free(path);
    return rv;
}
