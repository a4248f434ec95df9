/*
 * A serf node as a whole: configuration with its defaults, birth and end, and
 * what can be asked of it. The rules are in the files that core.h lists.
 */
#include "serf/core.h"

#include "base/alloc.h"
#include "serf/snapshot.h"

#define PROTOCOL_MIN 2
#define PROTOCOL_DEFAULT 5

/* gossip.md 3.5. */
static const struct gossip_serf_config defaults = {
    .protocol = PROTOCOL_DEFAULT,
    .broadcast_timeout_ms = 5000,
    .leave_propagate_delay_ms = 1000,
    .reap_interval_ms = 15000,
    .reconnect_interval_ms = 30000,
    .reconnect_timeout_ms = 24u * 3600 * 1000,
    .tombstone_timeout_ms = 24u * 3600 * 1000,
    .recent_intent_timeout_ms = 5 * 60 * 1000,
    .queue_check_interval_ms = 30000,
    .queue_depth_max = 4096,
    .event_buffer_slots = 512,
    .query_buffer_slots = 512,
    .user_event_bytes_max = 512,
    .query_bytes_max = 1024,
    .query_response_bytes_max = 1024,
    .query_timeout_mult = 16,
};

#define FILL(field)                                                          \
    do {                                                                     \
        if (cfg->field == 0)                                                 \
            cfg->field = defaults.field;                                     \
    } while (0)

static void fill_defaults(struct gossip_serf_config *cfg)
{
    FILL(protocol);
    FILL(broadcast_timeout_ms);
    FILL(leave_propagate_delay_ms);
    FILL(reap_interval_ms);
    FILL(reconnect_interval_ms);
    FILL(reconnect_timeout_ms);
    FILL(tombstone_timeout_ms);
    FILL(recent_intent_timeout_ms);
    FILL(queue_check_interval_ms);
    FILL(queue_depth_max);
    FILL(event_buffer_slots);
    FILL(query_buffer_slots);
    FILL(user_event_bytes_max);
    FILL(query_bytes_max);
    FILL(query_response_bytes_max);
    FILL(query_timeout_mult);
}

static int check(const struct gossip_serf_config *cfg)
{
    if (cfg->name == NULL || cfg->name[0] == '\0' ||
        (cfg->validate_node_names && !serf_name_valid(cfg->name)))
        return GOSSIP_ENAME;
    if (cfg->protocol < PROTOCOL_MIN ||
        cfg->protocol > GOSSIP_SERF_PROTOCOL_MAX ||
        cfg->user_event_bytes_max > GOSSIP_USER_EVENT_BYTES_MAX ||
        cfg->event_buffer_slots > 65536 || cfg->query_buffer_slots > 65536)
        return GOSSIP_EINVAL;
    return 0;
}

/* Strings and networks become ours; tags are kept encoded. */
static void copy_config(struct gossip_serf_config *cfg)
{
    cfg->name = base_strdup(cfg->name);
    cfg->label = base_strdup(cfg->label);
    cfg->subsystem = base_strdup(cfg->subsystem ? cfg->subsystem : "serf");
    cfg->snapshot_path = base_strdup(cfg->snapshot_path);
    cfg->keyring_path = base_strdup(cfg->keyring_path);
    cfg->cidrs_allowed =
        base_memdup(cfg->cidrs_allowed,
                    cfg->cidrs_allowed_count * sizeof(cfg->cidrs_allowed[0]));
    cfg->tags = NULL;
    cfg->tag_count = 0;
}

static void free_config(struct gossip_serf_config *cfg)
{
    base_free((char *)(uintptr_t)cfg->name);
    base_free((char *)(uintptr_t)cfg->label);
    base_free((char *)(uintptr_t)cfg->subsystem);
    base_free((char *)(uintptr_t)cfg->snapshot_path);
    base_free((char *)(uintptr_t)cfg->keyring_path);
    base_free((struct base_cidr *)(uintptr_t)cfg->cidrs_allowed);
}

static void on_no_power(void *arg)
{
    (void)arg;
}

bool serf_env_has_ended(struct base_env *env)
{
    return base_env_post(env, on_no_power, NULL) == BASE_ECLOSED;
}

