/*
 * The world's names: what a resolver on any of its machines would answer.
 */
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "sim_internal.h"

struct sim_name {
    char *name;
    struct base_addr *addrs;
    size_t count;
};

static struct sim_name *find(const struct base_sim *sim, const char *name)
{
    size_t i;

    for (i = 0; i < sim->name_count; i++) {
        if (strcasecmp(sim->names[i].name, name) == 0)
            return &sim->names[i];
    }
    return NULL;
}

const struct base_addr *sim_name_find(const struct base_sim *sim,
                                      const char *name, size_t *count)
{
    const struct sim_name *entry = find(sim, name);

    *count = entry != NULL ? entry->count : 0;
    return entry != NULL ? entry->addrs : NULL;
}

static struct sim_name *add(struct base_sim *sim, const char *name)
{
    struct sim_name *entry;

    if (sim->name_count == sim->name_cap) {
        sim->name_cap = sim->name_cap > 0 ? sim->name_cap * 2 : 16;
        sim->names =
            base_reallocarray(sim->names, sim->name_cap, sizeof(*sim->names));
    }
    entry = &sim->names[sim->name_count++];
    *entry = (struct sim_name){.name = base_strdup(name)};
    return entry;
}

void base_sim_set_name(struct base_sim *sim, const char *name,
                       const struct base_addr *addrs, size_t count)
{
    struct sim_name *entry = find(sim, name);

    if (entry == NULL && count == 0)
        return;
    if (entry == NULL)
        entry = add(sim, name);
    base_free(entry->addrs);
    if (count == 0) {
        base_free(entry->name);
        *entry = sim->names[--sim->name_count];
        return;
    }
    entry->addrs = base_memdup(addrs, count * sizeof(*addrs));
    entry->count = count;
}

void sim_names_free(struct base_sim *sim)
{
    size_t i;

    for (i = 0; i < sim->name_count; i++) {
        base_free(sim->names[i].name);
        base_free(sim->names[i].addrs);
    }
    base_free(sim->names);
}
