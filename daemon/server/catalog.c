/*
 * Sorted arrays of records. A registration that says what is already there
 * moves no index: agents repeat themselves, and waiters must not wake for it.
 */
#include "server/catalog.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/pb.h"
#include "fedstate/model.h"

void catalog_init(struct catalog *catalog, struct base_env *env)
{
    memset(catalog, 0, sizeof(*catalog));
    watch_list_init(&catalog->watches, env);
}

static void node_free(struct catalog_node *node)
{
    size_t i;

    for (i = 0; i < node->service_count; i++)
        base_pb_free(node->services[i]);
    for (i = 0; i < node->check_count; i++)
        base_pb_free(node->checks[i]);
    base_free(node->services);
    base_free(node->checks);
    base_pb_free(node->node);
    base_free(node);
}

void catalog_clear(struct catalog *catalog)
{
    size_t i;

    for (i = 0; i < catalog->node_count; i++)
        node_free(catalog->nodes[i]);
    base_free(catalog->nodes);
    catalog->nodes = NULL;
    catalog->node_count = 0;
    catalog->index = 0;
    catalog->gateway_index = 0;
}

void catalog_close(struct catalog *catalog)
{
    catalog_clear(catalog);
    watch_list_close(&catalog->watches);
}

/* ---- sorted arrays of pointers, found by a key that key() shows ---------- */

typedef const char *(*key_fn)(const void *item);

static const char *node_key(const void *item)
{
    return ((const struct catalog_node *)item)->node->node;
}
static const char *service_key(const void *item)
{
    return ((const Fedstate__Service *)item)->id;
}
static const char *check_key(const void *item)
{
    return ((const Fedstate__Check *)item)->check_id;
}

/* Where the key is, or would be. */
static size_t place(void *const *items, size_t count, key_fn key,
                    const char *wanted, bool *found)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(key(items[middle]), wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = low < count && strcmp(key(items[low]), wanted) == 0;
    return low;
}

static void remove_at(void **items, size_t *count, size_t at)
{
    (*count)--;
    memmove(items + at, items + at + 1, (*count - at) * sizeof(*items));
}

#define PLACE(array, count, key, wanted, found)                            \
    place((void *const *)(array), (count), (key), (wanted), (found))
/* Arrays double, at every power of two. */
#define INSERT(array, count, at, item)                                     \
    do {                                                                   \
        if (((count) & ((count) - 1)) == 0)                                \
            (array) = base_reallocarray((array), (count) ? 2 * (count) : 1, \
                                        sizeof(*(array)));                 \
        memmove((array) + (at) + 1, (array) + (at),                        \
                ((count) - (at)) * sizeof(*(array)));                      \
        (array)[at] = (item);                                              \
        (count)++;                                                         \
    } while (0)

const struct catalog_node *catalog_find(const struct catalog *catalog,
                                        const char *node)
{
    bool found;
    size_t at = PLACE(catalog->nodes, catalog->node_count, node_key, node,
                      &found);

    return found ? catalog->nodes[at] : NULL;
}

const Fedstate__Service *catalog_service(const struct catalog_node *node,
                                         const char *id)
{
    bool found;
    size_t at = PLACE(node->services, node->service_count, service_key, id,
                      &found);

    return found ? node->services[at] : NULL;
}

const Fedstate__Check *catalog_check(const struct catalog_node *node,
                                     const char *check_id)
{
    bool found;
    size_t at = PLACE(node->checks, node->check_count, check_key, check_id,
                      &found);

    return found ? node->checks[at] : NULL;
}

/* ---- writing -------------------------------------------------------------- */

/* True if two records pack to the same bytes; the caller has made their
 * indexes equal. */
static bool packs_equal(const void *a, const void *b)
{
    struct base_buf x = BASE_BUF_INIT, y = BASE_BUF_INIT;
    bool equal;

    base_pb_pack(a, &x);
    base_pb_pack(b, &y);
    equal = base_buf_len(&x) == base_buf_len(&y) &&
            memcmp(base_buf_data(&x), base_buf_data(&y), base_buf_len(&x)) == 0;
    base_buf_close(&x);
    base_buf_close(&y);
    return equal;
}

static void moved(struct catalog *catalog, uint64_t index, bool gateway)
{
    catalog->index = index;
    if (gateway)
        catalog->gateway_index = index;
    watch_list_wake(&catalog->watches);
}

static bool has_gateway(const struct catalog_node *node)
{
    size_t i;

    for (i = 0; i < node->service_count; i++)
        if (strcmp(node->services[i]->kind, FEDSTATE_KIND_GATEWAY) == 0)
            return true;
    return false;
}

