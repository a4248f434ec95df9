/* isthmus federation put */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/commands.h"
#include "cli/http_client.h"

struct put {
    struct http_options options;
    const char *dc;
    struct args_list gateways;
};

static int send(const struct put *put, char **why)
{
    struct http_target target;
    char *dc = http_escape(put->dc);
    char *path = base_asprintf("/v1/internal/federation-state/%s", dc);
    json_t *body = json_object(), *list = json_array();
    char *text;
    size_t i;
    int rv;

    for (i = 0; i < put->gateways.count; i++)
        json_array_append_new(list, json_string(put->gateways.items[i]));
    json_object_set_new(body, "Gateways", list);
    text = json_dumps(body, JSON_COMPACT);
    rv = http_target_init(&target, &put->options, why);
    if (rv == 0) {
        rv = http_json_body(&target, "PUT", path, text, strlen(text), NULL,
                            why);
        http_target_close(&target);
    }
    free(text);
    json_decref(body);
    base_free(path);
    base_free(dc);
    return rv;
}

int cmd_federation_put(int argc, char **argv)
{
    struct put put = {.dc = NULL};
    const struct args_flag flags[] = {
        {"dc", ARGS_TEXT, &put.dc, "NAME", "the datacenter"},
        {"gateway", ARGS_LIST, &put.gateways, "IP[:PORT]",
         "WAN address of one of its mesh gateways; repeatable, port 8443 if "
         "none is given"},
        HTTP_FLAGS(put.options)};
    const struct args_command command = {
        "isthmus federation put [flags] -dc=NAME -gateway=IP[:PORT]...",
        "Declares the mesh gateways of a datacenter that runs no server of "
        "ours, such as\none of plain memberlist members. The record belongs to "
        "the operator: it is never\npruned, and stands until it is put anew or "
        "deleted. Datacenters with servers\nkeep their records themselves.",
        flags, BASE_COUNT_OF(flags),
        "isthmus federation put -dc=dc9 -gateway=203.0.113.7:8443"};
    char *why = NULL;
    int code, rv;

    if (args_parse(&command, argc, argv, NULL, &code) != 0) {
        args_list_close(&put.gateways);
        return code;
    }
    if (put.dc == NULL || *put.dc == '\0' || put.gateways.count == 0) {
        args_list_close(&put.gateways);
        return args_usage_error(&command,
                                "-dc and at least one -gateway are needed");
    }
    rv = send(&put, &why);
    args_list_close(&put.gateways);
    return rv == 0 ? 0 : cmd_fail("federation put", why);
}
