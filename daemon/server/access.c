#include "server/access.h"

#include "server/internal.h"

bool access_allows(struct server *server, struct rpc_call *call,
                   enum acl_resource resource, enum acl_access access)
{
    enum acl_verdict verdict = acl_ask(server->config.acl, rpc_call_token(call),
                                       resource, access);
    char text[ACL_WORDS_SIZE];

    if (verdict == ACL_ALLOWED)
        return true;
    base_counter_add(base_metrics_counter(server->env->metrics,
                                          "isthmus.acl.denied", "at", "rpc"),
                     1);
    acl_words(text, verdict, resource, access);
    rpc_call_fail(call, RPC_EDENIED, text);
    return false;
}

static bool touches_services(const Server__Register *change)
{
    size_t i;

    for (i = 0; i < change->n_checks; i++)
        if (*change->checks[i]->service_id != '\0')
            return true;
    return change->n_services > 0;
}

static bool touches_node(struct server *server, const Server__Register *change)
{
    size_t i;

    for (i = 0; i < change->n_checks; i++)
        if (*change->checks[i]->service_id == '\0')
            return true;
    return catalog_changes_node(&server->fsm.catalog, change->node);
}

bool access_register(struct server *server, struct rpc_call *call,
                     const Server__Register *change)
{
    return (!touches_services(change) ||
            access_allows(server, call, ACL_SERVICE, ACL_WRITE)) &&
           (!touches_node(server, change) ||
            access_allows(server, call, ACL_NODE, ACL_WRITE));
}

bool access_deregister(struct server *server, struct rpc_call *call,
                       const Server__Deregister *change)
{
    return access_allows(server, call,
                         *change->service_id != '\0' ? ACL_SERVICE : ACL_NODE,
                         ACL_WRITE);
}
