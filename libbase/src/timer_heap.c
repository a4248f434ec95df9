/*
 * The heap of timers: see timer_heap.h. Slot numbers in the timers are
 * one-based, so that a zeroed timer is one that does not run.
 */
#include "timer_heap.h"

#include <assert.h>

#include "base/alloc.h"

/* Four children a node: half the levels of two, and they lie together. */
#define CHILDREN 4u

static bool is_before(const struct timer_heap_slot *a,
                      const struct timer_heap_slot *b)
{
    if (a->due_ns != b->due_ns)
        return a->due_ns < b->due_ns;
    return a->sequence < b->sequence;
}

static size_t parent_of(size_t at)
{
    return (at - 1) / CHILDREN;
}

static void put(struct timer_heap *heap, size_t at,
                const struct timer_heap_slot *slot)
{
    heap->slots[at] = *slot;
    slot->timer->heap_slot = at + 1;
}

static void sift_up(struct timer_heap *heap, size_t at,
                    const struct timer_heap_slot *slot)
{
    while (at > 0) {
        size_t parent = parent_of(at);

        if (!is_before(slot, &heap->slots[parent]))
            break;
        put(heap, at, &heap->slots[parent]);
        at = parent;
    }
    put(heap, at, slot);
}

/* The child of at that is due first; heap->count if there is none. */
static size_t first_child(const struct timer_heap *heap, size_t at)
{
    size_t child = CHILDREN * at + 1;
    size_t end = child + CHILDREN;
    size_t first = child;

    if (child >= heap->count)
        return heap->count;
    if (end > heap->count)
        end = heap->count;
    while (++child < end) {
        if (is_before(&heap->slots[child], &heap->slots[first]))
            first = child;
    }
    return first;
}

static void sift_down(struct timer_heap *heap, size_t at,
                      const struct timer_heap_slot *slot)
{
    for (;;) {
        size_t child = first_child(heap, at);

        if (child == heap->count || !is_before(&heap->slots[child], slot))
            break;
        put(heap, at, &heap->slots[child]);
        at = child;
    }
    put(heap, at, slot);
}

void timer_heap_close(struct timer_heap *heap)
{
    size_t i;

    for (i = 0; i < heap->count; i++)
        heap->slots[i].timer->heap_slot = 0;
    base_free(heap->slots);
    *heap = (struct timer_heap){0};
}

void timer_heap_insert(struct timer_heap *heap, struct base_timer *timer)
{
    struct timer_heap_slot slot = {timer->due_ns, timer->sequence, timer};

    assert(timer->heap_slot == 0);
    if (heap->count == heap->cap) {
        heap->cap = heap->cap == 0 ? 16 : 2 * heap->cap;
        heap->slots =
            base_reallocarray(heap->slots, heap->cap, sizeof(*heap->slots));
    }
    heap->count++;
    sift_up(heap, heap->count - 1, &slot);
}

void timer_heap_remove(struct timer_heap *heap, struct base_timer *timer)
{
    size_t at = timer->heap_slot - 1;
    struct timer_heap_slot last;

    assert(timer->heap_slot != 0 && at < heap->count);
    assert(heap->slots[at].timer == timer);
    timer->heap_slot = 0;
    last = heap->slots[--heap->count];
    if (last.timer == timer)
        return;
    /* The last one fills the gap and may have to go either way. */
    if (at > 0 && is_before(&last, &heap->slots[parent_of(at)]))
        sift_up(heap, at, &last);
    else
        sift_down(heap, at, &last);
}

struct base_timer *timer_heap_first(const struct timer_heap *heap)
{
    return heap->count == 0 ? NULL : heap->slots[0].timer;
}

bool timer_heap_precedes(const struct timer_heap *a, const struct timer_heap *b)
{
    return a->count > 0 &&
           (b->count == 0 || is_before(&a->slots[0], &b->slots[0]));
}

bool timer_heap_has(const struct timer_heap *heap,
                    const struct base_timer *timer)
{
    size_t at = timer->heap_slot - 1;

    assert(timer->heap_slot != 0);
    return at < heap->count && heap->slots[at].timer == timer;
}

void timer_heap_check(const struct timer_heap *heap)
{
    size_t i;

    for (i = 0; i < heap->count; i++) {
        const struct timer_heap_slot *slot = &heap->slots[i];

        assert(slot->timer->heap_slot == i + 1);
        assert(slot->due_ns == slot->timer->due_ns);
        assert(i == 0 || !is_before(slot, &heap->slots[parent_of(i)]));
    }
}
