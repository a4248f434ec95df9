/* The window of events and queries. */
#include "serf/event_ring.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"

void serf_ring_init(struct serf_ring *ring, size_t slot_count)
{
    assert(slot_count > 0);
    memset(ring, 0, sizeof(*ring));
    ring->slots = base_calloc(slot_count, sizeof(ring->slots[0]));
    ring->slot_count = slot_count;
}

static size_t item_bytes(const struct serf_ring_item *item)
{
    return sizeof(*item) + item->name_len + item->payload_len;
}

static void clear_slot(struct serf_ring *ring, struct serf_ring_slot *slot)
{
    while (slot->first != NULL) {
        struct serf_ring_item *item = slot->first;

        slot->first = item->next;
        ring->bytes -= item_bytes(item);
        base_free(item);
    }
    slot->item_count = 0;
}

void serf_ring_close(struct serf_ring *ring)
{
    size_t i;

    for (i = 0; i < ring->slot_count; i++)
        clear_slot(ring, &ring->slots[i]);
    base_free(ring->slots);
    memset(ring, 0, sizeof(*ring));
}

static bool same(const void *a, const void *b, size_t len)
{
    return len == 0 || memcmp(a, b, len) == 0;
}

static bool holds(const struct serf_ring_slot *slot, uint32_t id,
                  const void *name, size_t name_len, const void *payload,
                  size_t payload_len)
{
    const struct serf_ring_item *item;

    for (item = slot->first; item != NULL; item = item->next) {
        if (item->id == id && item->name_len == name_len &&
            item->payload_len == payload_len &&
            same(item->bytes, name, name_len) &&
            same(item->bytes + name_len, payload, payload_len))
            return true;
    }
    return false;
}

static void append(struct serf_ring *ring, struct serf_ring_slot *slot,
                   uint32_t id, const void *name, size_t name_len,
                   const void *payload, size_t payload_len)
{
    struct serf_ring_item *item =
        base_alloc(sizeof(*item) + name_len + payload_len);

    item->next = NULL;
    item->id = id;
    item->name_len = (uint32_t)name_len;
    item->payload_len = (uint32_t)payload_len;
    if (name_len > 0)
        memcpy(item->bytes, name, name_len);
    if (payload_len > 0)
        memcpy(item->bytes + name_len, payload, payload_len);
    if (slot->first == NULL)
        slot->tail = &slot->first;
    *slot->tail = item;
    slot->tail = &item->next;
    slot->item_count++;
    ring->bytes += item_bytes(item);
}

enum serf_ring_result serf_ring_see(struct serf_ring *ring, uint64_t ltime,
                                    uint64_t clock, uint32_t id,
                                    const void *name, size_t name_len,
                                    const void *payload, size_t payload_len)
{
    struct serf_ring_slot *slot = &ring->slots[ltime % ring->slot_count];
    size_t bytes = sizeof(struct serf_ring_item) + name_len + payload_len;

    if (ltime < ring->min_time)
        return SERF_RING_OLD;
    if (clock > ring->slot_count && ltime < clock - ring->slot_count)
        return SERF_RING_OLD;
    if (slot->first != NULL && slot->ltime == ltime) {
        if (holds(slot, id, name, name_len, payload, payload_len))
            return SERF_RING_SEEN;
    } else {
        clear_slot(ring, slot);
        slot->ltime = ltime;
    }
    if (slot->item_count >= SERF_RING_SLOT_ITEMS_MAX ||
        bytes > SERF_RING_BYTES_MAX - ring->bytes)
        return SERF_RING_FULL;
    append(ring, slot, id, name, name_len, payload, payload_len);
    return SERF_RING_NEW;
}
