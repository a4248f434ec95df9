/* isthmus operator raft remove-peer and transfer-leader: one request each. */
#include <stdio.h>

#include "base/alloc.h"
#include "cli/commands.h"
#include "cli/http_client.h"

struct change {
    struct http_options options;
    const char *id, *address, *dc;
};

static int send(const struct change *change, const char *method,
                const char *path, char **why)
{
    struct http_target target;
    char *id = http_escape(change->id ? change->id : "");
    char *address = http_escape(change->address ? change->address : "");
    char *dc = http_escape(change->dc ? change->dc : "");
    char *whole = base_asprintf("%s?id=%s&address=%s&dc=%s", path, id, address,
                                dc);
    int rv = http_target_init(&target, &change->options, why);

    if (rv == 0) {
        rv = http_json_body(&target, method, whole, "", 0, NULL, why);
        http_target_close(&target);
    }
    base_free(whole);
    base_free(id);
    base_free(address);
    base_free(dc);
    return rv;
}

int cmd_raft_remove_peer(int argc, char **argv)
{
    struct change change = {.id = NULL};
    const struct args_flag flags[] = {
        {"id", ARGS_TEXT, &change.id, "ID", "the server's id"},
        {"address", ARGS_TEXT, &change.address, "IP:PORT",
         "or its address"},
        {"dc", ARGS_TEXT, &change.dc, "DC",
         "in that datacenter; default: the agent's own"},
        HTTP_FLAGS(change.options)};
    const struct args_command command = {
        "isthmus operator raft remove-peer -id=ID | -address=IP:PORT",
        "Removes a server from the consensus of a datacenter, for one that is "
        "gone for\ngood and that force-leave did not remove. A server that is "
        "alive in the LAN pool\nis added again within a minute: let it leave "
        "instead.",
        flags, BASE_COUNT_OF(flags),
        "isthmus operator raft remove-peer -address=10.0.0.9:8300"};
    char *why = NULL;
    int code;

    if (args_parse(&command, argc, argv, NULL, &code) != 0)
        return code;
    if ((change.id == NULL) == (change.address == NULL))
        return args_usage_error(&command, "one of -id and -address is needed");
    if (send(&change, "DELETE", "/v1/operator/raft/peer", &why) < 0)
        return cmd_fail("operator raft remove-peer", why);
    printf("Removed peer with %s \"%s\"\n", change.id ? "id" : "address",
           change.id ? change.id : change.address);
    return 0;
}

int cmd_raft_transfer_leader(int argc, char **argv)
{
    struct change change = {.id = NULL};
    const struct args_flag flags[] = {
        {"id", ARGS_TEXT, &change.id, "ID",
         "the server that shall lead; default: who has most of the log"},
        {"dc", ARGS_TEXT, &change.dc, "DC",
         "in that datacenter; default: the agent's own"},
        HTTP_FLAGS(change.options)};
    const struct args_command command = {
        "isthmus operator raft transfer-leader [-id=ID]",
        "The leader of a datacenter hands leadership to another server, for "
        "example\nbefore it is stopped: no election has to time out. Writes "
        "wait meanwhile.",
        flags, BASE_COUNT_OF(flags), "isthmus operator raft transfer-leader"};
    char *why = NULL;
    int code;

    if (args_parse(&command, argc, argv, NULL, &code) != 0)
        return code;
    if (send(&change, "POST", "/v1/operator/raft/transfer-leader", &why) < 0)
        return cmd_fail("operator raft transfer-leader", why);
    printf("Success\n");
    return 0;
}