static void init_state(struct gossip_serf *serf)
{
    struct base_env *env = serf->env;

    serf->log = base_log_named(&env->log, serf->cfg.subsystem);
    serf_counters_init(serf);
    serf_lamport_init(&serf->clock);
    serf_lamport_init(&serf->event_clock);
    serf_lamport_init(&serf->query_clock);
    serf_members_init(&serf->members, base_env_random_u64(env));
    serf_intents_init(&serf->intents, base_env_random_u64(env));
    serf_ring_init(&serf->events, serf->cfg.event_buffer_slots);
    serf_ring_init(&serf->queries, serf->cfg.query_buffer_slots);
    serf->intent_queue =
        gossip_broadcasts_new(serf->cfg.params.retransmit_mult);
    serf->query_queue = gossip_broadcasts_new(serf->cfg.params.retransmit_mult);
    serf->event_queue = gossip_broadcasts_new(serf->cfg.params.retransmit_mult);
    serf_coordinate_client_init(&serf->coordinate, env);
    serf_locals_init(serf);
    serf->path = serf_event_path_new(serf);
    serf_reap_start(serf);
}

static int start_memberlist(struct gossip_serf *serf)
{
    const struct gossip_serf_config *cfg = &serf->cfg;
    struct gossip_memberlist_config config = {
        .name = cfg->name,
        .advertise = cfg->advertise,
        .meta = base_buf_data(&serf->meta),
        .meta_len = base_buf_len(&serf->meta),
        .delegate_vsn = {PROTOCOL_MIN, GOSSIP_SERF_PROTOCOL_MAX,
                         cfg->protocol},
        .params = cfg->params,
        .keyring = cfg->keyring,
        .label = cfg->label,
        .skip_inbound_label_check = cfg->skip_inbound_label_check,
        .require_node_names = cfg->require_node_names,
        .cidrs_allowed = cfg->cidrs_allowed,
        .cidrs_allowed_count = cfg->cidrs_allowed_count,
        .transport = cfg->transport,
        .delegate = &serf->delegate,
        .delegate_ctx = serf,
        .subsystem = cfg->subsystem,
    };

    serf->delegate = serf_delegate;
    if (cfg->on_merge == NULL)
        serf->delegate.on_merge = NULL; /* spares memberlist the list */
    return gossip_memberlist_new(serf->env, &config, &serf->memberlist);
}

/* memberlist tells of ourselves soon; until then we are known without an
 * event, so that nobody finds a pool of nobody. */
static void add_self(struct gossip_serf *serf)
{
    struct serf_member *self =
        serf_members_find(&serf->members, serf->cfg.name);
    struct gossip_node node;

    if (self != NULL ||
        !gossip_memberlist_find(serf->memberlist, serf->cfg.name, &node))
        return;
    self = serf_members_add(&serf->members, serf->cfg.name);
    serf_member_refresh(self, &node);
    serf_members_set_status(&serf->members, self, GOSSIP_MEMBER_ALIVE, 0);
}

int gossip_serf_new(struct base_env *env,
                    const struct gossip_serf_config *config,
                    struct gossip_serf **out)
{
    struct gossip_serf *serf;
    int rv;

    BASE_NEW(serf);
    serf->env = env;
    serf->cfg = *config;
    fill_defaults(&serf->cfg);
    rv = check(&serf->cfg);
    if (rv == 0)
        rv = serf_tags_encode(&serf->meta, config->tags, config->tag_count,
                              serf->cfg.protocol);
    if (rv < 0) {
        base_buf_close(&serf->meta);
        base_free(serf);
        return rv;
    }
    copy_config(&serf->cfg);
    init_state(serf);
    if (serf->cfg.snapshot_path != NULL)
        rv = serf_snapshot_new(serf, serf->cfg.snapshot_path,
                               serf->cfg.rejoin_after_leave, &serf->snapshot);
    if (rv == 0)
        rv = start_memberlist(serf);
    if (rv < 0) {
        gossip_serf_free(serf);
        return rv;
    }
    add_self(serf);
    serf_snapshot_rejoin(serf->snapshot);
    *out = serf;
    return 0;
}

