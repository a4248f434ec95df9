/*
 * Things found by name: an open hash table of pointers, and the same pointers
 * in a dense array for walking and for drawing one at random. It does not own
 * what it holds. Names come from the network, so the hash is keyed.
 */
#ifndef SERF_NAME_TABLE_H
#define SERF_NAME_TABLE_H

#include <stddef.h>
#include <stdint.h>

/** What an entry begins with; name outlives its stay in the table. */
struct serf_named {
    const char *name;
    uint32_t hash;
    uint32_t index; /* in all[] */
};

struct serf_name_table {
    struct serf_named **all; /* count entries, in no order that means much */
    size_t count;
    size_t all_cap;
    struct serf_named **slots; /* NULL: free */
    size_t slot_count;         /* a power of two, or 0 */
    uint64_t key;
};

void serf_name_table_init(struct serf_name_table *table, uint64_t key);
/** The entries stay their owner's. */
void serf_name_table_close(struct serf_name_table *table);
struct serf_named *serf_name_table_find(const struct serf_name_table *table,
                                        const char *name);
/** The name must not be there yet. */
void serf_name_table_add(struct serf_name_table *table,
                         struct serf_named *entry);
/** The last of all[] takes the place of the removed one. */
void serf_name_table_remove(struct serf_name_table *table,
                            struct serf_named *entry);

#endif
