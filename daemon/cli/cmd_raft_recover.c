/* isthmus operator raft recover */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/peers_file.h"
#include "base/alloc.h"
#include "base/error.h"
#include "cli/args.h"
#include "cli/commands.h"

/* The agent holds raft/lock while it runs (F_OFD_SETLK); asking is enough. */
static bool agent_runs(const char *folder)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char *path = base_asprintf("%s/lock", folder);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    bool held = false;

    if (fd >= 0) {
        held = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
        close(fd);
    }
    base_free(path);
    return held;
}

static json_t *list_json(const struct raft_configuration *servers)
{
    json_t *list = json_array();
    uint32_t i;

    for (i = 0; i < servers->server_count; i++)
        json_array_append_new(
            list,
            json_pack("{s:s, s:s, s:b}", "id", servers->servers[i].id,
                      "address", servers->servers[i].address, "non_voter",
                      servers->servers[i].suffrage == RAFT_NONVOTER));
    return list;
}

/* The same list, put where the agent looks for it: whole or not at all. */
static int install(const char *folder,
                   const struct raft_configuration *servers, char **why)
{
    char *path = base_asprintf("%s/%s", folder, PEERS_FILE);
    char *part = base_asprintf("%s.new", path);
    int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    json_t *list = list_json(servers);
    int rv = 0;

    if (fd < 0 || json_dumpfd(list, fd, JSON_INDENT(2)) != 0 ||
        fsync(fd) != 0 || rename(part, path) != 0) {
        *why = base_asprintf("%s: %s", path, strerror(errno));
        rv = BASE_EIO;
    }
    if (fd >= 0)
        close(fd);
    json_decref(list);
    base_free(part);
    base_free(path);
    return rv;
}

static int recover(const char *data_dir, const char *peers, char **why)
{
    struct raft_configuration servers;
    char *folder = base_asprintf("%s/raft", data_dir);
    char *db = base_asprintf("%s/raft.db", folder);
    int rv = peers_file_read(peers, &servers, why);

    if (rv == 0 && access(db, F_OK) != 0) {
        *why = base_asprintf("%s: %s", db, strerror(errno));
        rv = BASE_ENOTFOUND;
    } else if (rv == 0 && agent_runs(folder)) {
        *why = base_asprintf("%s is in use: stop the agent first", folder);
        rv = BASE_EEXIST;
    }
    if (rv == 0)
        rv = install(folder, &servers, why);
    base_free(db);
    base_free(folder);
    return rv;
}

int cmd_raft_recover(int argc, char **argv)
{
    const char *data_dir = NULL, *peers = NULL;
    const struct args_flag flags[] = {
        {"data-dir", ARGS_TEXT, &data_dir, "DIR",
         "the data_dir of this server's agent, which is stopped"},
        {"peers", ARGS_TEXT, &peers, "FILE",
         "the servers that are left: [{\"id\", \"address\", \"non_voter\"}]"}};
    const struct args_command command = {
        "isthmus operator raft recover -data-dir=DIR -peers=FILE",
        "For a datacenter that has lost the majority of its servers for good. "
        "Stop the\nservers that are left, run this on each with the same list "
        "of them, and start\nthem: each takes what it has for committed and "
        "goes on with that list. What only\nlost servers had is gone. A lost "
        "server that comes back is refused until its\ndata_dir/raft is "
        "emptied. The list is checked and put into DIR/raft/peers.json.",
        flags, BASE_COUNT_OF(flags),
        "isthmus operator raft recover -data-dir=/var/lib/isthmus "
        "-peers=peers.json"};
    char *why = NULL;
    int code;

    if (args_parse(&command, argc, argv, NULL, &code) != 0)
        return code;
    if (data_dir == NULL || peers == NULL)
        return args_usage_error(&command, "-data-dir and -peers are needed");
    if (recover(data_dir, peers, &why) < 0)
        return cmd_fail("operator raft recover", why);
    printf("%s/raft/%s is in place: start the agent\n", data_dir, PEERS_FILE);
    return 0;
}
