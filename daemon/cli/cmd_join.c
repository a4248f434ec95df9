/* isthmus join */
#include <stdio.h>

#include "base/alloc.h"
#include "cli/commands.h"
#include "cli/http_client.h"

static int join_one(const struct http_target *target, const char *address,
                    bool wan, char **why)
{
    char *escaped = http_escape(address);
    char *path =
        base_asprintf("/v1/agent/join/%s%s", escaped, wan ? "?wan=1" : "");
    int rv = http_json(target, "PUT", path, NULL, why);

    base_free(path);
    base_free(escaped);
    return rv;
}

/* Joins all that it can; the exit code tells whether that was all. */
static int join_all(const struct http_target *target,
                    const struct args_list *addresses, bool wan)
{
    size_t i, joined = 0;

    for (i = 0; i < addresses->count; i++) {
        char *why = NULL;

        if (join_one(target, addresses->items[i], wan, &why) == 0)
            joined++;
        else
            fprintf(stderr, "isthmus join: \"%s\": %s\n", addresses->items[i],
                    why);
        base_free(why);
    }
    if (joined > 0)
        printf("Successfully joined cluster by contacting %zu nodes.\n",
               joined);
    return joined == addresses->count ? 0 : 1;
}

int cmd_join(int argc, char **argv)
{
    struct http_options options = {0};
    struct args_list addresses = {NULL, 0};
    bool wan = false;
    const struct args_flag flags[] = {
        {"wan", ARGS_BOOL, &wan, NULL,
         "join the WAN pool, as a server; default: the LAN pool"},
        HTTP_FLAGS(options)};
    const struct args_command command = {
        "isthmus join [flags] ADDRESS...",
        "Tells the agent to join the pool of the agents at the addresses "
        "(host, host:port\nor name/host:port). One that answers is enough to "
        "be a member.",
        flags, BASE_COUNT_OF(flags), "isthmus join 10.0.0.11 10.0.0.12:8301"};
    struct http_target target;
    char *why = NULL;
    int code;

    if (args_parse(&command, argc, argv, &addresses, &code) != 0) {
        args_list_close(&addresses);
        return code;
    }
    if (addresses.count == 0)
        return args_usage_error(&command, "an address is needed");
    if (http_target_init(&target, &options, &why) < 0) {
        code = cmd_fail("join", why);
    } else {
        code = join_all(&target, &addresses, wan);
        http_target_close(&target);
    }
    args_list_close(&addresses);
    return code;
}
