/* isthmus federation get */
#include "base/alloc.h"
#include "cli/commands.h"
#include "cli/federation_common.h"
#include "cli/federation_view.h"

int cmd_federation_get(int argc, char **argv)
{
    struct federation_request request = {.format = "table"};
    struct args_list words = {NULL, 0};
    const struct args_flag flags[] = {FEDERATION_FLAGS(request)};
    const struct args_command command = {
        "isthmus federation get [flags] DATACENTER",
        "Shows the federation state of one datacenter, and its gateways.",
        flags, BASE_COUNT_OF(flags), "isthmus federation get dc2"};
    char *escaped, *path;
    int code;

    if (args_parse(&command, argc, argv, &words, &code) != 0) {
        args_list_close(&words);
        return code;
    }
    if (words.count != 1 || *words.items[0] == '\0') {
        args_list_close(&words);
        return args_usage_error(&command, "one datacenter is needed");
    }
    escaped = http_escape(words.items[0]);
    path = base_asprintf("/v1/internal/federation-state/%s", escaped);
    code = federation_show(&command, "federation get", &request, path,
                           federation_print_state);
    base_free(path);
    base_free(escaped);
    args_list_close(&words);
    return code;
}
