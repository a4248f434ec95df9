/*
 * isthmus snapshot save and restore. A file is verified whenever it is touched:
 * after it came, and before it is sent.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/http_client.h"
#include "cli/snapshot_file.h"

struct request {
    struct http_options options;
    const char *dc;
    bool stale;
};

static char *path_of(const struct request *request)
{
    char *dc = http_escape(request->dc ? request->dc : "");
    char *path = base_asprintf("/v1/snapshot?dc=%s%s", dc,
                               request->stale ? "&stale=1" : "");

    base_free(dc);
    return path;
}

/* Its one word, a file's name; else the exit code. */
static const char *one_file(const struct args_command *command, int argc,
                            char **argv, int *code)
{
    struct args_list words = {0};
    const char *name = NULL;

    if (args_parse(command, argc, argv, &words, code) == 0) {
        if (words.count == 1)
            name = words.items[0];
        else
            *code = args_usage_error(command, "one FILE is needed");
    }
    args_list_close(&words);
    return name;
}

/* ---- save ----------------------------------------------------------------- */

static int save(const struct request *request, const char *name,
                uint64_t *index, char **why)
{
    struct http_target target;
    struct http_reply reply = {0};
    struct archive archive = {.state = BASE_BUF_INIT};
    char *path = path_of(request);
    int rv = http_target_init(&target, &request->options, why);

    if (rv == 0) {
        rv = http_call(&target, "GET", path, &reply, why);
        http_target_close(&target);
    }
    base_free(path);
    if (rv == 0 && reply.status != 200) {
        *why = base_asprintf("the agent answered %d: %.300s", reply.status,
                             reply.body);
        rv = BASE_EIO;
    }
    if (rv == 0)
        rv = snapshot_verify(reply.body, reply.len, "the answer", &archive, why);
    if (rv == 0)
        rv = file_write(name, reply.body, reply.len, why);
    *index = archive.index;
    archive_close(&archive);
    http_reply_close(&reply);
    return rv;
}

int cmd_snapshot_save(int argc, char **argv)
{
    struct request request = {.dc = NULL};
    const struct args_flag flags[] = {
        {"dc", ARGS_TEXT, &request.dc, "DC",
         "of that datacenter; default: the agent's own"},
        {"stale", ARGS_BOOL, &request.stale, NULL,
         "from any server, also while there is no leader"},
        HTTP_FLAGS(request.options)};
    const struct args_command command = {
        "isthmus snapshot save [flags] FILE",
        "Saves everything that a datacenter's servers agree on, the catalog "
        "and the\nfederation states, as its leader has it. The file is a "
        "gzipped tar with checksums.",
        flags, BASE_COUNT_OF(flags), "isthmus snapshot save backup.snap"};
    const char *name;
    char *why = NULL;
    uint64_t index = 0;
    int code, rv;

    name = one_file(&command, argc, argv, &code);
    if (name == NULL)
        return code;
    rv = save(&request, name, &index, &why);
    if (rv == 0)
        printf("Saved and verified snapshot to index %" PRIu64 "\n", index);
    return rv == 0 ? 0 : cmd_fail("snapshot save", why);
}

/* ---- restore -------------------------------------------------------------- */

static int restore(const struct request *request, const char *name, char **why)
{
    struct base_buf file = BASE_BUF_INIT;
    struct archive archive = {.state = BASE_BUF_INIT};
    struct http_target target;
    char *path = path_of(request);
    int rv = snapshot_read(name, &file, &archive, why);

    if (rv == 0)
        rv = http_target_init(&target, &request->options, why);
    if (rv == 0) {
        rv = http_json_body(&target, "PUT", path, base_buf_data(&file),
                            base_buf_len(&file), NULL, why);
        http_target_close(&target);
    }
    archive_close(&archive);
    base_buf_close(&file);
    base_free(path);
    return rv;
}

int cmd_snapshot_restore(int argc, char **argv)
{
    struct request request = {.dc = NULL};
    const struct args_flag flags[] = {
        {"dc", ARGS_TEXT, &request.dc, "DC",
         "of that datacenter; default: the agent's own"},
        HTTP_FLAGS(request.options)};
    const struct args_command command = {
        "isthmus snapshot restore [flags] FILE",
        "Replaces everything that a datacenter's servers agree on by what was "
        "saved. It is\nverified first, and replaced on all servers at the "
        "same place of their log. What\nthe running agents register "
        "themselves comes back within a minute.",
        flags, BASE_COUNT_OF(flags), "isthmus snapshot restore backup.snap"};
    const char *name;
    char *why = NULL;
    int code, rv;

    name = one_file(&command, argc, argv, &code);
    if (name == NULL)
        return code;
    rv = restore(&request, name, &why);
    if (rv == 0)
        printf("Restored snapshot\n");
    return rv == 0 ? 0 : cmd_fail("snapshot restore", why);
}
