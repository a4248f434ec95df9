/*
 * Gossip knows who is here; the catalog and Raft's configuration must say the
 * same. Every step compares first, so that looking again costs nothing.
 */
#include <string.h>

#include "base/alloc.h"
#include "server/internal.h"
#include "server/strerror.h"

#define SERF_HEALTH "serfHealth" /* the id that operators know */

static void fill_health(Fedstate__Check *check, const struct member *member)
{
    bool alive = member->status == GOSSIP_MEMBER_ALIVE ||
                 member->status == GOSSIP_MEMBER_LEAVING;

    fedstate__check__init(check);
    check->node = (char *)member->name;
    check->check_id = (char *)SERF_HEALTH;
    check->name = (char *)"Serf Health Status";
    check->status = (char *)(alive ? "passing" : "critical");
    check->output = (char *)(alive ? "Agent alive and reachable"
                                   : "Agent not live or unreachable");
}

/* True if the catalog says all this already. */
static bool is_known(const struct server *server, const Server__Register *say)
{
    const struct catalog_node *node =
        catalog_find(&server->fsm.catalog, say->node->node);
    const Fedstate__Check *health;
    const Fedstate__Service *service;

    if (node == NULL || strcmp(node->node->address, say->node->address) != 0 ||
        strcmp(node->node->id, say->node->id) != 0)
        return false;
    health = catalog_check(node, SERF_HEALTH);
    if (health == NULL || strcmp(health->status, say->checks[0]->status) != 0)
        return false;
    if (say->n_services == 0)
        return true;
    service = catalog_service(node, SERVER_SERVICE);
    return service != NULL && service->port == say->services[0]->port;
}

static void reconcile_record(struct server *server, const struct member *member)
{
    Server__Register say = SERVER__REGISTER__INIT;
    Fedstate__Node node = FEDSTATE__NODE__INIT;
    Fedstate__Service service = FEDSTATE__SERVICE__INIT;
    Fedstate__Service *services[] = {&service};
    Fedstate__Check health;
    Fedstate__Check *checks[] = {&health};
    Fedstate__Pair lan = FEDSTATE__PAIR__INIT;
    Fedstate__Pair *tagged[] = {&lan};
    struct member_server as;
    char ip[BASE_ADDR_TEXT_MAX];

    node.node = (char *)member->name;
    node.address = (char *)base_addr_format_ip(&member->addr, ip);
    node.datacenter = (char *)server->config.datacenter;
    if (member_tag(member, "id"))
        node.id = (char *)member_tag(member, "id");
    lan.key = (char *)"lan";
    lan.value = node.address;
    node.tagged_addresses = tagged;
    node.n_tagged_addresses = 1;
    fill_health(&health, member);
    say.node = &node;
    say.by_gossip = true;
    say.checks = checks;
    say.n_checks = 1;
    if (member_as_server(member, &as)) {
        service.id = (char *)SERVER_SERVICE;
        service.service = (char *)SERVER_SERVICE;
        service.port = as.rpc.port;
        say.services = services;
        say.n_services = 1;
    }
    if (!is_known(server, &say))
        server_propose(server, FSM_REGISTER, &say);
}

static void on_changed(void *arg, int status)
{
    struct server *server = arg;

    if (status != 0)
        base_log(&server->log, BASE_LOG_WARN,
                 "Raft membership change did not go through; it is tried again",
                 kv_str("error", server_strerror(status)));
}

/* A server that gossip sees alive belongs into Raft's configuration, with the
 * address that it has now. One change at a time: the next look does the next. */
static void reconcile_peer(struct server *server, const struct member *member)
{
    const struct raft_configuration *configuration =
        raft_node_configuration(server->raft);
    struct raft_server peer = {.suffrage = RAFT_VOTER};
    const struct raft_server *known;
    struct member_server as;
    char addr[BASE_ADDR_TEXT_MAX];
    char *address;

    if (member->status != GOSSIP_MEMBER_ALIVE ||
        !member_as_server(member, &as) || strlen(as.id) >= RAFT_ID_MAX)
        return;
    address = base_asprintf("%s/%s", as.node, base_addr_format(&as.rpc, addr));
    known = raft_configuration_find(configuration, as.id);
    if (strlen(address) < sizeof(peer.address) &&
        (known == NULL || strcmp(known->address, address) != 0)) {
        strcpy(peer.id, as.id);
        strcpy(peer.address, address);
        if (known)
            peer.suffrage = known->suffrage;
        raft_node_add_server(server->raft, &peer, on_changed, server);
    }
    base_free(address);
}

void reconcile_member(struct server *server, const struct member *member)
{
    if (member->status == GOSSIP_MEMBER_LEFT) {
        reconcile_gone(server, member);
        return;
    }
    reconcile_record(server, member);
    reconcile_peer(server, member);
}

static void deregister(struct server *server, const char *node)
{
    Server__Deregister say = SERVER__DEREGISTER__INIT;

    say.node = (char *)node;
    server_propose(server, FSM_DEREGISTER, &say);
}

void reconcile_gone(struct server *server, const struct member *member)
{
    struct member_server as;

    if (strcmp(member->name, server->config.node) == 0)
        return; /* we go last: the next leader takes us out */
    if (catalog_find(&server->fsm.catalog, member->name))
        deregister(server, member->name);
    if (member_as_server(member, &as) &&
        raft_configuration_find(raft_node_configuration(server->raft), as.id))
        raft_node_remove_server(server->raft, as.id, on_changed, server);
}

/* Nodes with a serfHealth check were put there for a member; without one they
 * are somebody else's and stay. */
void reconcile_catalog(struct server *server)
{
    const struct catalog *catalog = &server->fsm.catalog;
    size_t i;

    for (i = 0; i < catalog->node_count; i++) {
        const char *name = catalog->nodes[i]->node->node;

        if (catalog_check(catalog->nodes[i], SERF_HEALTH) &&
            pool_find(server->lan, name) == NULL)
            deregister(server, name);
    }
}
