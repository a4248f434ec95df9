/* posix_spawn(3), and waitpid(2) when SIGCHLD says that somebody ended. */
#include "gateway/child.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"

extern char **environ;

struct child {
    pid_t pid; /* 0: it was never there, or has ended */
    int failure;
    struct event *ended;
    struct base_timer deadline; /* also tells that it could not be started */
    child_done_fn done;
    void *arg;
};

static void finish(struct child *child, int status)
{
    child_done_fn done = child->done;
    void *arg = child->arg;

    child_free(child);
    done(arg, status);
}

static void on_ended(evutil_socket_t number, short events, void *arg)
{
    struct child *child = arg;
    int status;

    (void)number;
    (void)events;
    if (child->pid == 0 || waitpid(child->pid, &status, WNOHANG) != child->pid)
        return; /* somebody else's */
    child->pid = 0;
    finish(child, WIFEXITED(status) ? WEXITSTATUS(status)
                                    : 128 + WTERMSIG(status));
}

static void on_deadline(void *arg)
{
    struct child *child = arg;

    finish(child, child->pid == 0 ? child->failure : BASE_ETIMEOUT);
}

struct child *child_start(struct base_loop *loop, const char *const *words,
                          uint32_t timeout_ms, child_done_fn done, void *arg)
{
    struct child *child;
    int rv;

    BASE_NEW(child);
    child->done = done;
    child->arg = arg;
    base_timer_init(&child->deadline, base_loop_env(loop), "child", on_deadline,
                    child);
    child->ended = evsignal_new(base_loop_event_base(loop), SIGCHLD, on_ended,
                                child);
    event_add(child->ended, NULL);
    rv = posix_spawnp(&child->pid, words[0], NULL, NULL,
                      (char *const *)(uintptr_t)words, environ);
    if (rv != 0) {
        child->pid = 0;
        child->failure = base_error_from_errno(rv);
        timeout_ms = 0;
    }
    base_timer_start_ms(&child->deadline, timeout_ms);
    return child;
}

void child_free(struct child *child)
{
    if (child == NULL)
        return;
    base_timer_stop(&child->deadline);
    event_free(child->ended);
    if (child->pid != 0) {
        kill(child->pid, SIGKILL);
        waitpid(child->pid, NULL, 0);
    }
    base_free(child);
}
