/*
 * What all exchanges together may hold: encrypted blocks, user states, members
 * that wait to be merged. Where there is no room an exchange stops reading,
 * and its peer waits. So that never all of them wait for each other, the
 * oldest holder never waits: the youngest gives way to it and is refused.
 */
#include "memberlist/exchange.h"

#include <assert.h>

static struct ml_exchange *oldest_holder(const struct gossip_memberlist *ml)
{
    struct ml_exchange *exchange = ml->exchanges;

    while (exchange != NULL && exchange->held == 0)
        exchange = exchange->next;
    return exchange;
}

static struct ml_exchange *youngest_holder(const struct gossip_memberlist *ml)
{
    struct ml_exchange *exchange = ml->exchanges, *found = NULL;

    for (; exchange != NULL; exchange = exchange->next)
        if (exchange->held > 0)
            found = exchange;
    return found;
}

static bool has_room(const struct gossip_memberlist *ml, size_t bytes)
{
    return bytes <= ml->params.exchange_bytes_max &&
           ml->exchange_bytes <= ml->params.exchange_bytes_max - bytes;
}

int ml_exchange_reserve(struct ml_exchange *exchange, size_t bytes)
{
    struct gossip_memberlist *ml = exchange->ml;
    struct ml_exchange *oldest = oldest_holder(ml);

    while (!has_room(ml, bytes)) {
        struct ml_exchange *youngest = youngest_holder(ml);

        if (youngest == NULL || youngest == exchange) {
            if (oldest != exchange)
                return ML_READER_WAIT;
            ml_drop(ml, ML_DROP_BUDGET, &exchange->addr, "exchange too large");
            return GOSSIP_ETOOBIG;
        }
        if (oldest != exchange)
            return ML_READER_WAIT;
        ml_drop(ml, ML_DROP_BUDGET, &youngest->addr, "exchange");
        ml_exchange_end(youngest, GOSSIP_EBUSY);
    }
    exchange->held += bytes;
    ml->exchange_bytes += bytes;
    return 0;
}

void ml_exchange_refund(struct ml_exchange *exchange, size_t bytes)
{
    assert(bytes <= exchange->held);
    exchange->ml->exchange_bytes -= bytes;
    exchange->held -= bytes;
}

void ml_exchange_release(struct ml_exchange *exchange, size_t bytes)
{
    struct gossip_memberlist *ml = exchange->ml;
    struct ml_exchange *other;

    if (bytes == 0)
        return;
    ml_exchange_refund(exchange, bytes);
    for (other = ml->exchanges; other != NULL && ml->waiting_for_room > 0;
         other = other->next)
        if (other->waits_for_room) {
            other->waits_for_room = false;
            ml->waiting_for_room--;
            base_timer_start_ns(&other->step, 0);
        }
}
