/*
 * isthmus watch: blocking queries one after the other, each as long as nothing
 * changes, and a program that gets every new answer on its standard input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/output.h"

#define WAIT "30s" /* less than a request may take */
#define RETRY_S 5u /* the agent is away, or cannot answer now */

struct watch {
    struct http_options options;
    const char *type, *service, *tag, *state, *name, *dc;
    bool passing_only, stale;
};

/* The path of a type, without index; NULL with what is missing in *fault. */
static char *path_of(const struct watch *watch, const char **fault)
{
    char *service = http_escape(watch->service ? watch->service : "");
    char *state = http_escape(watch->state ? watch->state : "any");
    char *path = NULL;

    *fault = NULL;
    if (strcmp(watch->type, "nodes") == 0)
        path = base_strdup("/v1/catalog/nodes");
    else if (strcmp(watch->type, "services") == 0)
        path = base_strdup("/v1/catalog/services");
    else if (strcmp(watch->type, "event") == 0)
        path = ask_with(base_strdup("/v1/event/list"), "name", watch->name);
    else if (strcmp(watch->type, "checks") == 0)
        path = watch->service ? base_asprintf("/v1/health/checks/%s", service)
                              : base_asprintf("/v1/health/state/%s", state);
    else if (strcmp(watch->type, "service") != 0)
        *fault = "-type: wanted nodes, services, service, checks or event";
    else if (watch->service == NULL)
        *fault = "-service is needed";
    else
        path = ask_with(base_asprintf("/v1/health/service/%s", service), "tag",
                        watch->tag);
    base_free(service);
    base_free(state);
    if (path == NULL)
        return NULL;
    path = ask_with(path, "passing", watch->passing_only ? "1" : NULL);
    path = ask_with(path, "stale", watch->stale ? "1" : NULL);
    return ask_with(path, "dc", watch->dc);
}

/* Runs the program to its end; what it returns does not end the watch. */
static void hand_over(const char *program, const struct http_reply *reply)
{
    char index[24];
    FILE *to;

    snprintf(index, sizeof(index), "%llu", (unsigned long long)reply->index);
    setenv("CONSUL_INDEX", index, 1);
    to = popen(program, "w");
    if (to == NULL) {
        fprintf(stderr, "isthmus watch: cannot run %s\n", program);
        return;
    }
    fwrite(reply->body, 1, reply->len, to);
    if (pclose(to) != 0)
        fprintf(stderr, "isthmus watch: %s has failed\n", program);
}

/* One question; what is refused is said, what is away is tried again. Returns
 * the index to go on from. */
static uint64_t look(const struct http_target *target, const char *path,
                     uint64_t index, const char *program)
{
    struct http_reply reply;
    char number[24], *why = NULL, *whole;
    bool failed;

    snprintf(number, sizeof(number), "%llu", (unsigned long long)index);
    whole = ask_with(base_strdup(path), "index", index > 0 ? number : NULL);
    whole = ask_with(whole, "wait", index > 0 ? WAIT : NULL);
    failed = http_call(target, "GET", whole, &reply, &why) < 0;
    if (!failed && reply.status != 200) {
        why = base_asprintf("the agent answered %d: %.500s", reply.status,
                            reply.body);
        failed = true;
    } else if (!failed && reply.index == 0) {
        why = base_strdup("the answer has no X-Consul-Index to wait for");
        failed = true; /* or it would be asked for without a pause */
    }
    if (failed) {
        fprintf(stderr, "isthmus watch: %s\n", why);
        sleep(RETRY_S);
    } else if (reply.index != index) {
        hand_over(program, &reply);
        /* Backwards after a restore: from the beginning. */
        index = reply.index < index ? 0 : reply.index;
    }
    http_reply_close(&reply);
    base_free(whole);
    base_free(why);
    return index;
}

static int show_once(const struct http_target *target, const char *path)
{
    json_t *answer;
    char *why = NULL;

    if (http_json(target, "GET", path, &answer, &why) < 0)
        return cmd_fail("watch", why);
    output_json(answer);
    json_decref(answer);
    return 0;
}

static char *join(const struct args_list *words)
{
    struct base_buf buf = BASE_BUF_INIT;
    size_t i;

    for (i = 0; i < words->count; i++)
        base_buf_printf(&buf, "%s%s", i > 0 ? " " : "", words->items[i]);
    return base_buf_take_string(&buf);
}

static int run(const struct watch *watch, const char *path,
               const struct args_list *words)
{
    struct http_target target;
    char *why = NULL, *program;
    uint64_t index = 0;
    int code;

    if (http_target_init(&target, &watch->options, &why) < 0)
        return cmd_fail("watch", why);
    if (words->count == 0) {
        code = show_once(&target, path);
        http_target_close(&target);
        return code;
    }
    program = join(words);
    for (;;) /* until a signal ends it */
        index = look(&target, path, index, program);
}

int cmd_watch(int argc, char **argv)
{
    struct watch watch = {.type = ""};
    struct args_list words = {NULL, 0};
    const struct args_flag flags[] = {
        {"type", ARGS_TEXT, &watch.type, "TYPE",
         "nodes, services, service, checks or event"},
        {"service", ARGS_TEXT, &watch.service, "NAME",
         "of type service; or whose checks"},
        {"tag", ARGS_TEXT, &watch.tag, "TAG", "instances with that tag"},
        {"passingonly", ARGS_BOOL, &watch.passing_only, NULL,
         "instances whose checks all pass"},
        {"state", ARGS_TEXT, &watch.state, "STATE",
         "checks in that state; default: any"},
        {"name", ARGS_TEXT, &watch.name, "NAME", "events of that name"},
        {"dc", ARGS_TEXT, &watch.dc, "DC",
         "ask the servers of that datacenter; default: the agent's own"},
        {"stale", ARGS_BOOL, &watch.stale, NULL,
         "let any server answer, not its leader alone"},
        HTTP_FLAGS(watch.options)};
    const struct args_command command = {
        "isthmus watch -type=TYPE [flags] [PROGRAM...]",
        "Runs a program by the shell, now and after each change, with the "
        "JSON on its standard\ninput and the index in CONSUL_INDEX. Without a "
        "program it prints what is now.",
        flags, BASE_COUNT_OF(flags),
        "isthmus watch -type=service -service=web -passingonly ./reload.sh"};
    const char *fault;
    char *path;
    int code;

    if (args_parse(&command, argc, argv, &words, &code) == 0) {
        path = path_of(&watch, &fault);
        code = path ? run(&watch, path, &words)
                    : args_usage_error(&command, "%s", fault);
        base_free(path);
    }
    args_list_close(&words);
    return code;
}
