/*
 * The rules by which claims about nodes change what we believe. At equal
 * incarnation suspect beats alive, dead beats both, alive beats nothing; only
 * the node itself raises its incarnation (SWIM 4.2; gossip.md 2.7 to 2.10).
 */
#include "memberlist/node.h"

#include "base/alloc.h"
#include "memberlist/formulas.h"
#include "memberlist/suspicion.h"

/* gossip.md 6.3.5: nothing may push an incarnation to where refutation could
 * not pass it any more. */
static bool is_absurd(const struct ml_member *member, uint32_t incarnation)
{
    return incarnation >= ML_INCARNATION_HIGH &&
           (member == NULL || member->incarnation < ML_INCARNATION_HIGH);
}

void ml_member_forget_suspicion(struct ml_member *member)
{
    ml_suspicion_free(member->suspicion);
    member->suspicion = NULL;
}

/* We are accused and here: say so with a higher incarnation than the
 * accuser's (gossip.md 2.10). That somebody missed us is news about our own
 * health too. */
static void refute(struct gossip_memberlist *ml, uint32_t accused)
{
    uint32_t own = ml->self->incarnation;

    if (own < UINT32_MAX)
        own++;
    if (accused >= own)
        own = accused < UINT32_MAX ? accused + 1 : UINT32_MAX;
    ml->self->incarnation = own;
    ml->members.version++;
    ml_awareness_apply(ml, 1);
    base_counter_add(ml->refutations, 1);
    base_log(&ml->log, BASE_LOG_WARN, "refuting an accusation",
             kv_uint("incarnation", own));
    ml_tell_alive(ml, ml->self->record, own, NULL, NULL);
}

/* A node that came back with a low incarnation cannot know that it has to
 * refute: repeat the accusation (gossip.md 9.11). As a suspicion, whatever we
 * hold: it makes the node speak up just as well, and buries it for nobody. */
static void repeat_accusation(struct gossip_memberlist *ml,
                              const struct ml_member *member)
{
    uint64_t now_ns = base_env_now_ns(ml->env);

    if ((member->state != GOSSIP_DEAD && member->state != GOSSIP_SUSPECT) ||
        now_ns - member->change_ns < ml_ms(ml->params.probe_interval_ms) ||
        !base_log_limit_pass(&ml->requeue_limit, now_ns))
        return;
    ml_tell_claim(ml, member, ML_SUSPECT, member->incarnation,
                  mp_str_of(ml->name), NULL, NULL);
}

static bool is_vetoed(struct gossip_memberlist *ml,
                      const struct ml_record *record, uint32_t incarnation)
{
    struct gossip_node node;

    if (ml->delegate == NULL || ml->delegate->on_alive == NULL)
        return false;
    ml_view(record, GOSSIP_ALIVE, incarnation, base_env_now_ns(ml->env),
            &node);
    return ml->delegate->on_alive(ml->delegate_ctx, &node) != 0;
}

static struct ml_member *add_unknown(struct gossip_memberlist *ml,
                                     struct ml_record *record)
{
    if (!ml_addr_is_allowed(ml, &record->addr)) {
        ml_drop(ml, ML_DROP_CIDR, &record->addr, ml_record_name(record));
        return NULL;
    }
    if (ml->members.count >= ML_MEMBERS_MAX) {
        ml_drop(ml, ML_DROP_MEMBERS_FULL, &record->addr,
                ml_record_name(record));
        return NULL;
    }
    return ml_members_add(&ml->members, ml->env, ml_record_ref(record));
}

static void report_conflict(struct gossip_memberlist *ml,
                            const struct ml_member *member,
                            const struct ml_record *record,
                            uint32_t incarnation)
{
    struct gossip_node existing, other;

    ml_drop(ml, ML_DROP_CONFLICT, &record->addr, ml_record_name(record));
    if (ml->delegate == NULL || ml->delegate->on_conflict == NULL)
        return;
    ml_view_member(member, &existing);
    ml_view(record, GOSSIP_ALIVE, incarnation, base_env_now_ns(ml->env),
            &other);
    ml->delegate->on_conflict(ml->delegate_ctx, &existing, &other);
}

/* May a message from another address speak for that name? (rule 5) */
static bool may_replace(const struct gossip_memberlist *ml,
                        const struct ml_member *member)
{
    uint64_t age_ns = base_env_now_ns(ml->env) - member->change_ns;
    uint64_t reclaim_ns = ml_ms(ml->params.dead_node_reclaim_ms);

    return member->state == GOSSIP_LEFT ||
           (member->state == GOSSIP_DEAD && reclaim_ns > 0 &&
            age_ns > reclaim_ns);
}

