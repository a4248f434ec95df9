/* See staged.h. */
#include "memberlist/staged.h"

#include "base/alloc.h"

static const struct ml_range whole_range = {0, UINT8_MAX, UINT8_MAX, 0};

void ml_staged_init(struct ml_staged *staged)
{
    memset(staged, 0, sizeof(*staged));
    staged->protocol = whole_range;
    staged->delegate = whole_range;
}

void ml_staged_close(struct ml_staged *staged)
{
    size_t i;

    for (i = 0; i < staged->count; i++)
        ml_record_unref(staged->entries[i].record);
    base_free(staged->entries);
    memset(staged, 0, sizeof(*staged));
}

/* vsn: minimum, maximum, current. */
static void widen(struct ml_range *range, const uint8_t *vsn, bool is_alive)
{
    if (is_alive && vsn[0] > range->min_high)
        range->min_high = vsn[0];
    if (is_alive && vsn[1] < range->max_low)
        range->max_low = vsn[1];
    if (vsn[2] < range->cur_low)
        range->cur_low = vsn[2];
    if (vsn[2] > range->cur_high)
        range->cur_high = vsn[2];
}

static bool is_possible(const struct ml_range *range)
{
    return range->cur_low >= range->min_high &&
           range->cur_high <= range->max_low;
}

int ml_staged_check(const struct ml_staged *staged,
                    const struct gossip_memberlist *ml)
{
    struct ml_range protocol = staged->protocol, delegate = staged->delegate;
    size_t i;

    for (i = 0; i < ml->members.count; i++) {
        const struct ml_member *member = ml_members_at(&ml->members, i);
        bool is_alive = member->state == GOSSIP_ALIVE;

        widen(&protocol, member->record->vsn, is_alive);
        widen(&delegate, member->record->vsn + 3, is_alive);
    }
    return is_possible(&protocol) && is_possible(&delegate) ? 0
                                                            : GOSSIP_EVERSION;
}

/* The array of entries doubles, so an entry may cost twice its size. */
#define ENTRY_COST (2 * sizeof(struct ml_staged_entry))

size_t ml_staged_cost(const struct ml_push_node *node)
{
    return ENTRY_COST + sizeof(struct ml_record) + node->name.len + 1 +
           node->meta.len;
}

static void append(struct ml_staged *staged, struct ml_record *record,
                   uint32_t incarnation, enum gossip_state state, bool known)
{
    struct ml_staged_entry *entry;

    if (staged->count == staged->cap) {
        staged->cap = staged->cap == 0 ? 16 : staged->cap * 2;
        staged->entries = base_reallocarray(staged->entries, staged->cap,
                                            sizeof(*staged->entries));
    }
    entry = &staged->entries[staged->count++];
    entry->record = record;
    entry->incarnation = incarnation;
    entry->state = (uint8_t)state;
    entry->known = known;
}

size_t ml_staged_add(struct ml_staged *staged, struct gossip_memberlist *ml,
                     const struct ml_push_node *node,
                     const struct base_addr *from)
{
    struct ml_record *record;
    bool made, known;
    struct ml_facts facts;
    enum gossip_state state;
    enum ml_drop why;

    why = ml_check_facts(ml, node->name, node->addr, node->port, node->meta,
                         node->vsn, &facts);
    if (why == ML_DROP_COUNT &&
        (node->state < GOSSIP_ALIVE || node->state > GOSSIP_LEFT))
        why = ML_DROP_DECODE;
    if (why != ML_DROP_COUNT) {
        ml_drop(ml, why, from, "push/pull entry");
        return 0;
    }
    state = (enum gossip_state)node->state;
    widen(&staged->protocol, facts.vsn, state == GOSSIP_ALIVE);
    widen(&staged->delegate, facts.vsn + 3, state == GOSSIP_ALIVE);
    known = !ml_is_news(ml, &facts, node->incarnation, state);
    if (known && !staged->is_shown)
        return 0;
    record = ml_records_intern(ml->members.records, &facts, &made);
    append(staged, record, node->incarnation, state, known);
    return ENTRY_COST + (made ? ml_record_bytes(record) : 0);
}

int ml_staged_ask(const struct ml_staged *staged, struct gossip_memberlist *ml)
{
    struct gossip_node *nodes;
    uint64_t now_ns = base_env_now_ns(ml->env);
    size_t i;
    int rv;

    if (!staged->is_shown)
        return 0;
    nodes = base_calloc(staged->count + 1, sizeof(*nodes));
    for (i = 0; i < staged->count; i++)
        ml_view(staged->entries[i].record,
                (enum gossip_state)staged->entries[i].state,
                staged->entries[i].incarnation, now_ns, &nodes[i]);
    rv = ml->delegate->on_merge(ml->delegate_ctx, nodes, staged->count);
    base_free(nodes);
    return rv == 0 ? 0 : GOSSIP_EREFUSED;
}

/* A remote "dead" is never believed at once: the node itself gets the time of
 * a suspicion to speak up (gossip.md 2.6). */
static void merge_entry(struct gossip_memberlist *ml,
                        const struct ml_staged_entry *entry)
{
    struct mp_bytes name = ml_record_name_bytes(entry->record);

    switch ((enum gossip_state)entry->state) {
    case GOSSIP_ALIVE:
        ml_rule_alive(ml, entry->record, entry->incarnation);
        break;
    case GOSSIP_LEFT:
        ml_rule_dead(ml, entry->incarnation, name, name);
        break;
    case GOSSIP_SUSPECT:
    case GOSSIP_DEAD:
        ml_rule_suspect(ml, entry->incarnation, name, mp_str_of(ml->name));
        break;
    }
}

bool ml_staged_merge(struct ml_staged *staged, struct gossip_memberlist *ml,
                     size_t count)
{
    for (; count > 0 && staged->merged < staged->count; count--) {
        const struct ml_staged_entry *entry =
            &staged->entries[staged->merged++];

        if (!entry->known)
            merge_entry(ml, entry);
    }
    return staged->merged == staged->count;
}
