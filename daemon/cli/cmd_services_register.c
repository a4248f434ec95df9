/* isthmus services register */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/commands.h"
#include "cli/http_client.h"
#include "cli/json_get.h"
#include "cli/service_file.h"

struct request {
    struct http_options options;
    const char *name, *id, *address, *kind;
    uint32_t port;
    struct args_list tags, meta;
};

static int register_one(const struct http_target *target, const json_t *service,
                        char **why)
{
    char *body = json_dumps(service, JSON_COMPACT);
    int rv = http_json_body(target, "PUT", "/v1/agent/service/register", body,
                            strlen(body), NULL, why);

    if (rv == 0)
        printf("Registered service: %s\n", json_get_text(service, "Name"));
    free(body); /* jansson's, from malloc */
    return rv;
}

static int register_file(const struct http_target *target, const char *path,
                         char **why)
{
    json_t *services = service_file_read(path, why), *service;
    size_t i;
    int rv = services ? 0 : -1;

    json_array_foreach (services, i, service)
        if (rv == 0)
            rv = register_one(target, service, why);
    json_decref(services);
    return rv;
}

static void put_text(json_t *object, const char *key, const char *value)
{
    if (value)
        json_object_set_new(object, key, json_string(value));
}

static json_t *service_of(const struct request *request)
{
    json_t *service = json_object(), *tags = json_array(),
           *meta = json_object();
    size_t i;

    put_text(service, "Name", request->name);
    put_text(service, "ID", request->id);
    put_text(service, "Address", request->address);
    put_text(service, "Kind", request->kind);
    json_object_set_new(service, "Port", json_integer(request->port));
    for (i = 0; i < request->tags.count; i++)
        json_array_append_new(tags, json_string(request->tags.items[i]));
    for (i = 0; i < request->meta.count; i++) {
        const char *pair = request->meta.items[i];
        size_t len = strcspn(pair, "=");

        json_object_setn_new(meta, pair, len,
                             json_string(pair[len] ? pair + len + 1 : ""));
    }
    json_object_set_new(service, "Tags", tags);
    json_object_set_new(service, "Meta", meta);
    return service;
}

static int run(const struct request *request, const struct args_list *files)
{
    struct http_target target;
    char *why = NULL;
    size_t i;
    int rv = http_target_init(&target, &request->options, &why);

    if (rv < 0)
        return cmd_fail("services register", why);
    if (request->name) {
        json_t *service = service_of(request);

        rv = register_one(&target, service, &why);
        json_decref(service);
    }
    for (i = 0; i < files->count && rv == 0; i++)
        rv = register_file(&target, files->items[i], &why);
    http_target_close(&target);
    return rv < 0 ? cmd_fail("services register", why) : 0;
}

int cmd_services_register(int argc, char **argv)
{
    struct request request = {0};
    struct args_list files = {NULL, 0};
    const struct args_flag flags[] = {
        {"name", ARGS_TEXT, &request.name, "NAME", "name of the service"},
        {"id", ARGS_TEXT, &request.id, "ID",
         "its identity on this node; default: its name"},
        {"address", ARGS_TEXT, &request.address, "ADDRESS",
         "where it is; default: the node's address"},
        {"port", ARGS_UINT, &request.port, "PORT", "and at which port"},
        {"kind", ARGS_TEXT, &request.kind, "KIND", "mesh-gateway, or none"},
        {"tag", ARGS_LIST, &request.tags, "TAG", "a tag; repeatable"},
        {"meta", ARGS_LIST, &request.meta, "KEY=VALUE",
         "a pair of metadata; repeatable"},
        HTTP_FLAGS(request.options)};
    const struct args_command command = {
        "isthmus services register [flags] [FILE...]",
        "Registers services with the agent: one by flags, or those of files "
        "(JSON, -: standard\ninput), where they may have checks too.",
        flags, BASE_COUNT_OF(flags),
        "isthmus services register -name=web -port=80 -tag=v2"};
    int code;

    if (args_parse(&command, argc, argv, &files, &code) == 0) {
        if (files.count == 0 && request.name == NULL)
            code = args_usage_error(&command, "-name or a file is needed");
        else if (files.count > 0 && request.name)
            code = args_usage_error(&command, "-name or a file, not both");
        else
            code = run(&request, &files);
    }
    args_list_close(&files);
    args_list_close(&request.tags);
    args_list_close(&request.meta);
    return code;
}