static bool same_meta(const struct ml_record *a, const struct ml_record *b)
{
    return a->meta_len == b->meta_len &&
           memcmp(ml_record_meta(a), ml_record_meta(b), a->meta_len) == 0;
}

/* Rules 9 and 10, for a message that is believed. */
static void accept_alive(struct gossip_memberlist *ml,
                         struct ml_member *member, struct ml_record *record,
                         uint32_t incarnation)
{
    bool was_gone =
        member->state == GOSSIP_DEAD || member->state == GOSSIP_LEFT;
    bool changed = !same_meta(member->record, record);
    const struct gossip_delegate *delegate = ml->delegate;
    struct gossip_node node;

    ml_tell_alive(ml, record, incarnation, NULL, NULL);
    ml_members_set_record(&ml->members, member, ml_record_ref(record));
    member->incarnation = incarnation;
    if (member->state != GOSSIP_ALIVE) {
        ml_members_set_state(&ml->members, member, GOSSIP_ALIVE,
                             base_env_now_ns(ml->env));
        ml_heard_forget(&ml->heard); /* old claims may hold again */
    }
    if (delegate == NULL)
        return;
    ml_view_member(member, &node);
    if (was_gone && delegate->on_join != NULL)
        delegate->on_join(ml->delegate_ctx, &node);
    else if (!was_gone && changed && delegate->on_update != NULL)
        delegate->on_update(ml->delegate_ctx, &node);
}

/* Somebody speaks of us: the truth needs no answer, anything else does. */
static void alive_about_self(struct gossip_memberlist *ml,
                             const struct ml_record *record,
                             uint32_t incarnation)
{
    if (incarnation < ml->self->incarnation)
        return;
    if (incarnation == ml->self->incarnation &&
        same_meta(ml->self->record, record) &&
        memcmp(ml->self->record->vsn, record->vsn, ML_VSN_BYTES) == 0)
        return;
    refute(ml, incarnation);
}

void ml_rule_alive(struct gossip_memberlist *ml, struct ml_record *record,
                   uint32_t incarnation)
{
    struct ml_member *member =
        ml_members_find(&ml->members, ml_record_name_bytes(record));
    bool replaces = false;

    if (ml->leaving && member == ml->self)
        return;
    if (is_absurd(member, incarnation)) {
        ml_drop(ml, ML_DROP_INCARNATION, &record->addr,
                ml_record_name(record));
        return;
    }
    if (is_vetoed(ml, record, incarnation)) {
        ml_drop(ml, ML_DROP_VETO, &record->addr, ml_record_name(record));
        return;
    }
    if (member == NULL) {
        member = add_unknown(ml, record);
        if (member == NULL)
            return;
    } else if (!base_addr_equal(&member->record->addr, &record->addr)) {
        if (!ml_addr_is_allowed(ml, &record->addr)) {
            ml_drop(ml, ML_DROP_CIDR, &record->addr, ml_record_name(record));
            return;
        }
        replaces = may_replace(ml, member);
        if (!replaces) {
            report_conflict(ml, member, record, incarnation);
            return;
        }
    }
    if (member == ml->self) {
        alive_about_self(ml, record, incarnation);
        return;
    }
    if (!replaces && incarnation <= member->incarnation) {
        repeat_accusation(ml, member);
        return;
    }
    ml_member_forget_suspicion(member);
    accept_alive(ml, member, record, incarnation);
}

/* The end of a node, as we see it from now on. */
static void bury(struct gossip_memberlist *ml, struct ml_member *member,
                 enum gossip_state state)
{
    struct gossip_node view;

    ml_member_forget_suspicion(member);
    ml_members_set_state(&ml->members, member, state,
                         base_env_now_ns(ml->env));
    if (ml->delegate == NULL || ml->delegate->on_leave == NULL)
        return;
    ml_view_member(member, &view);
    ml->delegate->on_leave(ml->delegate_ctx, &view);
}

/* A node in bad health most likely misses the answers itself, and its word
 * would bury members that are well: a dead message is believed at once. It
 * keeps such deaths to itself. The suspicion was told before, so those who
 * share it come to their own end of it. */
static bool is_in_bad_health(const struct gossip_memberlist *ml)
{
    return ml->score > 0 &&
           2 * ml->score >= ml->params.awareness_max_multiplier;
}

static void on_suspicion_over(void *arg, void *subject)
{
    struct gossip_memberlist *ml = arg;
    struct ml_member *member = subject;

    base_log(&ml->log, BASE_LOG_INFO, "suspect did not refute in time",
             kv_str("node", ml_record_name(member->record)));
    if (!is_in_bad_health(ml))
        ml_tell_claim(ml, member, ML_DEAD, member->incarnation,
                      mp_str_of(ml->name), NULL, NULL);
    bury(ml, member, GOSSIP_DEAD);
}

