/*
 * Two nodes under one name. If the name is ours, the others are asked whom they
 * know by it; who is in the minority stops (gossip.md 3.8). Where nobody
 * answers nobody can be outvoted: one forged message must not stop a lone node
 * (gossip.md 9.35).
 */
#include "serf/core.h"

#include "base/alloc.h"

struct serf_vote {
    struct gossip_serf *serf;
    size_t responses;
    size_t matches;
};

static void on_vote(void *arg, const char *from, const void *payload,
                    size_t len)
{
    struct serf_vote *vote = arg;
    struct mp_scratch scratch = {NULL};
    struct base_addr addr;
    bool known;

    if (serf_get_conflict(&known, &addr, payload, len, &scratch) < 0) {
        serf_refuse(vote->serf, vote->serf->counters.malformed,
                    "conflict response", from);
    } else {
        vote->responses++;
        vote->matches +=
            known && base_addr_equal(&addr, &vote->serf->cfg.advertise);
    }
    mp_scratch_close(&scratch);
}

static void on_counted(void *arg)
{
    struct serf_vote *vote = arg;
    struct gossip_serf *serf = vote->serf;
    size_t majority = vote->responses / 2 + 1;
    bool lost = vote->responses > 0 && vote->matches < majority;

    base_log(&serf->log, lost ? BASE_LOG_ERROR : BASE_LOG_INFO,
             lost ? "name conflict lost" : "name conflict resolved",
             kv_uint("responses", vote->responses),
             kv_uint("matches", vote->matches));
    serf->conflict_vote = NULL;
    base_free(vote);
    if (lost && serf->cfg.on_conflict_lost != NULL)
        serf->cfg.on_conflict_lost(serf->cfg.ctx);
}

static void ask_others(struct gossip_serf *serf)
{
    static const struct gossip_query_events events = {
        .on_response = on_vote, .on_done = on_counted};
    struct serf_vote *vote = BASE_NEW(vote);

    vote->serf = serf;
    if (gossip_serf_query(serf, SERF_INTERNAL_PREFIX "conflict",
                          serf->cfg.name, strlen(serf->cfg.name), NULL,
                          &events, vote, NULL) == 0)
        serf->conflict_vote = vote;
    else
        base_free(vote);
}

void serf_conflict(struct gossip_serf *serf, const struct gossip_node *existing,
                   const struct gossip_node *other)
{
    if (base_log_limit_pass(&serf->conflict_limit,
                            base_env_now_ns(serf->env)))
        base_log(&serf->log, BASE_LOG_WARN, "two nodes under one name",
                 kv_str("node", existing->name),
                 kv_addr("addr", &existing->addr),
                 kv_addr("other", &other->addr));
    if (!serf_is_self(serf, existing->name) ||
        serf->cfg.disable_conflict_resolution ||
        serf->state != GOSSIP_SERF_ALIVE || serf->conflict_vote != NULL)
        return;
    ask_others(serf);
}

void serf_conflict_close(struct gossip_serf *serf)
{
    base_free(serf->conflict_vote);
    serf->conflict_vote = NULL;
}
