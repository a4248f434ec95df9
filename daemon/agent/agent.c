/*
 * The agent's life: two loops run until a signal, a leave or a fault ends them.
 */
#include <signal.h>
#include <stdio.h>

#include "agent/agent_private.h"
#include "agent/notify.h"
#include "base/alloc.h"
#include "base/error.h"

#define SHUTDOWN_MS 1000u /* blocking queries would hold on for minutes */
#define LEAVE_TIMEOUT_MS 20000u

/* ---- the end -------------------------------------------------------------- */

void agent_stop(struct agent *agent, int exit_code)
{
    agent->exit_code = exit_code;
    base_loop_stop(agent->main);
}

static void on_calls_ended(void *arg)
{
    agent_stop(arg, 0);
}

/* Callers are told to go elsewhere, and those that wait are answered. */
static void stop_gently(struct agent *agent)
{
    if (agent->stopping) {
        agent_stop(agent, 1); /* asked twice: at once */
        return;
    }
    agent->stopping = true;
    notify("STOPPING=1");
    rpc_server_shutdown(agent->core.rpc, SHUTDOWN_MS, on_calls_ended, agent);
}

static void on_left(void *arg, int status)
{
    struct agent *agent = arg;

    if (!agent->leaving)
        return; /* the timer was faster */
    agent->leaving = false;
    base_timer_stop(&agent->leave_timer);
    base_log(&agent->log, BASE_LOG_INFO, "left the pools");
    if (agent->leave_done)
        agent->leave_done(agent->leave_arg, status);
    /* A turn of the loop lets the answer to the leave request go out. */
    base_timer_start_ms(&agent->leave_timer, 100);
}

static void on_leave_timer(void *arg)
{
    struct agent *agent = arg;

    if (agent->leaving)
        base_log(&agent->log, BASE_LOG_WARN, "leave takes too long, stopping");
    agent_stop(agent, 0);
}

void agent_start_leave(void *ctx, void (*done)(void *arg, int status), void *arg)
{
    struct agent *agent = ctx;
    int rv;

    if (agent->leaving) {
        if (done)
            done(arg, BASE_EEXIST);
        return;
    }
    base_log(&agent->log, BASE_LOG_INFO, "leaving the pools");
    agent->leaving = true;
    notify("STOPPING=1");
    agent->leave_done = done;
    agent->leave_arg = arg;
    base_timer_start_ms(&agent->leave_timer, LEAVE_TIMEOUT_MS);
    rv = agent->server ? server_leave(agent->server, on_left, agent)
                       : client_leave(agent->client, on_left, agent);
    if (rv != 0)
        on_left(agent, rv);
}

/* ---- signals -------------------------------------------------------------- */

static void on_signal(evutil_socket_t number, short events, void *arg)
{
    struct agent *agent = arg;
    char *why = NULL;

    (void)events;
    if (number == SIGHUP) {
        if (agent_reload_all(agent, &why) != 0)
            base_log(&agent->log, BASE_LOG_ERROR, "reload failed",
                     kv_str("error", why));
        base_free(why);
        return;
    }
    if (agent->leaving) {
        agent_stop(agent, 1); /* asked twice: at once */
        return;
    }
    if (number == SIGINT ? !agent->config->skip_leave_on_interrupt
                         : agent->config->leave_on_terminate)
        agent_start_leave(agent, NULL, NULL);
    else
        stop_gently(agent);
}

static void watch_signals(struct agent *agent)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(numbers); i++) {
        agent->signals[i] = evsignal_new(base_loop_event_base(agent->main),
                                         numbers[i], on_signal, agent);
        event_add(agent->signals[i], NULL);
    }
}

/* ---- life ----------------------------------------------------------------- */

static void *run_gossip(void *arg)
{
    base_loop_run(arg);
    return NULL;
}

static int start(struct agent *agent, char **why)
{
    if (agent_make(agent, why) != 0)
        return -1;
    base_timer_init(&agent->leave_timer, base_loop_env(agent->main), "leave",
                    on_leave_timer, agent);
    watch_signals(agent);
    if (pthread_create(&agent->gossip_thread, NULL, run_gossip,
                       agent->gossip) != 0)
        return agent_fail(why, "cannot start the gossip thread");
    agent->gossip_runs = true;
    return 0;
}

static void finish(struct agent *agent)
{
    size_t i;

    if (agent->gossip_runs) {
        base_loop_stop(agent->gossip);
        pthread_join(agent->gossip_thread, NULL);
    }
    for (i = 0; i < BASE_COUNT_OF(agent->signals); i++)
        if (agent->signals[i])
            event_free(agent->signals[i]);
    /* What the loops still owe is told while everybody is there to hear it. */
    if (agent->gossip)
        base_loop_drain(agent->gossip);
    if (agent->main)
        base_loop_drain(agent->main);
    base_timer_stop(&agent->leave_timer);
    agent_unmake(agent);
}

int agent_run(struct config *config, agent_reread_fn reread, void *ctx)
{
    struct agent agent = {
        .config = config, .reread = reread, .reread_ctx = ctx};
    char *why = NULL;

    if (start(&agent, &why) == 0) {
        base_log(&agent.log, BASE_LOG_INFO, "agent runs",
                 kv_str("node", config->node_name),
                 kv_str("datacenter", config->datacenter),
                 kv_bool("server", config->server),
                 kv_str("version", ISTHMUS_VERSION));
        notify("READY=1");
        base_loop_run(agent.main);
    } else {
        fprintf(stderr, "isthmus: %s\n", why ? why : "cannot start");
        agent.exit_code = 1;
    }
    base_free(why);
    finish(&agent);
    return agent.exit_code;
}
