/*
 * The binary heap of timers: see timer_heap.h. Slot numbers in the timers are
 * one-based, so that a zeroed timer is one that does not run.
 */
#include "timer_heap.h"

#include <assert.h>

#include "base/alloc.h"

static bool is_before(const struct base_timer *a, const struct base_timer *b)
{
    if (a->due_ns != b->due_ns)
        return a->due_ns < b->due_ns;
    return a->sequence < b->sequence;
}

static void put(struct timer_heap *heap, size_t at, struct base_timer *timer)
{
    heap->slots[at] = timer;
    timer->heap_slot = at + 1;
}

static void sift_up(struct timer_heap *heap, size_t at,
                    struct base_timer *timer)
{
    while (at > 0) {
        size_t parent = (at - 1) / 2;

        if (!is_before(timer, heap->slots[parent]))
            break;
        put(heap, at, heap->slots[parent]);
        at = parent;
    }
    put(heap, at, timer);
}

static void sift_down(struct timer_heap *heap, size_t at,
                      struct base_timer *timer)
{
    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= heap->count)
            break;
        if (child + 1 < heap->count &&
            is_before(heap->slots[child + 1], heap->slots[child]))
            child++;
        if (!is_before(heap->slots[child], timer))
            break;
        put(heap, at, heap->slots[child]);
        at = child;
    }
    put(heap, at, timer);
}

void timer_heap_close(struct timer_heap *heap)
{
    size_t i;

    for (i = 0; i < heap->count; i++)
        heap->slots[i]->heap_slot = 0;
    base_free(heap->slots);
    *heap = (struct timer_heap){0};
}

void timer_heap_insert(struct timer_heap *heap, struct base_timer *timer)
{
    assert(timer->heap_slot == 0);
    if (heap->count == heap->cap) {
        heap->cap = heap->cap == 0 ? 16 : 2 * heap->cap;
        heap->slots =
            base_reallocarray(heap->slots, heap->cap, sizeof(*heap->slots));
    }
    heap->count++;
    sift_up(heap, heap->count - 1, timer);
}

void timer_heap_remove(struct timer_heap *heap, struct base_timer *timer)
{
    size_t at = timer->heap_slot - 1;
    struct base_timer *last;

    assert(timer->heap_slot != 0 && at < heap->count);
    assert(heap->slots[at] == timer);
    timer->heap_slot = 0;
    last = heap->slots[--heap->count];
    if (last == timer)
        return;
    /* The last one fills the gap and may have to go either way. */
    if (at > 0 && is_before(last, heap->slots[(at - 1) / 2]))
        sift_up(heap, at, last);
    else
        sift_down(heap, at, last);
}

struct base_timer *timer_heap_first(const struct timer_heap *heap)
{
    return heap->count == 0 ? NULL : heap->slots[0];
}

void timer_heap_check(const struct timer_heap *heap)
{
    size_t i;

    for (i = 0; i < heap->count; i++) {
        assert(heap->slots[i]->heap_slot == i + 1);
        assert(i == 0 || !is_before(heap->slots[i], heap->slots[(i - 1) / 2]));
    }
}