/* Replaces *slot by a copy of record if it says anything new. The two indexes
 * are the last fields that both kinds share by name. */
#define PUT(slot, record, index, changed)                                  \
    do {                                                                   \
        __typeof__(slot) fresh_ = base_pb_dup(record);                     \
        fresh_->create_index = (slot) ? (slot)->create_index : (index);    \
        fresh_->modify_index = (slot) ? (slot)->modify_index : (index);    \
        if ((slot) && packs_equal((slot), fresh_)) {                       \
            base_pb_free(fresh_);                                          \
        } else {                                                           \
            fresh_->modify_index = (index);                                \
            base_pb_free(slot);                                            \
            (slot) = fresh_;                                               \
            *(changed) = true;                                             \
        }                                                                  \
    } while (0)

static struct catalog_node *put_node(struct catalog *catalog, uint64_t index,
                                     const Fedstate__Node *record,
                                     bool *changed)
{
    bool found;
    size_t at = PLACE(catalog->nodes, catalog->node_count, node_key,
                      record->node, &found);
    struct catalog_node *node;

    if (!found) {
        if (catalog->node_count >= CATALOG_NODES_MAX)
            return NULL;
        BASE_NEW(node);
        PUT(node->node, record, index, changed);
        INSERT(catalog->nodes, catalog->node_count, at, node);
        return node;
    }
    node = catalog->nodes[at];
    /* A registration of a service alone may leave the address out. */
    if (*record->address != '\0')
        PUT(node->node, record, index, changed);
    return node;
}

bool catalog_changes_node(const struct catalog *catalog,
                          const Fedstate__Node *record)
{
    const struct catalog_node *node = catalog_find(catalog, record->node);
    Fedstate__Node fresh = *record;

    if (node == NULL)
        return true;
    fresh.create_index = node->node->create_index;
    fresh.modify_index = node->node->modify_index;
    return *record->address != '\0' && !packs_equal(node->node, &fresh);
}

static int put_service(struct catalog_node *node, uint64_t index,
                       const Fedstate__Service *record, bool *changed)
{
    bool found;
    size_t at = PLACE(node->services, node->service_count, service_key,
                      record->id, &found);

    if (!found) {
        if (node->service_count >= CATALOG_SERVICES_PER_NODE_MAX)
            return BASE_EFULL;
        INSERT(node->services, node->service_count, at, NULL);
    }
    PUT(node->services[at], record, index, changed);
    return 0;
}

static int put_check(struct catalog_node *node, uint64_t index,
                     const Fedstate__Check *record, bool *changed)
{
    bool found;
    size_t at = PLACE(node->checks, node->check_count, check_key,
                      record->check_id, &found);

    if (!found) {
        if (node->check_count >= CATALOG_CHECKS_PER_NODE_MAX)
            return BASE_EFULL;
        INSERT(node->checks, node->check_count, at, NULL);
    }
    PUT(node->checks[at], record, index, changed);
    return 0;
}

static bool is_valid(const Server__Register *change)
{
    size_t i;

    if (change->node == NULL || *change->node->node == '\0')
        return false;
    for (i = 0; i < change->n_services; i++)
        if (*change->services[i]->id == '\0' ||
            *change->services[i]->service == '\0')
            return false;
    for (i = 0; i < change->n_checks; i++)
        if (*change->checks[i]->check_id == '\0')
            return false;
    return true;
}

/* A node's agent says more of it than gossip can; none of that is lost. */
static void keep_own_words(Fedstate__Node *record, const Fedstate__Node *known)
{
    record->meta = known->meta;
    record->n_meta = known->n_meta;
    if (strcmp(record->address, known->address) == 0) {
        record->tagged_addresses = known->tagged_addresses;
        record->n_tagged_addresses = known->n_tagged_addresses;
    }
}

int catalog_register(struct catalog *catalog, uint64_t index,
                     const Server__Register *change)
{
    const struct catalog_node *known;
    struct catalog_node *node;
    Fedstate__Node record;
    bool changed = false, was_gateway;
    size_t i;
    int rv = 0;

    if (!is_valid(change))
        return BASE_EINVAL;
    record = *change->node;
    known = catalog_find(catalog, record.node);
    if (change->by_gossip && known)
        keep_own_words(&record, known->node);
    node = put_node(catalog, index, &record, &changed);
    if (node == NULL)
        return BASE_EFULL;
    was_gateway = has_gateway(node);
    for (i = 0; i < change->n_services && rv == 0; i++)
        rv = put_service(node, index, change->services[i], &changed);
    for (i = 0; i < change->n_checks && rv == 0; i++)
        rv = put_check(node, index, change->checks[i], &changed);
    if (changed)
        moved(catalog, index, was_gateway || has_gateway(node));
    return rv;
}

