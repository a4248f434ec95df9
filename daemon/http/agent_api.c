/* /v1/agent: the pools, and the agent's own life. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "gossip/error.h"
#include "http/json_put.h"
#include "http/member_json.h"
#include "http/web.h"

/* ---- members -------------------------------------------------------------- */

json_t *json_from_member(const struct member *member)
{
    /* The order in which memberlist keeps them (gossip.md). */
    static const char *const versions[] = {"ProtocolMin", "ProtocolMax",
                                           "ProtocolCur", "DelegateMin",
                                           "DelegateMax", "DelegateCur"};
    json_t *object = json_object(), *tags = json_object();
    char ip[BASE_ADDR_TEXT_MAX];
    size_t i;

    for (i = 0; i < member->tag_count; i++)
        json_put_text(tags, member->tags[i].key, member->tags[i].value);
    json_put_text(object, "Name", member->name);
    json_put_text(object, "Addr", base_addr_format_ip(&member->addr, ip));
    json_put_uint(object, "Port", member->addr.port);
    json_put(object, "Tags", tags);
    json_put_uint(object, "Status", (uint64_t)member->status);
    for (i = 0; i < BASE_COUNT_OF(versions); i++)
        json_put_uint(object, versions[i], member->vsn[i]);
    return object;
}

void agent_members(struct web_request *request)
{
    const struct core *core = &request->agent->core;
    const struct member *const *members = NULL;
    size_t count = 0, i;
    json_t *list;
    bool wan;

    if (!web_bool(request, "wan", &wan))
        return;
    if (!wan || core->wan) /* a client knows nobody there */
        members = pool_members(wan ? core->wan : core->lan, &count);
    list = json_array();
    for (i = 0; i < count; i++)
        json_array_append_new(list, json_from_member(members[i]));
    web_reply_json(request, list);
}

/* ---- join ----------------------------------------------------------------- */

static void on_joined(void *arg, int status, size_t joined)
{
    struct web_request *request = web_ticket_end(arg);

    (void)joined;
    if (request == NULL)
        return;
    if (status == 0)
        web_reply_done(request);
    else
        web_reply_text(request, 500, "cannot join %s: %s", request->name,
                       gossip_strerror(status));
}

void agent_join(struct web_request *request)
{
    const char *target = request->name;
    struct base_target parsed;
    struct web_ticket *ticket;
    struct pool *pool;
    bool wan;
    int rv;

    if (!web_bool(request, "wan", &wan) ||
        (pool = web_pool(request, wan)) == NULL)
        return;
    /* The port is only a stand-in: each pool has its own. */
    if (base_target_parse(&parsed, target, 1) != 0) {
        web_reply_text(request, 400,
                       "%s is no address: wanted [name/]host[:port]", target);
        return;
    }
    ticket = web_ticket_new(request);
    rv = pool_join(pool, &target, 1, on_joined, ticket);
    if (rv != 0)
        on_joined(ticket, rv, 0);
}

/* ---- leave ---------------------------------------------------------------- */

static void on_left(void *arg, int status)
{
    struct web_request *request = web_ticket_end(arg);

    if (request == NULL)
        return;
    if (status == BASE_EEXIST)
        web_reply_text(request, 500, "the agent is leaving already");
    else
        web_reply_done(request); /* it ends, whatever the pools said */
}

void agent_leave(struct web_request *request)
{
    web_put_header(request, "Connection", "close");
    request->agent->leave(request->agent->ctx, on_left,
                          web_ticket_new(request));
}

static void on_forced(void *arg, int status)
{
    struct web_request *request = web_ticket_end(arg);

    if (request == NULL)
        return;
    if (status == 0)
        web_reply_done(request);
    else
        web_reply_text(request, status == GOSSIP_ENONODE ? 404 : 500,
                       "cannot force %s to leave: %s", request->name,
                       gossip_strerror(status));
}

void agent_force_leave(struct web_request *request)
{
    struct web_ticket *ticket;
    struct pool *pool;
    bool prune, wan;
    int rv;

    if (!web_bool(request, "prune", &prune) ||
        !web_bool(request, "wan", &wan) ||
        (pool = web_pool(request, wan)) == NULL)
        return;
    if (pool_find(pool, request->name) == NULL) {
        web_reply_text(request, 404, "no member is named %s", request->name);
        return;
    }
    ticket = web_ticket_new(request);
    rv = pool_force_leave(pool, request->name, prune, on_forced, ticket);
    if (rv != 0)
        on_forced(ticket, rv);
}

/* ---- reload --------------------------------------------------------------- */

void agent_reload(struct web_request *request)
{
    char *why = NULL;
    int rv = request->agent->reload(request->agent->ctx, &why);

    if (rv == 0)
        web_reply_done(request);
    else
        web_reply_text(request, 500, "reload failed: %s",
                       why ? why : base_strerror(rv));
    base_free(why);
}
