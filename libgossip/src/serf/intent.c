/* The buffer of intents. What they mean is in member_rules.c. */
#include "serf/intent.h"

#include <string.h>

#include "base/alloc.h"

struct intent {
    struct serf_named named; /* first */
    uint64_t ltime;
    uint64_t since_ms;
    enum serf_intent_kind kind;
    char name[];
};

static struct intent *find(const struct serf_intents *intents, const char *name)
{
    return (struct intent *)(void *)serf_name_table_find(&intents->table, name);
}

void serf_intents_init(struct serf_intents *intents, uint64_t key)
{
    serf_name_table_init(&intents->table, key);
}

void serf_intents_close(struct serf_intents *intents)
{
    size_t i;

    for (i = 0; i < intents->table.count; i++)
        base_free(intents->table.all[i]);
    serf_name_table_close(&intents->table);
}

bool serf_intents_put(struct serf_intents *intents, const char *name,
                      enum serf_intent_kind kind, uint64_t ltime,
                      uint64_t now_ms, bool *full)
{
    struct intent *intent = find(intents, name);
    size_t name_bytes = strlen(name) + 1;

    *full = false;
    if (intent != NULL && ltime <= intent->ltime)
        return false;
    if (intent == NULL) {
        if (intents->table.count >= SERF_INTENTS_MAX) {
            *full = true;
            return false;
        }
        intent = base_calloc(1, sizeof(*intent) + name_bytes);
        memcpy(intent->name, name, name_bytes);
        intent->named.name = intent->name;
        serf_name_table_add(&intents->table, &intent->named);
    }
    intent->kind = kind;
    intent->ltime = ltime;
    intent->since_ms = now_ms;
    return true;
}

bool serf_intents_get(const struct serf_intents *intents, const char *name,
                      enum serf_intent_kind kind, uint64_t *ltime)
{
    const struct intent *intent = find(intents, name);

    if (intent == NULL || intent->kind != kind)
        return false;
    *ltime = intent->ltime;
    return true;
}

void serf_intents_reap(struct serf_intents *intents, uint64_t now_ms,
                       uint64_t age_ms)
{
    size_t i = intents->table.count;

    /* From the end: a removal moves the last one into the gap. */
    while (i-- > 0) {
        struct intent *intent = (struct intent *)(void *)intents->table.all[i];

        if (now_ms - intent->since_ms > age_ms) {
            serf_name_table_remove(&intents->table, &intent->named);
            base_free(intent);
        }
    }
}
