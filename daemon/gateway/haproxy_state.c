/*
 * Both texts are lines of words. The state file's first four columns are the
 * backend's and the server's numbers and names, the seventh the reasons for
 * maintenance as bits, 0 for none (HAProxy's management guide, 9.3, "show
 * servers state").
 */
#include "gateway/haproxy_state.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define COLUMN_BACKEND 1
#define COLUMN_SERVER 3
#define COLUMN_ADMIN 6
#define COLUMNS 7
#define DESCRIPTION "description"

/* ---- reading --------------------------------------------------------------
 */

static struct haproxy_server *add(struct haproxy_state *state,
                                  const char *backend, const char *server)
{
    struct haproxy_server *added;

    state->servers = base_reallocarray(state->servers, state->count + 1,
                                       sizeof(*state->servers));
    added = &state->servers[state->count++];
    *added = (struct haproxy_server){
        .name = base_asprintf("%s/%s", backend, server)};
    return added;
}

static int compare(const void *a, const void *b)
{
    const struct haproxy_server *left = a, *right = b;

    return strcmp(left->name, right->name);
}

static void sort(struct haproxy_state *state)
{
    if (state->count > 0)
        qsort(state->servers, state->count, sizeof(*state->servers), compare);
}

static void set_description(struct haproxy_state *state, const char *words)
{
    base_free(state->description);
    state->description = base_strdup(words);
}

/* The line without its spaces in front, if it begins with word and a space or
 * colon: what follows. */
static char *after(char *line, const char *word)
{
    size_t len = strlen(word);

    line += strspn(line, " ");
    if (strncmp(line, word, len) != 0 ||
        (line[len] != ' ' && line[len] != ':'))
        return NULL;
    return line + len + strspn(line + len, ": ");
}

void haproxy_state_wanted(struct haproxy_state *out, const char *text)
{
    char *copy = base_strdup(text), *rest = NULL, *line, *words;
    const char *backend = "";

    *out = (struct haproxy_state){0};
    for (line = strtok_r(copy, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        if ((words = after(line, DESCRIPTION)) != NULL) {
            set_description(out, words);
        } else if (*line != ' ' && (words = after(line, "backend")) != NULL) {
            backend = words;
        } else if ((words = after(line, "server")) != NULL) {
            char *gap = strchr(words, ' ');

            if (gap == NULL)
                continue;
            *gap = '\0';
            add(out, backend, words)->words = base_strdup(gap + 1);
        }
    }
    sort(out);
    base_free(copy);
}

static bool read_row(struct haproxy_state *state, char *line)
{
    char *words[COLUMNS], *rest = NULL;
    size_t i;

    for (i = 0; i < COLUMNS; i++) {
        words[i] = strtok_r(i == 0 ? line : NULL, " ", &rest);
        if (words[i] == NULL)
            return false;
    }
    add(state, words[COLUMN_BACKEND], words[COLUMN_SERVER])->ready =
        strcmp(words[COLUMN_ADMIN], "0") == 0;
    return true;
}

/* Information, an empty line, the version of the table ("1"), its heading, and
 * a row for each server. */
bool haproxy_state_running(struct haproxy_state *out, const char *answer)
{
    char *copy = base_strdup(answer), *rest = NULL, *line, *words;
    bool in_table = false, good = true;

    *out = (struct haproxy_state){0};
    for (line = strtok_r(copy, "\n", &rest); line != NULL && good;
         line = strtok_r(NULL, "\n", &rest)) {
        if (in_table)
            good = *line == '#' || read_row(out, line);
        else if (strcmp(line, "1") == 0)
            in_table = true;
        else if ((words = after(line, DESCRIPTION)) != NULL)
            set_description(out, words);
    }
    base_free(copy);
    if (!good || !in_table) {
        haproxy_state_close(out);
        return false;
    }
    sort(out);
    return true;
}

void haproxy_state_close(struct haproxy_state *state)
{
    size_t i;

    for (i = 0; i < state->count; i++) {
        base_free(state->servers[i].name);
        base_free(state->servers[i].words);
    }
    base_free(state->servers);
    base_free(state->description);
    *state = (struct haproxy_state){0};
}

/* ---- comparing ------------------------------------------------------------
 */

/* One walk along both lists; every pair of which one side may be missing. */
static void
walk(const struct haproxy_state *running, const struct haproxy_state *wanted,
     void (*each)(void *arg, const struct haproxy_server *is,
                  const struct haproxy_server *want),
     void *arg)
{
    size_t i = 0, j = 0;

    while (i < running->count || j < wanted->count) {
        int order = i == running->count  ? 1
                    : j == wanted->count ? -1
                                         : compare(&running->servers[i],
                                                   &wanted->servers[j]);

        each(arg, order <= 0 ? &running->servers[i] : NULL,
             order >= 0 ? &wanted->servers[j] : NULL);
        i += order <= 0;
        j += order >= 0;
    }
}

static void put_commands(void *arg, const struct haproxy_server *is,
                         const struct haproxy_server *want)
{
    struct base_buf *commands = arg;

    if (is == NULL)
        base_buf_printf(commands, "add server %s %s\n", want->name,
                        want->words);
    if (want != NULL && (is == NULL || !is->ready))
        base_buf_printf(commands, "enable server %s\n", want->name);
    if (want == NULL && is->ready)
        base_buf_printf(commands, "disable server %s\n", is->name);
    if (want == NULL)
        base_buf_printf(commands, "del server %s\n", is->name);
}

void haproxy_state_diff(const struct haproxy_state *running,
                        const struct haproxy_state *wanted,
                        struct base_buf *commands)
{
    walk(running, wanted, put_commands, commands);
}

static void see_difference(void *arg, const struct haproxy_server *is,
                           const struct haproxy_server *want)
{
    bool ready = is != NULL && is->ready;

    if (ready != (want != NULL))
        *(bool *)arg = false;
}

bool haproxy_state_same(const struct haproxy_state *running,
                        const struct haproxy_state *wanted)
{
    bool same = true;

    walk(running, wanted, see_difference, &same);
    return same;
}
