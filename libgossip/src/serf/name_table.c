/*
 * Linear probing with a load of at most 3/4; removal shifts the followers back,
 * so that no tombstones gather while members come and go for years.
 */
#include "serf/name_table.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"

#define SLOTS_MIN 16u

/* FNV-1a with a secret start and step, mixed at the end: names that collide in
 * one process do not collide in the next. */
static uint32_t hash_name(const struct serf_name_table *table, const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u ^ table->key;

    for (; *name != '\0'; name++)
        hash = (hash ^ (uint8_t)*name) * 0x100000001b3u + (table->key >> 7);
    hash ^= hash >> 33;
    hash *= 0xff51afd7ed558ccdu;
    hash ^= hash >> 33;
    return (uint32_t)hash;
}

void serf_name_table_init(struct serf_name_table *table, uint64_t key)
{
    memset(table, 0, sizeof(*table));
    table->key = key;
}

void serf_name_table_close(struct serf_name_table *table)
{
    base_free(table->all);
    base_free(table->slots);
    memset(table, 0, sizeof(*table));
}

struct serf_named *serf_name_table_find(const struct serf_name_table *table,
                                        const char *name)
{
    size_t mask = table->slot_count - 1;
    uint32_t hash;
    size_t i;

    if (table->count == 0)
        return NULL;
    hash = hash_name(table, name);
    for (i = hash & mask; table->slots[i] != NULL; i = (i + 1) & mask) {
        if (table->slots[i]->hash == hash &&
            strcmp(table->slots[i]->name, name) == 0)
            return table->slots[i];
    }
    return NULL;
}

static void place(struct serf_name_table *table, struct serf_named *entry)
{
    size_t mask = table->slot_count - 1;
    size_t i = entry->hash & mask;

    while (table->slots[i] != NULL)
        i = (i + 1) & mask;
    table->slots[i] = entry;
}

static void grow(struct serf_name_table *table)
{
    size_t i;

    base_free(table->slots);
    table->slot_count =
        table->slot_count == 0 ? SLOTS_MIN : table->slot_count * 2;
    table->slots = base_calloc(table->slot_count, sizeof(table->slots[0]));
    for (i = 0; i < table->count; i++)
        place(table, table->all[i]);
}

void serf_name_table_add(struct serf_name_table *table,
                         struct serf_named *entry)
{
    if ((table->count + 1) * 4 > table->slot_count * 3)
        grow(table);
    if (table->count == table->all_cap) {
        table->all_cap = table->all_cap == 0 ? SLOTS_MIN : table->all_cap * 2;
        table->all = base_reallocarray(table->all, table->all_cap,
                                       sizeof(table->all[0]));
    }
    entry->hash = hash_name(table, entry->name);
    entry->index = (uint32_t)table->count;
    table->all[table->count++] = entry;
    place(table, entry);
}

/* Entries behind the hole move into it unless their home lies after it. */
static void close_hole(struct serf_name_table *table, size_t hole)
{
    size_t mask = table->slot_count - 1;
    size_t i;

    for (i = (hole + 1) & mask; table->slots[i] != NULL; i = (i + 1) & mask) {
        size_t home = table->slots[i]->hash & mask;

        if (((i - home) & mask) >= ((i - hole) & mask)) {
            table->slots[hole] = table->slots[i];
            hole = i;
        }
    }
    table->slots[hole] = NULL;
}

void serf_name_table_remove(struct serf_name_table *table,
                            struct serf_named *entry)
{
    size_t mask = table->slot_count - 1;
    size_t i = entry->hash & mask;
    struct serf_named *last;

    assert(table->count > 0);
    while (table->slots[i] != entry) {
        assert(table->slots[i] != NULL);
        i = (i + 1) & mask;
    }
    close_hole(table, i);
    last = table->all[--table->count];
    table->all[entry->index] = last;
    last->index = entry->index;
}
