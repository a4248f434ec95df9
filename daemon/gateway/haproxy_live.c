/* Ask, compare; then send what is missing and ask again, or wait and ask
 * again. */
#include "gateway/haproxy_live.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "gateway/haproxy_state.h"
#include "gateway/unix_ask.h"

#define QUESTION "show info;show servers state\n"
#define ASK_TIMEOUT_MS 2000u
#define AWAIT_MS 10000u
#define AGAIN_MS 50u
/* HAProxy takes a line of up to 16 KiB (tune.bufsize). */
#define LINE_BYTES_MAX 8192u

struct haproxy_live {
    struct base_loop *loop;
    struct base_env *env;
    char *socket;
    struct haproxy_state wanted;
    bool waits;
    uint64_t give_up_ms;
    struct base_buf commands; /* still to be sent */
    bool sent;                /* all were */
    struct unix_ask *ask;
    struct base_timer again;
    haproxy_live_fn done;
    void *arg;
};

static void finish(struct haproxy_live *live, enum haproxy_live_result result,
                   const char *why)
{
    haproxy_live_fn done = live->done;
    void *arg = live->arg;

    haproxy_live_free(live);
    done(arg, result, why);
}

static void look(void *arg);

/* As many commands as fit into a line, with ";" between them. */
static char *next_line(struct base_buf *commands)
{
    const char *text = (const char *)base_buf_data(commands);
    size_t have = base_buf_len(commands), len = 0;
    char *line, *at;

    while (len < have) {
        const char *end = memchr(text + len, '\n', have - len);
        size_t next = (size_t)(end - text) + 1;

        if (len > 0 && next > LINE_BYTES_MAX)
            break;
        len = next;
    }
    line = base_strndup(text, len);
    while ((at = strchr(line, '\n')) != NULL && at[1] != '\0')
        *at = ';';
    base_buf_consume(commands, len);
    return line;
}

static void send_commands(struct haproxy_live *live);

/* What it says to commands does not matter, only what it has then. */
static void on_sent(void *arg, int status, const char *answer)
{
    struct haproxy_live *live = arg;

    (void)answer;
    live->ask = NULL;
    if (status < 0)
        finish(live, HAPROXY_REFUSED, base_strerror(status));
    else
        send_commands(live);
}

static void send_commands(struct haproxy_live *live)
{
    char *line;

    if (base_buf_len(&live->commands) == 0) {
        live->sent = true;
        look(live);
        return;
    }
    line = next_line(&live->commands);
    live->ask = unix_ask_start(live->loop, live->socket, line, ASK_TIMEOUT_MS,
                               on_sent, live);
    base_free(line);
}

/* It does not run what it should, or cannot be asked. */
static void differs(struct haproxy_live *live,
                    enum haproxy_live_result result, const char *why)
{
    if (live->waits && base_env_now_ms(live->env) < live->give_up_ms)
        base_timer_start_ms(&live->again, AGAIN_MS);
    else
        finish(live, result, why);
}

static void compare(struct haproxy_live *live,
                    const struct haproxy_state *running)
{
    const char *wanted = live->wanted.description;
    const char *is = running->description;

    if (wanted == NULL || is == NULL || strcmp(wanted, is) != 0) {
        differs(live, HAPROXY_RUNS_ANOTHER, "it runs another configuration");
    } else if (haproxy_state_same(running, &live->wanted)) {
        finish(live, HAPROXY_RUNS_IT, "");
    } else if (live->waits || live->sent) {
        differs(live, HAPROXY_REFUSED, "it runs with other servers");
    } else {
        haproxy_state_diff(running, &live->wanted, &live->commands);
        send_commands(live);
    }
}

static void on_answer(void *arg, int status, const char *answer)
{
    struct haproxy_live *live = arg;
    struct haproxy_state running;

    live->ask = NULL;
    if (status < 0) {
        differs(live, HAPROXY_RUNS_ANOTHER, base_strerror(status));
    } else if (!haproxy_state_running(&running, answer)) {
        differs(live, HAPROXY_RUNS_ANOTHER,
                "its answer is not a table of servers");
    } else {
        compare(live, &running);
        haproxy_state_close(&running);
    }
}

static void look(void *arg)
{
    struct haproxy_live *live = arg;

    live->ask = unix_ask_start(live->loop, live->socket, QUESTION,
                               ASK_TIMEOUT_MS, on_answer, live);
}

/* ---- life -----------------------------------------------------------------
 */

static struct haproxy_live *start(struct base_loop *loop, const char *socket,
                                  const char *text, bool waits,
                                  haproxy_live_fn done, void *arg)
{
    struct haproxy_live *live;

    BASE_NEW(live);
    live->loop = loop;
    live->env = base_loop_env(loop);
    live->socket = base_strdup(socket);
    haproxy_state_wanted(&live->wanted, text);
    live->waits = waits;
    live->give_up_ms = base_env_now_ms(live->env) + AWAIT_MS;
    live->done = done;
    live->arg = arg;
    base_timer_init(&live->again, live->env, "haproxy", look, live);
    look(live);
    return live;
}

struct haproxy_live *haproxy_live_change(struct base_loop *loop,
                                         const char *socket, const char *text,
                                         haproxy_live_fn done, void *arg)
{
    return start(loop, socket, text, false, done, arg);
}

struct haproxy_live *haproxy_live_await(struct base_loop *loop,
                                        const char *socket, const char *text,
                                        haproxy_live_fn done, void *arg)
{
    return start(loop, socket, text, true, done, arg);
}

void haproxy_live_free(struct haproxy_live *live)
{
    if (live == NULL)
        return;
    base_timer_stop(&live->again);
    unix_ask_free(live->ask);
    haproxy_state_close(&live->wanted);
    base_buf_close(&live->commands);
    base_free(live->socket);
    base_free(live);
}
