/*
 * Running timers by due time: an intrusive heap, so that starting a timer
 * allocates nothing but the slots. Equal due times come out in the order
 * of their sequence numbers, which keeps runs of the simulator equal.
 * The env sets due_ns and sequence before inserting; the heap sets heap_slot.
 */
#ifndef LIBBASE_TIMER_HEAP_H
#define LIBBASE_TIMER_HEAP_H

#include "base/env.h"

/* The keys are copied next to one another: a large heap compares many timers
 * and looks into few. */
struct timer_heap_slot {
    uint64_t due_ns;
    uint64_t sequence;
    struct base_timer *timer;
};

/** Zero-initialise it. */
struct timer_heap {
    struct timer_heap_slot *slots; /* slots[0] is due first */
    size_t count;
    size_t cap;
};

/** Every timer still in it becomes "not running"; frees the slots. */
void timer_heap_close(struct timer_heap *heap);
/** timer must not be running. */
void timer_heap_insert(struct timer_heap *heap, struct base_timer *timer);
/** timer must be running, in this heap. */
void timer_heap_remove(struct timer_heap *heap, struct base_timer *timer);
/** The timer due first; NULL if there is none. It stays in the heap. */
struct base_timer *timer_heap_first(const struct timer_heap *heap);
/** Is the first of a due before the first of b? Not if a is empty. */
bool timer_heap_precedes(const struct timer_heap *a,
                         const struct timer_heap *b);
/** Is the timer, which is running, in this heap? */
bool timer_heap_has(const struct timer_heap *heap,
                    const struct base_timer *timer);
/** Asserts the order and the slot numbers; for tests. */
void timer_heap_check(const struct timer_heap *heap);

#endif