void gossip_serf_free(struct gossip_serf *serf)
{
    if (serf == NULL)
        return;
    /* First who calls us, then what they would call. */
    gossip_memberlist_free(serf->memberlist);
    gossip_broadcasts_free(serf->intent_queue);
    gossip_broadcasts_free(serf->query_queue);
    gossip_broadcasts_free(serf->event_queue);
    serf_waits_close(serf);
    serf_joins_close(serf);
    serf_leave_close(serf);
    serf_queries_close(serf);
    serf_key_ops_close(serf);
    serf_key_writes_close(serf);
    serf_conflict_close(serf);
    serf_questions_close(serf);
    serf_locals_close(serf);
    serf_reap_stop(serf);
    serf_event_path_free(serf->path);
    serf_snapshot_free(serf->snapshot);
    serf_ring_close(&serf->events);
    serf_ring_close(&serf->queries);
    serf_intents_close(&serf->intents);
    serf_members_close(&serf->members);
    base_buf_close(&serf->meta);
    free_config(&serf->cfg);
    base_free(serf);
}

struct gossip_memberlist *gossip_serf_memberlist(struct gossip_serf *serf)
{
    return serf->memberlist;
}

enum gossip_serf_state gossip_serf_state(const struct gossip_serf *serf)
{
    return serf->state;
}

int gossip_serf_set_tags(struct gossip_serf *serf,
                         const struct gossip_tag *tags, size_t count)
{
    struct base_buf meta = BASE_BUF_INIT;
    int rv = serf_tags_encode(&meta, tags, count, serf->cfg.protocol);

    if (rv == 0)
        rv = gossip_memberlist_update(
            serf->memberlist, base_buf_data(&meta), base_buf_len(&meta),
            serf->cfg.broadcast_timeout_ms, NULL, NULL);
    if (rv == 0) {
        base_buf_close(&serf->meta);
        serf->meta = meta;
    } else {
        base_buf_close(&meta);
    }
    return rv;
}

void gossip_serf_each_member(struct gossip_serf *serf,
                             void (*each)(void *arg,
                                          const struct gossip_member *member),
                             void *arg)
{
    size_t i;

    for (i = 0; i < serf_members_count(&serf->members); i++) {
        struct serf_member_view view;

        serf_member_view_of(&view, serf_members_at(&serf->members, i));
        each(arg, &view.member);
        serf_member_view_close(&view);
    }
}

size_t gossip_serf_member_count(const struct gossip_serf *serf)
{
    return serf_members_count(&serf->members);
}

bool gossip_serf_find(struct gossip_serf *serf, const char *name,
                      void (*show)(void *arg, const struct gossip_member *m),
                      void *arg)
{
    struct serf_member *member = serf_members_find(&serf->members, name);
    struct serf_member_view view;

    if (member == NULL)
        return false;
    if (show != NULL) {
        serf_member_view_of(&view, member);
        show(arg, &view.member);
        serf_member_view_close(&view);
    }
    return true;
}

bool gossip_serf_coordinate(struct gossip_serf *serf, const char *name,
                            struct gossip_coordinate *out)
{
    const struct serf_member *member;

    if (serf->cfg.disable_coordinates)
        return false;
    if (serf_is_self(serf, name)) {
        *out = serf->coordinate.at;
        return true;
    }
    member = serf_members_find(&serf->members, name);
    if (member == NULL || member->place == NULL)
        return false;
    *out = member->place->at;
    return true;
}

uint64_t gossip_serf_rtt_ns(struct gossip_serf *serf, const char *a,
                            const char *b)
{
    struct gossip_coordinate from;
    struct gossip_coordinate to;

    if (!gossip_serf_coordinate(serf, a, &from) ||
        !gossip_serf_coordinate(serf, b, &to))
        return 0;
    return gossip_coordinate_rtt_ns(&from, &to);
}

struct gossip_serf_stats gossip_serf_stats(const struct gossip_serf *serf)
{
    return (struct gossip_serf_stats){
        .members = serf_members_count(&serf->members),
        .failed = serf->members.failed_count,
        .left = serf->members.left_count,
        .member_time = serf->clock.time,
        .event_time = serf->event_clock.time,
        .query_time = serf->query_clock.time,
        .intent_queue = gossip_broadcasts_count(serf->intent_queue),
        .event_queue = gossip_broadcasts_count(serf->event_queue),
        .query_queue = gossip_broadcasts_count(serf->query_queue),
        .health_score = gossip_memberlist_health(serf->memberlist),
        .coordinate_resets = serf->coordinate.reset_count,
        .events_dropped = serf_events_dropped(serf),
        .snapshot_dropped = serf_snapshot_dropped(serf->snapshot),
        .encrypted = serf->cfg.keyring != NULL &&
                     gossip_keyring_count(serf->cfg.keyring) > 0,
    };
}
