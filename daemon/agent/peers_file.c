/* The operator's list of servers, read and put into force. */
#include "agent/peers_file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "raft/recover.h"
#include "raft/storage_sqlite.h"
#include "server/fsm.h"
#include "server/strerror.h"

#define RECOVERY_MS 600000u /* a log of millions of entries is applied */

/* ---- reading -------------------------------------------------------------- */

static int refuse(char **why, const char *path, const char *what)
{
    *why = base_asprintf("%s: %s", path, what);
    return BASE_EPARSE;
}

static bool is_address(const char *text)
{
    struct base_target at;
    struct base_addr ip;

    return base_target_parse(&at, text, 0) == 0 && at.port != 0 &&
           base_addr_parse_ip(&ip, at.host) == 0;
}

/* NULL, or what is wrong with it. */
static const char *read_server(json_t *object, struct raft_server *out)
{
    const char *id = "", *address = "";
    int non_voter = 0;

    if (json_unpack(object, "{s:s, s:s, s?:b !}", "id", &id, "address",
                    &address, "non_voter", &non_voter) != 0)
        return "wanted a list of objects with id, address and non_voter";
    if (*id == '\0' || strlen(id) >= sizeof(out->id))
        return "an id is empty or too long";
    if (strlen(address) >= sizeof(out->address) || !is_address(address))
        return "an address is not IP:PORT";
    strcpy(out->id, id);
    strcpy(out->address, address);
    out->suffrage = non_voter ? RAFT_NONVOTER : RAFT_VOTER;
    return NULL;
}

static const char *read_list(json_t *list, struct raft_configuration *out)
{
    const char *fault;
    json_t *item;
    size_t i, voters = 0;

    if (!json_is_array(list) || json_array_size(list) == 0 ||
        json_array_size(list) > RAFT_SERVERS_MAX)
        return "wanted a list of 1 to 15 servers";
    json_array_foreach (list, i, item) {
        struct raft_server server = {.suffrage = RAFT_VOTER};

        fault = read_server(item, &server);
        if (fault != NULL)
            return fault;
        if (raft_configuration_find(out, server.id) != NULL)
            return "an id is there twice";
        voters += server.suffrage == RAFT_VOTER;
        out->servers[out->server_count++] = server;
    }
    return voters > 0 ? NULL : "no server has a vote";
}

int peers_file_read(const char *path, struct raft_configuration *out,
                    char **why)
{
    json_error_t error;
    const char *fault;
    json_t *list;

    memset(out, 0, sizeof(*out));
    if (access(path, F_OK) != 0) {
        *why = base_asprintf("%s: %s", path, strerror(errno));
        return BASE_ENOTFOUND;
    }
    list = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (list == NULL)
        return refuse(why, path, error.text);
    fault = read_list(list, out);
    json_decref(list);
    return fault ? refuse(why, path, fault) : 0;
}

/* ---- putting it into force ------------------------------------------------ */

/* Raft knows servers as "node/ip:port", operators as ip:port: the node's name
 * is the one that the old list has. */
static void complete(void *ctx, const struct raft_configuration *known,
                     struct raft_configuration *wanted)
{
    uint32_t i;

    (void)ctx;
    for (i = 0; i < wanted->server_count; i++) {
        struct raft_server *server = &wanted->servers[i];
        const struct raft_server *old =
            raft_configuration_find(known, server->id);
        const char *slash = old ? strchr(old->address, '/') : NULL;
        char *full;

        if (slash == NULL || strchr(server->address, '/') != NULL)
            continue;
        full = base_asprintf("%.*s/%s", (int)(slash - old->address),
                             old->address, server->address);
        if (strlen(full) < sizeof(server->address))
            strcpy(server->address, full);
        base_free(full);
    }
}

static void on_done(void *arg, int status)
{
    *(int *)arg = status;
}

static bool is_done(void *arg)
{
    return *(int *)arg != 1;
}

static int run_recovery(struct base_loop *loop, struct raft_storage *storage,
                        const struct raft_configuration *configuration)
{
    struct raft_recover_config config = {.storage = storage,
                                         .configuration = configuration,
                                         .complete = complete};
    struct fsm fsm; /* fed and thrown away: the server's has its own */
    int status = 1;
    int rv;

    fsm_init(&fsm, base_loop_env(loop));
    config.fsm = fsm_ops(&fsm);
    rv = raft_recover(base_loop_env(loop), &config, on_done, &status);
    if (rv == 0)
        rv = base_loop_run_until(loop, is_done, &status, RECOVERY_MS)
                 ? status
                 : RAFT_ETIMEOUT;
    fsm_close(&fsm);
    return rv;
}

/* Only a list that was not yet used is used again. */
static int put_away(const char *folder, const char *path, char **why)
{
    char *used = base_asprintf("%s.used", path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rv = 0;

    if (rename(path, used) != 0 || fd < 0 || fsync(fd) != 0) {
        *why = base_asprintf("%s: cannot be renamed: %s", path,
                             strerror(errno));
        rv = BASE_EIO;
    }
    if (fd >= 0)
        close(fd);
    base_free(used);
    return rv;
}

static int apply(struct base_loop *loop, const char *folder,
                 const char *node_id, const char *path, char **why)
{
    struct raft_configuration configuration;
    struct raft_storage *storage;
    int rv = peers_file_read(path, &configuration, why);

    if (rv == 0 && raft_configuration_find(&configuration, node_id) == NULL)
        rv = refuse(why, path, "this server's own id is not in the list");
    if (rv == 0)
        rv = raft_storage_sqlite_open(base_loop_env(loop), folder, node_id,
                                      &storage, why);
    if (rv < 0)
        return rv;
    rv = run_recovery(loop, storage, &configuration);
    if (rv < 0) {
        *why = base_asprintf("%s: %s", path,
                             rv == RAFT_EINVAL
                                 ? "there is no Raft state to recover"
                                 : server_strerror(rv));
        return rv;
    }
    return put_away(folder, path, why);
}

int peers_file_apply(struct base_loop *loop, const char *folder,
                     const char *node_id, char **why)
{
    struct base_log log = base_log_named(&base_loop_env(loop)->log, "raft");
    char *path = base_asprintf("%s/%s", folder, PEERS_FILE);
    int rv = 0;

    if (access(path, F_OK) == 0) {
        base_log(&log, BASE_LOG_WARN, "recovering Raft by the operator's list",
                 kv_str("file", path));
        rv = apply(loop, folder, node_id, path, why);
        if (rv == 0)
            base_log(&log, BASE_LOG_WARN, "Raft recovered");
    }
    base_free(path);
    return rv;
}
