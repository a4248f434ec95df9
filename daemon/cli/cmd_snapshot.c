/*
 * isthmus snapshot save, inspect and restore. A file is verified whenever it is
 * touched: after it came, before it is sent, and when it is shown.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/pb.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/http_client.h"
#include "daemon/server.pb-c.h"
#include "snapshot/archive.h"

#define FILE_BYTES_MAX ARCHIVE_STATE_BYTES_MAX

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

static int verify(const void *data, size_t len, const char *name,
                  struct archive *out, char **why)
{
    const char *fault;
    int rv = archive_unpack(data, len, ARCHIVE_STATE_BYTES_MAX, out, &fault);

    if (rv < 0)
        *why = base_asprintf("%s is not a snapshot: %s", name, fault);
    return rv;
}

/* ---- files ---------------------------------------------------------------- */

static int read_file(const char *name, struct base_buf *out, char **why)
{
    FILE *file = fopen(name, "re");
    size_t got;

    if (file == NULL) {
        *why = base_asprintf("%s: %s", name, strerror(errno));
        return BASE_EIO;
    }
    do {
        got = fread(base_buf_reserve(out, 65536), 1, 65536, file);
        base_buf_commit(out, got);
    } while (got > 0 && base_buf_len(out) <= FILE_BYTES_MAX);
    fclose(file);
    return 0;
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
        rv = verify(reply.body, reply.len, "the answer", &archive, why);
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
    struct args_list words = {0};
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
    char *why = NULL;
    uint64_t index = 0;
    int code, rv;

    if (args_parse(&command, argc, argv, &words, &code) != 0) {
        args_list_close(&words);
        return code;
    }
    if (words.count != 1) {
        args_list_close(&words);
        return args_usage_error(&command, "one FILE is needed");
    }
    rv = save(&request, words.items[0], &index, &why);
    if (rv == 0)
        printf("Saved and verified snapshot to index %" PRIu64 "\n", index);
    args_list_close(&words);
    return rv == 0 ? 0 : cmd_fail("snapshot save", why);
}

/* ---- inspect -------------------------------------------------------------- */

static int show(const struct archive *archive, char **why)
{
    size_t len = base_buf_len(&archive->state);
    Server__Snapshot *state = base_pb_unpack(
        &server__snapshot__descriptor,
        archive->state.bytes + archive->state.start, len, base_pb_budget(len));
    Fedstate__Table *table = NULL;
    size_t i, services = 0, checks = 0;

    if (state != NULL)
        table = base_pb_unpack(&fedstate__table__descriptor,
                               state->federation.data, state->federation.len,
                               base_pb_budget(state->federation.len));
    if (table == NULL) {
        base_pb_free(state);
        *why = base_strdup("its state is not of this program");
        return BASE_EPARSE;
    }
    for (i = 0; i < state->n_nodes; i++) {
        services += state->nodes[i]->n_services;
        checks += state->nodes[i]->n_checks;
    }
    printf("ID                 %s\nIndex              %" PRIu64
           "\nTerm               %" PRIu64 "\nVersion            %u\n"
           "Size               %zu\nNodes              %zu\n"
           "Services           %zu\nChecks             %zu\n"
           "Federation states  %zu\n",
           archive->id, archive->index, archive->term, state->version, len,
           state->n_nodes, services, checks, table->n_states);
    base_pb_free(table);
    base_pb_free(state);
    return 0;
}

static int with_file(const char *name, struct base_buf *file,
                     struct archive *archive, char **why)
{
    int rv = read_file(name, file, why);

    return rv < 0 ? rv
                  : verify(base_buf_data(file), base_buf_len(file), name,
                           archive, why);
}

int cmd_snapshot_inspect(int argc, char **argv)
{
    struct args_list words = {0};
    struct base_buf file = BASE_BUF_INIT;
    struct archive archive = {.state = BASE_BUF_INIT};
    const struct args_command command = {
        "isthmus snapshot inspect FILE",
        "Verifies a snapshot and shows what it holds. No agent is asked.",
        NULL, 0, "isthmus snapshot inspect backup.snap"};
    char *why = NULL;
    int code, rv;

    if (args_parse(&command, argc, argv, &words, &code) != 0) {
        args_list_close(&words);
        return code;
    }
    if (words.count != 1) {
        args_list_close(&words);
        return args_usage_error(&command, "one FILE is needed");
    }
    rv = with_file(words.items[0], &file, &archive, &why);
    if (rv == 0)
        rv = show(&archive, &why);
    archive_close(&archive);
    base_buf_close(&file);
    args_list_close(&words);
    return rv == 0 ? 0 : cmd_fail("snapshot inspect", why);
}

/* ---- restore -------------------------------------------------------------- */

static int restore(const struct request *request, const char *name, char **why)
{
    struct base_buf file = BASE_BUF_INIT;
    struct archive archive = {.state = BASE_BUF_INIT};
    struct http_target target;
    char *path = path_of(request);
    int rv = with_file(name, &file, &archive, why);

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
    struct args_list words = {0};
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
    char *why = NULL;
    int code, rv;

    if (args_parse(&command, argc, argv, &words, &code) != 0) {
        args_list_close(&words);
        return code;
    }
    if (words.count != 1) {
        args_list_close(&words);
        return args_usage_error(&command, "one FILE is needed");
    }
    rv = restore(&request, words.items[0], &why);
    args_list_close(&words);
    if (rv == 0)
        printf("Restored snapshot\n");
    return rv == 0 ? 0 : cmd_fail("snapshot restore", why);
}
