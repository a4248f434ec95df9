/*
 * Routes: what the locator knows, as a value that other loops can have a copy
 * of. There are only two lists: all datacenters but the primary are reached the
 * same way (federation.md section 9).
 */
#include "routes.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "internal.h"

#define TEXT_ADDRS_MAX 8 /* a log line names so many, and counts the rest */

struct fedstate_routes {
    char primary[FEDSTATE_DC_BYTES_MAX + 1];
    size_t local_count, primary_count;
    struct base_addr addrs[]; /* local, then primary */
};

void fedstate_addrs_add(struct fedstate_addrs *addrs,
                        const struct base_addr *addr)
{
    size_t at = 0;

    while (at < addrs->count && base_addr_compare(&addrs->at[at], addr) < 0)
        at++;
    if (addrs->count == FEDSTATE_CANDIDATES_MAX ||
        (at < addrs->count && base_addr_equal(&addrs->at[at], addr)))
        return;
    memmove(&addrs->at[at + 1], &addrs->at[at],
            (addrs->count - at) * sizeof(addrs->at[0]));
    addrs->at[at] = *addr;
    addrs->count++;
}

static size_t size_of(size_t local_count, size_t primary_count)
{
    return sizeof(struct fedstate_routes) +
           (local_count + primary_count) * sizeof(struct base_addr);
}

bool fedstate_addrs_has(const struct fedstate_addrs *addrs,
                        const struct base_addr *addr)
{
    size_t i;

    for (i = 0; i < addrs->count; i++)
        if (base_addr_equal(&addrs->at[i], addr))
            return true;
    return false;
}

static void copy(struct base_addr *to, const struct fedstate_addrs *from)
{
    if (from->count > 0)
        memcpy(to, from->at, from->count * sizeof(from->at[0]));
}

struct fedstate_routes *
fedstate_routes_new(const char *primary, const struct fedstate_addrs *local,
                    const struct fedstate_addrs *to_primary)
{
    struct fedstate_routes *routes =
        base_calloc(1, size_of(local->count, to_primary->count));

    strncpy(routes->primary, primary, sizeof(routes->primary) - 1);
    routes->local_count = local->count;
    routes->primary_count = to_primary->count;
    copy(routes->addrs, local);
    copy(routes->addrs + local->count, to_primary);
    return routes;
}

static bool lists_equal(const struct base_addr *a, size_t a_count,
                        const struct base_addr *b, size_t b_count)
{
    size_t i;

    if (a_count != b_count)
        return false;
    for (i = 0; i < a_count; i++)
        if (!base_addr_equal(&a[i], &b[i]))
            return false;
    return true;
}

bool fedstate_routes_equal(const struct fedstate_routes *a,
                           const struct fedstate_routes *b)
{
    return a->local_count == b->local_count &&
           lists_equal(a->addrs, a->local_count + a->primary_count, b->addrs,
                       b->local_count + b->primary_count);
}

const struct base_addr *
fedstate_routes_for(const struct fedstate_routes *routes, const char *dc,
                    size_t *count)
{
    if (fedstate_dc_compare(dc, routes->primary) == 0) {
        *count = routes->primary_count;
        return routes->addrs + routes->local_count;
    }
    *count = routes->local_count;
    return routes->addrs;
}

struct fedstate_routes *
fedstate_routes_dup(const struct fedstate_routes *routes)
{
    return base_memdup(routes,
                       size_of(routes->local_count, routes->primary_count));
}

void fedstate_routes_free(struct fedstate_routes *routes)
{
    base_free(routes);
}

char *fedstate_routes_text(const struct base_addr *addrs, size_t count)
{
    struct base_buf out = BASE_BUF_INIT;
    char text[BASE_ADDR_TEXT_MAX];
    size_t i;

    for (i = 0; i < count && i < TEXT_ADDRS_MAX; i++)
        base_buf_printf(&out, "%s%s", i > 0 ? ", " : "",
                        base_addr_format(&addrs[i], text));
    if (count > TEXT_ADDRS_MAX)
        base_buf_printf(&out, " and %zu more", count - TEXT_ADDRS_MAX);
    return base_buf_take_string(&out);
}
