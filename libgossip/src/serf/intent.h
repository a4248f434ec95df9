/*
 * Intents about nodes that we do not know yet: gossip may bring the news of a
 * join or leave before the node itself. One entry a name, the highest Lamport
 * time wins, old ones are forgotten (gossip.md 3.4).
 */
#ifndef SERF_INTENT_H
#define SERF_INTENT_H

#include "serf/name_table.h"

#include <stdbool.h>

#define SERF_INTENTS_MAX 65536u

enum serf_intent_kind { SERF_INTENT_LEAVE = 0, SERF_INTENT_JOIN = 1 };

struct serf_intents {
    struct serf_name_table table;
};

void serf_intents_init(struct serf_intents *intents, uint64_t key);
void serf_intents_close(struct serf_intents *intents);
/** True if it is new or newer than the one held; *full says that it was
 * refused for lack of room. */
bool serf_intents_put(struct serf_intents *intents, const char *name,
                      enum serf_intent_kind kind, uint64_t ltime,
                      uint64_t now_ms, bool *full);
/** True and *ltime if an intent of that kind is held. */
bool serf_intents_get(const struct serf_intents *intents, const char *name,
                      enum serf_intent_kind kind, uint64_t *ltime);
/** Forgets those older than age_ms. */
void serf_intents_reap(struct serf_intents *intents, uint64_t now_ms,
                       uint64_t age_ms);

#endif
