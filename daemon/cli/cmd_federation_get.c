/* isthmus federation get */
#include "base/alloc.h"
#include "cli/commands.h"
#include "cli/ask.h"
#include "cli/federation_view.h"

int cmd_federation_get(int argc, char **argv)
{
    struct ask ask = {.format = "table"};
    struct args_list words = {NULL, 0};
    const struct args_flag flags[] = {ASK_FLAGS(ask)};
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
    code = ask_and_print(&command, "federation get", &ask, path,
                           federation_print_state);
    base_free(path);
    base_free(escaped);
    args_list_close(&words);
    return code;
}