int catalog_restore(struct catalog *catalog, const Server__Register *record)
{
    struct catalog_node *node;
    size_t i;

    if (!is_valid(record) || catalog_register(catalog, 1, record) != 0)
        return BASE_EINVAL;
    node = (struct catalog_node *)catalog_find(catalog, record->node->node);
    node->node->create_index = record->node->create_index;
    node->node->modify_index = record->node->modify_index;
    for (i = 0; i < record->n_services; i++) {
        Fedstate__Service *to = (Fedstate__Service *)catalog_service(
            node, record->services[i]->id);

        to->create_index = record->services[i]->create_index;
        to->modify_index = record->services[i]->modify_index;
    }
    for (i = 0; i < record->n_checks; i++) {
        Fedstate__Check *to = (Fedstate__Check *)catalog_check(
            node, record->checks[i]->check_id);

        to->create_index = record->checks[i]->create_index;
        to->modify_index = record->checks[i]->modify_index;
    }
    return 0;
}

static bool remove_checks_of(struct catalog_node *node, const char *service_id)
{
    bool removed = false;
    size_t i = 0;

    while (i < node->check_count) {
        if (strcmp(node->checks[i]->service_id, service_id) != 0) {
            i++;
            continue;
        }
        base_pb_free(node->checks[i]);
        remove_at((void **)node->checks, &node->check_count, i);
        removed = true;
    }
    return removed;
}

static bool remove_service(struct catalog_node *node, const char *id)
{
    bool found;
    size_t at = PLACE(node->services, node->service_count, service_key, id,
                      &found);

    if (!found)
        return false;
    base_pb_free(node->services[at]);
    remove_at((void **)node->services, &node->service_count, at);
    remove_checks_of(node, id);
    return true;
}

static bool remove_check(struct catalog_node *node, const char *check_id)
{
    bool found;
    size_t at = PLACE(node->checks, node->check_count, check_key, check_id,
                      &found);

    if (!found)
        return false;
    base_pb_free(node->checks[at]);
    remove_at((void **)node->checks, &node->check_count, at);
    return true;
}

int catalog_deregister(struct catalog *catalog, uint64_t index,
                       const Server__Deregister *change)
{
    struct catalog_node *node;
    bool found, gateway;
    size_t at = PLACE(catalog->nodes, catalog->node_count, node_key,
                      change->node, &found);

    if (!found)
        return 0;
    node = catalog->nodes[at];
    gateway = has_gateway(node);
    if (*change->service_id != '\0') {
        if (!remove_service(node, change->service_id))
            return 0;
    } else if (*change->check_id != '\0') {
        if (!remove_check(node, change->check_id))
            return 0;
    } else {
        node_free(node);
        remove_at((void **)catalog->nodes, &catalog->node_count, at);
    }
    moved(catalog, index, gateway);
    return 0;
}

/* ---- views ---------------------------------------------------------------- */

Fedstate__CheckServiceNode *
catalog_instance(const struct catalog_node *node,
                 const Fedstate__Service *service)
{
    Fedstate__CheckServiceNode view = FEDSTATE__CHECK_SERVICE_NODE__INIT;
    Fedstate__CheckServiceNode *copy;
    size_t i;

    view.node = node->node;
    view.service = (Fedstate__Service *)service;
    view.checks = base_calloc(node->check_count + 1, sizeof(*view.checks));
    for (i = 0; i < node->check_count; i++)
        if (*node->checks[i]->service_id == '\0' ||
            strcmp(node->checks[i]->service_id, service->id) == 0)
            view.checks[view.n_checks++] = node->checks[i];
    copy = base_pb_dup(&view);
    base_free(view.checks);
    return copy;
}

Fedstate__CheckServiceNode **catalog_gateways(const struct catalog *catalog,
                                              size_t *count)
{
    Fedstate__CheckServiceNode **out = NULL;
    size_t i, j;

    *count = 0;
    for (i = 0; i < catalog->node_count; i++)
        for (j = 0; j < catalog->nodes[i]->service_count; j++) {
            const Fedstate__Service *service = catalog->nodes[i]->services[j];

            if (strcmp(service->kind, FEDSTATE_KIND_GATEWAY) != 0)
                continue;
            out = base_reallocarray(out, *count + 1, sizeof(*out));
            out[(*count)++] = catalog_instance(catalog->nodes[i], service);
        }
    return out;
}
