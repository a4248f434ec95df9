/*
 * A node's birth, its user's calls, and its end. What it does in between is in
 * the other files; node.h shows how they meet.
 */
#include "memberlist/node.h"

#include <string.h>

#include "base/alloc.h"

static int check_config(const struct gossip_memberlist_config *config)
{
    struct mp_bytes name =
        mp_str_of(config->name == NULL ? "" : config->name);

    if (!ml_name_is_valid(name) || name.len > 255)
        return GOSSIP_ENAME;
    if (config->meta_len > GOSSIP_META_BYTES_MAX)
        return GOSSIP_EMETA;
    if (config->label != NULL && strlen(config->label) > 255)
        return GOSSIP_EINVAL;
    if (config->protocol_cur > ML_PROTOCOL_MAX)
        return GOSSIP_EVERSION;
    if (config->delegate_vsn[0] > config->delegate_vsn[1] ||
        config->delegate_vsn[2] < config->delegate_vsn[0] ||
        config->delegate_vsn[2] > config->delegate_vsn[1])
        return GOSSIP_EVERSION;
    if (base_addr_ip_len(&config->advertise) == 0 ||
        config->advertise.port == 0 ||
        base_addr_is_any(&config->advertise) || config->transport.ops == NULL)
        return GOSSIP_EINVAL;
    return 0;
}

static void copy_config(struct gossip_memberlist *ml,
                        const struct gossip_memberlist_config *config)
{
    ml->params = config->params;
    ml->name = base_strdup(config->name);
    ml->subsystem = base_strdup(config->subsystem);
    ml->log = ml->subsystem == NULL
                  ? ml->env->log
                  : base_log_named(&ml->env->log, ml->subsystem);
    ml->label = base_strdup(config->label == NULL ? "" : config->label);
    ml->label_len = strlen(ml->label);
    ml->skip_inbound_label_check = config->skip_inbound_label_check;
    ml->require_node_names = config->require_node_names;
    ml->cidr_count = config->cidrs_allowed_count;
    ml->cidrs = base_memdup(config->cidrs_allowed,
                            ml->cidr_count * sizeof(*ml->cidrs));
    ml->transport = config->transport;
    ml->delegate = config->delegate;
    ml->delegate_ctx = config->delegate_ctx;
    ml->keyring = config->keyring;
    ml->advertise = config->advertise;
    ml->vsn[0] = ML_PROTOCOL_MIN;
    ml->vsn[1] = ML_PROTOCOL_MAX;
    ml->vsn[2] = config->protocol_cur == 0 ? ML_PROTOCOL_DEFAULT
                                           : config->protocol_cur;
    memcpy(ml->vsn + 3, config->delegate_vsn, 3);
}

/* Our own facts with that meta; nil if there is none, as original nodes
 * without a delegate say it. */
static struct ml_record *own_record(struct gossip_memberlist *ml,
                                    const void *meta, size_t meta_len)
{
    struct ml_facts facts = {0};

    facts.name = mp_str_of(ml->name);
    facts.addr = ml->advertise;
    if (meta_len > 0)
        facts.meta = mp_bytes_of(meta, meta_len);
    facts.vsn = ml->vsn;
    return ml_records_intern(ml->members.records, &facts, NULL);
}

/* The delegate hears of ourselves from the loop as of anyone else. */
static void on_self_timer(void *arg)
{
    struct gossip_memberlist *ml = arg;
    const struct gossip_delegate *delegate = ml->delegate;
    bool join = ml->self_join_due, update = ml->self_update_due,
         leave = ml->self_leave_due;
    struct gossip_node node;

    ml->self_join_due = false;
    ml->self_update_due = false;
    ml->self_leave_due = false;
    if (delegate == NULL)
        return;
    ml_view_member(ml->self, &node);
    if (join && delegate->on_join != NULL)
        delegate->on_join(ml->delegate_ctx, &node);
    if (update && delegate->on_update != NULL)
        delegate->on_update(ml->delegate_ctx, &node);
    if (leave && delegate->on_leave != NULL)
        delegate->on_leave(ml->delegate_ctx, &node);
}

int gossip_memberlist_new(struct base_env *env,
                          const struct gossip_memberlist_config *config,
                          struct gossip_memberlist **out)
{
    struct gossip_memberlist *ml;
    struct gossip_records *records;
    struct ml_record *record;
    int rv = check_config(config);

    if (rv < 0)
        return rv;
    BASE_NEW(ml);
    ml->env = env;
    copy_config(ml, config);
    records = config->records != NULL
                  ? ml_records_ref(config->records)
                  : ml_records_new(base_env_random_u64(env));
    ml_members_init(&ml->members, records);
    ml_records_unref(records);
    ml->broadcasts = gossip_broadcasts_new(ml->params.retransmit_mult);
    ml_inbox_init(&ml->inbox, ml->params.handoff_queue_depth);
    ml->packets_in = base_metrics_counter(
        env->metrics, "isthmus.memberlist.packets_received", NULL, NULL);
    ml->packets_out = base_metrics_counter(
        env->metrics, "isthmus.memberlist.packets_sent", NULL, NULL);
    ml->refutations = base_metrics_counter(
        env->metrics, "isthmus.memberlist.refutations", NULL, NULL);
    record = own_record(ml, config->meta, config->meta_len);
    ml->self = ml_members_add(&ml->members, env, ml_record_ref(record));
    ml_announce(ml, record, 1, NULL, NULL);
    ml_record_unref(record);
    base_timer_init(&ml->self_timer, env, "self", on_self_timer, ml);
    ml->self_join_due = true;
    base_timer_start_ns(&ml->self_timer, 0);
    ml_probe_start(ml);
    ml_gossip_start(ml);
    ml_push_pull_start(ml);
    *out = ml;
    return 0;
}

