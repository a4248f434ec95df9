/*
 * What peers send and we do not use: a counter each reason, and a log line as
 * long as there are few (gossip.md 6.2).
 */
#include "serf/core.h"

static struct base_counter *counter_of(struct gossip_serf *serf,
                                       const char *reason)
{
    return base_metrics_counter(serf->env->metrics,
                                "isthmus.gossip.serf.refused", "reason",
                                reason);
}

void serf_counters_init(struct gossip_serf *serf)
{
    serf->counters = (struct serf_counters){
        .malformed = counter_of(serf, "malformed"),
        .ltime = counter_of(serf, "ltime"),
        .too_big = counter_of(serf, "too-big"),
        .full = counter_of(serf, "full"),
        .unroutable = counter_of(serf, "unroutable"),
        .pruned = counter_of(serf, "queue-pruned"),
        .events_dropped = counter_of(serf, "event-dropped"),
    };
}

void serf_refuse(struct gossip_serf *serf, struct base_counter *counter,
                 const char *what, const char *detail)
{
    base_counter_add(counter, 1);
    if (!base_log_limit_pass(&serf->log_limit, base_env_now_ns(serf->env)))
        return;
    base_log(&serf->log, BASE_LOG_WARN, "refused a serf message",
             kv_str("what", what), kv_str("detail", detail),
             kv_uint("suppressed", serf->log_limit.suppressed));
}
