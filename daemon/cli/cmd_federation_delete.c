/* isthmus federation delete */
#include "base/alloc.h"
#include "cli/commands.h"
#include "cli/http_client.h"

static int delete(const struct http_options *options, const char *dc,
                  char **why)
{
    struct http_target target;
    int rv = http_target_init(&target, options, why);
    char *escaped, *path;

    if (rv != 0)
        return rv;
    escaped = http_escape(dc);
    path = base_asprintf("/v1/internal/federation-state/%s", escaped);
    rv = http_json(&target, "DELETE", path, NULL, why);
    base_free(path);
    base_free(escaped);
    http_target_close(&target);
    return rv;
}

int cmd_federation_delete(int argc, char **argv)
{
    struct http_options options = {0};
    const char *dc = NULL;
    const struct args_flag flags[] = {
        {"dc", ARGS_TEXT, &dc, "NAME", "the datacenter"},
        HTTP_FLAGS(options)};
    const struct args_command command = {
        "isthmus federation delete [flags] -dc=NAME",
        "Deletes a datacenter's federation state: no gateway leads there any "
        "more. A\ndatacenter that still runs servers puts its own again at "
        "once.",
        flags, BASE_COUNT_OF(flags), "isthmus federation delete -dc=dc9"};
    char *why = NULL;
    int code;

    if (args_parse(&command, argc, argv, NULL, &code) != 0)
        return code;
    if (dc == NULL || *dc == '\0')
        return args_usage_error(&command, "-dc is needed");
    return delete(&options, dc, &why) == 0
               ? 0
               : cmd_fail("federation delete", why);
}
