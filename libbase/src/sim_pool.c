/*
 * Memory of short-lived events: free lists by size class, since a large world
 * makes and drops millions of them a second of ours. Under AddressSanitizer
 * everything goes to malloc, so that use after free is seen.
 */
#include "base/alloc.h"
#include "sim_internal.h"

#define CLASS_BYTES_MIN 128u

#ifdef __SANITIZE_ADDRESS__
#define POOLED 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POOLED 0
#endif
#endif
#ifndef POOLED
#define POOLED 1
#endif

static size_t class_bytes(unsigned number)
{
    return (size_t)CLASS_BYTES_MIN << number;
}

/* SIM_POOL_CLASSES for what is too large to keep. */
static unsigned class_of(size_t size)
{
    unsigned number = 0;

    while (number < SIM_POOL_CLASSES && class_bytes(number) < size)
        number++;
    return POOLED ? number : SIM_POOL_CLASSES;
}

void *sim_pool_take(struct sim_pool *pool, size_t size)
{
    unsigned number = class_of(size);
    void **item;

    if (number == SIM_POOL_CLASSES)
        return base_alloc(size);
    item = pool->free[number];
    if (item == NULL)
        return base_alloc(class_bytes(number));
    pool->free[number] = *item;
    return item;
}

void sim_pool_give(struct sim_pool *pool, void *ptr, size_t size)
{
    unsigned number = class_of(size);
    void **item = ptr;

    if (number == SIM_POOL_CLASSES) {
        base_free(ptr);
        return;
    }
    *item = pool->free[number];
    pool->free[number] = item;
}

void sim_pool_close(struct sim_pool *pool)
{
    unsigned number;

    for (number = 0; number < SIM_POOL_CLASSES; number++) {
        while (pool->free[number] != NULL) {
            void **item = pool->free[number];

            pool->free[number] = *item;
            base_free(item);
        }
    }
}
