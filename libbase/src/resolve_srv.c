/*
 * SRV records by libresolv (RFC 2782). Targets are taken in order of priority,
 * then of falling weight: every user here tries all of them anyway, so the
 * random choice among weights that the RFC describes would gain nothing.
 */
#include "resolve_srv.h"

#include <arpa/nameser.h>
#include <netdb.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"

#define ANSWER_BYTES_MAX 65536 /* what DNS over TCP can carry */
#define TARGETS_MAX 16         /* each may cost seconds of looking up */
#define SRV_FIXED_BYTES 6

static int by_priority(const void *left, const void *right)
{
    const struct srv_target *a = left;
    const struct srv_target *b = right;

    if (a->priority != b->priority)
        return a->priority < b->priority ? -1 : 1;
    if (a->weight != b->weight)
        return a->weight > b->weight ? -1 : 1;
    return strcmp(a->host, b->host);
}

static bool parse_record(ns_msg *message, int at, struct srv_target *out)
{
    struct base_cursor cursor;
    char host[NS_MAXDNAME];
    ns_rr record;

    if (ns_parserr(message, ns_s_an, at, &record) < 0 ||
        ns_rr_type(record) != ns_t_srv ||
        ns_rr_rdlen(record) <= SRV_FIXED_BYTES)
        return false;
    cursor = base_cursor_of(ns_rr_rdata(record), SRV_FIXED_BYTES);
    out->priority = base_cursor_u16be(&cursor);
    out->weight = base_cursor_u16be(&cursor);
    out->port = base_cursor_u16be(&cursor);
    if (dn_expand(ns_msg_base(*message), ns_msg_end(*message),
                  ns_rr_rdata(record) + SRV_FIXED_BYTES, host,
                  sizeof(host)) < 0)
        return false;
    /* The root as target says: no such service here (RFC 2782). */
    if (host[0] == '\0' || strlen(host) >= sizeof(out->host))
        return false;
    memcpy(out->host, host, strlen(host) + 1);
    return true;
}

int resolve_srv_parse(const uint8_t *answer, size_t len,
                      struct srv_target *targets, size_t max)
{
    ns_msg message;
    size_t count = 0;
    int i;

    if (len > ANSWER_BYTES_MAX || ns_initparse(answer, (int)len, &message) < 0)
        return BASE_EPARSE;
    for (i = 0; i < ns_msg_count(message, ns_s_an) && count < max; i++)
        if (parse_record(&message, i, &targets[count]))
            count++;
    qsort(targets, count, sizeof(*targets), by_priority);
    return (int)count;
}

static int error_from_h_errno(int value)
{
    switch (value) {
    case HOST_NOT_FOUND:
    case NO_DATA:
        return BASE_ENOTFOUND;
    case TRY_AGAIN:
        return BASE_ETIMEOUT;
    }
    return BASE_EIO;
}

/* Length of the answer or an error. */
static int query(const char *name, uint8_t *answer)
{
    struct __res_state state;
    int len;

    memset(&state, 0, sizeof(state));
    if (res_ninit(&state) < 0)
        return BASE_EIO;
    len = res_nquery(&state, name, ns_c_in, ns_t_srv, answer, ANSWER_BYTES_MAX);
    if (len < 0)
        len = error_from_h_errno(state.res_h_errno);
    res_nclose(&state);
    return len > ANSWER_BYTES_MAX ? ANSWER_BYTES_MAX : len;
}

int resolve_srv(const char *name, struct resolve_list *list)
{
    struct srv_target targets[TARGETS_MAX];
    uint8_t *answer = base_alloc(ANSWER_BYTES_MAX);
    int rv = query(name, answer);
    int count = 0;
    int i;

    if (rv >= 0)
        rv = resolve_srv_parse(answer, (size_t)rv, targets, TARGETS_MAX);
    base_free(answer);
    if (rv < 0)
        return rv;
    count = rv;
    rv = BASE_ENOTFOUND;
    /* One target that does not resolve must not hide the others. */
    for (i = 0; i < count; i++) {
        int one = resolve_host(targets[i].host, targets[i].port, list);

        if (one == 0 || rv != 0)
            rv = one;
    }
    return rv;
}