/* We accused it, and it may never have heard: our words were lost while
 * something was wrong with us. Once more, to itself. Those who only heard of
 * the suspicion need not: a node that is slow gets no flood of pings. */
static void on_last_call(void *arg, void *subject)
{
    struct gossip_memberlist *ml = arg;

    (void)ml_ping_suspect(ml, subject, ml_next_seq_no(ml));
}

static void start_suspicion(struct gossip_memberlist *ml,
                            struct ml_member *member, struct mp_bytes from)
{
    uint32_t mult = ml->params.suspicion_mult;
    uint32_t k = mult > 2 ? mult - 2 : 0;
    size_t n = ml->members.count;
    uint64_t min_ns = ml_suspicion_min_ns(
        mult, n, ml_ms(ml->params.probe_interval_ms));
    uint64_t max_ns = ml->params.suspicion_max_timeout_mult * min_ns;

    if (n < (size_t)k + 2) /* too few others to confirm it */
        k = 0;
    if (max_ns < min_ns)
        max_ns = min_ns;
    member->suspicion = ml_suspicion_new(ml->env, k, min_ns, max_ns, from,
                                         on_suspicion_over, ml, member);
    if (mp_is(from, ml->name))
        ml_suspicion_on_last_call(member->suspicion, on_last_call);
}

void ml_rule_suspect(struct gossip_memberlist *ml, uint32_t incarnation,
                     struct mp_bytes node, struct mp_bytes from)
{
    struct ml_member *member = ml_members_find(&ml->members, node);

    if (member == NULL || incarnation < member->incarnation)
        return;
    if (is_absurd(member, incarnation)) {
        ml_drop(ml, ML_DROP_INCARNATION, NULL, ml_record_name(member->record));
        return;
    }
    if (member == ml->self) {
        if (member->state == GOSSIP_ALIVE)
            refute(ml, incarnation);
        return;
    }
    /* Even where nothing else changes, an older alive must no longer revive
     * the node (gossip.md 9.10). */
    member->incarnation = incarnation;
    if (member->suspicion != NULL) {
        if (ml_suspicion_confirm(member->suspicion, from))
            ml_tell_claim(ml, member, ML_SUSPECT, incarnation, from, NULL,
                            NULL);
        return;
    }
    if (member->state != GOSSIP_ALIVE)
        return;
    ml_tell_claim(ml, member, ML_SUSPECT, incarnation, from, NULL, NULL);
    ml_members_set_state(&ml->members, member, GOSSIP_SUSPECT,
                         base_env_now_ns(ml->env));
    start_suspicion(ml, member, from);
}

void ml_rule_dead(struct gossip_memberlist *ml, uint32_t incarnation,
                  struct mp_bytes node, struct mp_bytes from)
{
    struct ml_member *member = ml_members_find(&ml->members, node);
    bool left = node.len == from.len &&
                memcmp(node.data, from.data, node.len) == 0;

    if (member == NULL || incarnation < member->incarnation)
        return;
    if (is_absurd(member, incarnation)) {
        ml_drop(ml, ML_DROP_INCARNATION, NULL, ml_record_name(member->record));
        return;
    }
    if (member == ml->self) {
        if (!ml->leaving)
            refute(ml, incarnation);
        return;
    }
    member->incarnation = incarnation; /* gossip.md 9.10, as above */
    if (member->state == GOSSIP_DEAD || member->state == GOSSIP_LEFT)
        return;
    ml_tell_claim(ml, member, ML_DEAD, incarnation, from, NULL, NULL);
    bury(ml, member, left ? GOSSIP_LEFT : GOSSIP_DEAD);
}

bool ml_is_news(const struct gossip_memberlist *ml,
                const struct ml_facts *facts, uint32_t incarnation,
                enum gossip_state state)
{
    const struct ml_member *member =
        ml_members_find(&ml->members, facts->name);

    if (member == NULL)
        return true;
    if (member->incarnation != incarnation ||
        !base_addr_equal(&member->record->addr, &facts->addr))
        return true;
    switch (state) {
    case GOSSIP_ALIVE:
        return member->state != GOSSIP_ALIVE || ml_is_self(ml, member);
    case GOSSIP_LEFT:
        return member->state == GOSSIP_ALIVE ||
               member->state == GOSSIP_SUSPECT;
    default: /* an accusation by this very node, which repeats itself */
        return member->state == GOSSIP_ALIVE;
    }
}