void gossip_memberlist_free(struct gossip_memberlist *ml)
{
    size_t i;

    if (ml == NULL)
        return;
    ml_probe_stop(ml);
    ml_exchanges_close(ml);
    ml_relays_close(ml);
    ml_waits_close(ml);
    base_timer_stop(&ml->gossip_timer);
    base_timer_stop(&ml->push_pull_timer);
    base_timer_stop(&ml->inbox_timer);
    base_timer_stop(&ml->self_timer);
    for (i = 0; i < ml->members.count; i++)
        ml_member_forget_suspicion(ml_members_at(&ml->members, i));
    gossip_broadcasts_free(ml->broadcasts);
    ml_inbox_close(&ml->inbox);
    ml_members_close(&ml->members);
    base_free(ml->cidrs);
    base_free(ml->label);
    base_free(ml->subsystem);
    base_free(ml->name);
    base_free(ml);
}

/* Is anyone there who should hear what we say about ourselves? */
static bool has_company(const struct gossip_memberlist *ml)
{
    bool self_up = ml->self->state == GOSSIP_ALIVE;

    return ml->members.alive_count > (self_up ? 1u : 0u);
}

int gossip_memberlist_leave(struct gossip_memberlist *ml, uint32_t timeout_ms,
                            gossip_done_fn done, void *arg)
{
    struct ml_wait *wait;
    int rv;

    if (ml->leaving)
        return GOSSIP_ESTATE;
    rv = ml_wait_new(ml, timeout_ms, done, arg, &wait);
    if (rv < 0)
        return rv;
    ml->leaving = true;
    if (has_company(ml)) {
        ml_announce_leave(ml, ml_wait_done, wait);
    } else {
        ml_announce_leave(ml, NULL, NULL);
        ml_wait_skip(wait);
    }
    ml->self_leave_due = true;
    base_timer_start_ns(&ml->self_timer, 0);
    return 0;
}

int gossip_memberlist_update(struct gossip_memberlist *ml, const void *meta,
                             size_t meta_len, uint32_t timeout_ms,
                             gossip_done_fn done, void *arg)
{
    struct ml_record *record;
    struct ml_wait *wait;
    int rv;

    if (meta_len > GOSSIP_META_BYTES_MAX)
        return GOSSIP_EMETA;
    if (ml->leaving || ml->self->incarnation == UINT32_MAX)
        return GOSSIP_ESTATE;
    rv = ml_wait_new(ml, timeout_ms, done, arg, &wait);
    if (rv < 0)
        return rv;
    record = own_record(ml, meta, meta_len);
    ml->self_update_due |= record != ml->self->record;
    if (has_company(ml)) {
        ml_announce(ml, record, ml->self->incarnation + 1, ml_wait_done, wait);
    } else {
        ml_announce(ml, record, ml->self->incarnation + 1, NULL, NULL);
        ml_wait_skip(wait);
    }
    ml_record_unref(record);
    base_timer_start_ns(&ml->self_timer, 0);
    return 0;
}

void gossip_memberlist_each(struct gossip_memberlist *ml,
                            void (*each)(void *arg,
                                         const struct gossip_node *node),
                            void *arg)
{
    struct gossip_node node;
    size_t i;

    for (i = 0; i < ml->members.count; i++) {
        ml_view_member(ml_members_at(&ml->members, i), &node);
        each(arg, &node);
    }
}

size_t gossip_memberlist_count(const struct gossip_memberlist *ml)
{
    return ml->members.count;
}

size_t gossip_memberlist_alive_count(const struct gossip_memberlist *ml)
{
    return ml->members.alive_count;
}

bool gossip_memberlist_find(struct gossip_memberlist *ml, const char *name,
                            struct gossip_node *out)
{
    struct ml_member *member = ml_members_find(&ml->members, mp_str_of(name));

    if (member != NULL)
        ml_view_member(member, out);
    return member != NULL;
}

uint32_t gossip_memberlist_health(const struct gossip_memberlist *ml)
{
    return ml->score;
}

struct user_choice {
    bool (*keep)(void *arg, const struct gossip_node *node);
    void *arg;
};

static bool user_keeps(void *arg, const struct ml_member *member)
{
    const struct user_choice *choice = arg;
    struct gossip_node node;

    if (choice->keep == NULL)
        return true;
    ml_view_member(member, &node);
    return choice->keep(choice->arg, &node);
}

size_t gossip_memberlist_random(struct gossip_memberlist *ml, size_t count,
                                bool (*keep)(void *arg,
                                             const struct gossip_node *node),
                                void *arg, struct gossip_node *out)
{
    struct user_choice choice = {keep, arg};
    struct ml_member **chosen;
    size_t found, i;

    if (count > ml->members.count)
        count = ml->members.count;
    chosen = base_alloc((count + 1) * sizeof(*chosen));
    found = ml_members_random(&ml->members, ml->env, count, user_keeps,
                              &choice, chosen);
    for (i = 0; i < found; i++)
        ml_view_member(chosen[i], &out[i]);
    base_free(chosen);
    return found;
}
