/*
 * Where the agent's log goes: standard error, a file or syslog, and before
 * them the monitors.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "agent/agent_private.h"
#include "agent/syslog_sink.h"
#include "base/alloc.h"

static int open_file(const char *path, char **why)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);

    if (fd < 0)
        *why = base_asprintf("log_file %s: %s", path, strerror(errno));
    return fd;
}

static int open_sink(struct agent *agent, char **why)
{
    const struct config *config = agent->config;
    int facility;

    agent->log_fd = STDERR_FILENO;
    if (config->enable_syslog) {
        syslog_facility_parse(config->syslog_facility, &facility);
        agent->sink = syslog_sink_new(facility);
        return 0;
    }
    if (config->log_file) {
        agent->log_fd = open_file(config->log_file, why);
        if (agent->log_fd < 0)
            return -1;
    }
    agent->sink = base_log_sink_fd(agent->log_fd, config->log_json);
    return 0;
}

int agent_open_log(struct agent *agent, char **why)
{
    if (open_sink(agent, why) != 0)
        return -1;
    agent->monitors = monitor_hub_new(agent->sink, agent->config->log_level);
    /* Records of debug level are made for monitors; the sink leaves them out. */
    agent->log = (struct base_log){
        monitor_hub_sink(agent->monitors), "agent",
        agent->config->log_level < BASE_LOG_DEBUG ? agent->config->log_level
                                                  : BASE_LOG_DEBUG};
    return 0;
}

int agent_reload_log(struct agent *agent, char **why)
{
    int fd;

    monitor_hub_set_level(agent->monitors, agent->config->log_level);
    if (agent->log_fd <= STDERR_FILENO)
        return 0;
    fd = open_file(agent->config->log_file, why);
    if (fd < 0)
        return -1;
    /* The sink's number stays, so that no thread's line falls in between. */
    dup3(fd, agent->log_fd, O_CLOEXEC);
    close(fd);
    return 0;
}

void agent_close_log(struct agent *agent)
{
    monitor_hub_free(agent->monitors);
    if (agent->sink && agent->config->enable_syslog)
        syslog_sink_free(agent->sink);
    else if (agent->sink)
        base_log_sink_free(agent->sink);
    if (agent->log_fd > STDERR_FILENO)
        close(agent->log_fd);
}
