/* isthmus services deregister */
#include <stdio.h>

#include "base/alloc.h"
#include "cli/commands.h"
#include "cli/http_client.h"
#include "cli/service_file.h"

static int deregister(const struct http_target *target, const char *id,
                      char **why)
{
    char *escaped = http_escape(id);
    char *path = base_asprintf("/v1/agent/service/deregister/%s", escaped);
    int rv = http_json(target, "PUT", path, NULL, why);

    if (rv == 0)
        printf("Deregistered service: %s\n", id);
    base_free(path);
    base_free(escaped);
    return rv;
}

static int deregister_file(const struct http_target *target, const char *path,
                           char **why)
{
    json_t *services = service_file_read(path, why), *service;
    size_t i;
    int rv = services ? 0 : -1;

    json_array_foreach (services, i, service)
        if (rv == 0)
            rv = deregister(target, service_file_id(service), why);
    json_decref(services);
    return rv;
}

static int run(const struct http_options *options, const char *id,
               const struct args_list *files)
{
    struct http_target target;
    char *why = NULL;
    size_t i;
    int rv = http_target_init(&target, options, &why);

    if (rv < 0)
        return cmd_fail("services deregister", why);
    if (id)
        rv = deregister(&target, id, &why);
    for (i = 0; i < files->count && rv == 0; i++)
        rv = deregister_file(&target, files->items[i], &why);
    http_target_close(&target);
    return rv < 0 ? cmd_fail("services deregister", why) : 0;
}

int cmd_services_deregister(int argc, char **argv)
{
    struct http_options options = {0};
    struct args_list files = {NULL, 0};
    const char *id = NULL;
    const struct args_flag flags[] = {
        {"id", ARGS_TEXT, &id, "ID", "of the service, on this node"},
        HTTP_FLAGS(options)};
    const struct args_command command = {
        "isthmus services deregister [flags] [FILE...]",
        "Takes services back from the agent, by id or those of files that "
        "registered them.",
        flags, BASE_COUNT_OF(flags), "isthmus services deregister -id=web-1"};
    int code;

    if (args_parse(&command, argc, argv, &files, &code) == 0) {
        if ((id == NULL) == (files.count == 0))
            code = args_usage_error(&command, "either -id or a file is needed");
        else
            code = run(&options, id, &files);
    }
    args_list_close(&files);
    return code;
}
