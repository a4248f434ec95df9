/* isthmus keyring */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/commands.h"
#include "cli/http_client.h"
#include "cli/json_get.h"
#include "cli/output.h"
#include "cli/payload.h"

struct request {
    struct http_options options;
    const char *install, *use, *remove;
    bool list, list_primary, local_only, is_json;
    uint32_t relay_factor;
};

#define RELAY_FACTOR_MAX 5u

/* ---- list ----------------------------------------------------------------- */

static void print_pool(json_t *pool, const char *which)
{
    const char *key;
    json_t *count, *text;

    if (json_is_true(json_object_get(pool, "WAN")))
        printf("\nWAN:\n");
    else
        printf("\n%s (LAN):\n", json_get_text(pool, "Datacenter"));
    json_object_foreach (json_object_get(pool, which), key, count)
        printf("  %s [%" JSON_INTEGER_FORMAT "/%" JSON_INTEGER_FORMAT "]\n",
               key, json_integer_value(count), json_get_int(pool, "NumNodes"));
    json_object_foreach (json_object_get(pool, "Messages"), key, text) {
        const char *raw = json_is_string(text) ? json_string_value(text) : "";
        char *clean = payload_clean(raw, strlen(raw));

        printf("  %s: %s\n", key, clean);
        base_free(clean);
    }
}

static int list(const struct request *request, const struct http_target *target)
{
    char *why = NULL, *path;
    json_t *pools = NULL, *pool;
    size_t i;
    int rv;

    path = base_asprintf("/v1/operator/keyring?relay-factor=%u%s",
                         request->relay_factor,
                         request->local_only ? "&local-only=1" : "");
    rv = http_json(target, "GET", path, &pools, &why);
    base_free(path);
    if (rv < 0)
        return cmd_fail("keyring", why);
    if (request->is_json) {
        output_json(pools);
    } else {
        printf("==> Gathering installed encryption keys...\n");
        json_array_foreach (pools, i, pool)
            print_pool(pool, request->list_primary ? "PrimaryKeys" : "Keys");
    }
    json_decref(pools);
    return 0;
}

/* ---- install, use, remove ------------------------------------------------- */

static int change(const struct request *request,
                  const struct http_target *target)
{
    const char *method = request->install ? "POST"
                         : request->use   ? "PUT"
                                          : "DELETE";
    const char *key = request->install ? request->install
                      : request->use   ? request->use
                                       : request->remove;
    json_t *body = json_pack("{s:s}", "Key", key);
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    char *path = base_asprintf("/v1/operator/keyring?relay-factor=%u",
                               request->relay_factor);
    char *why = NULL;
    int rv = -1;

    if (text == NULL) {
        why = base_strdup("the key is no text");
    } else {
        printf("==> %s\n", request->install ? "Installing new gossip "
                                              "encryption key..."
                           : request->use   ? "Changing primary gossip "
                                              "encryption key..."
                                            : "Removing gossip encryption "
                                              "key...");
        fflush(stdout);
        rv = http_json_body(target, method, path, text, strlen(text), NULL,
                            &why);
    }
    free(text);
    json_decref(body);
    base_free(path);
    return rv < 0 ? cmd_fail("keyring", why) : 0;
}

static int run(const struct request *request)
{
    struct http_target target;
    char *why = NULL;
    int code;

    if (http_target_init(&target, &request->options, &why) < 0)
        return cmd_fail("keyring", why);
    code = request->list || request->list_primary ? list(request, &target)
                                                  : change(request, &target);
    http_target_close(&target);
    return code;
}

int cmd_keyring(int argc, char **argv)
{
    struct request request = {.relay_factor = 0};
    const char *format = "table";
    const struct args_flag flags[] = {
        {"install", ARGS_TEXT, &request.install, "KEY",
         "give a new key to all nodes; it does not encrypt yet"},
        {"use", ARGS_TEXT, &request.use, "KEY",
         "encrypt with this key from now on; it must be installed"},
        {"remove", ARGS_TEXT, &request.remove, "KEY",
         "take a key from all nodes; not the one in use"},
        {"list", ARGS_BOOL, &request.list, NULL,
         "the keys, and how many nodes have each"},
        {"list-primary", ARGS_BOOL, &request.list_primary, NULL,
         "the keys in use, and by how many nodes"},
        {"local-only", ARGS_BOOL, &request.local_only, NULL,
         "list the LAN pool only"},
        {"relay-factor", ARGS_UINT, &request.relay_factor, "N",
         "how many other nodes each answer also goes by, 0 to 5"},
        {"format", ARGS_TEXT, &format, "FORMAT", "table or json"},
        HTTP_FLAGS(request.options)};
    const struct args_command command = {
        "isthmus keyring -list | -install=KEY | -use=KEY | -remove=KEY",
        "Manages the gossip keys of the WAN pool and of this datacenter's LAN "
        "pool.\nA new key: install, use, remove the old one, each when the one "
        "before has\nreached all nodes. Other datacenters' LAN pools are asked "
        "at their own servers.",
        flags, BASE_COUNT_OF(flags),
        "isthmus keyring -list\nisthmus keyring -install=$(isthmus keygen)"};
    int code;

    if (args_parse(&command, argc, argv, NULL, &code) != 0)
        return code;
    if (!output_format(format, &request.is_json))
        return args_usage_error(&command, "-format: wanted table or json");
    if (request.relay_factor > RELAY_FACTOR_MAX)
        return args_usage_error(&command, "-relay-factor: wanted 0 to %u",
                                RELAY_FACTOR_MAX);
    if ((request.install != NULL) + (request.use != NULL) +
            (request.remove != NULL) + request.list + request.list_primary !=
        1)
        return args_usage_error(
            &command,
            "one of -install, -use, -remove, -list, -list-primary is needed");
    return run(&request);
}
