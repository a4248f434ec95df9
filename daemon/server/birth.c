/*
 * The birth of a cluster. There is one message, "do you accept this list?",
 * asked by every holder of the list of every other server on it: it spreads
 * the list and counts the holders at once, so it does not matter who dies when.
 */
#include "server/birth.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/pb.h"
#include "server/internal.h"
#include "server/strerror.h"
#include "server/uuid.h"

#define BLOB "birth"
#define ROUND_MS 500u
#define ASK_TIMEOUT_MS 3000u
#define METHOD "Cluster.Birth"

/* One question under way. */
struct birth_asking {
    struct server *server;
    struct birth_asking *prev, *next;
    struct rpc_pending *pending;
    uint32_t round;
    size_t place;
};

static bool same_list(const Server__Birth *a, const Server__Birth *b)
{
    size_t i;

    if (strcmp(a->cluster_id, b->cluster_id) != 0 ||
        a->expect != b->expect || a->n_servers != b->n_servers)
        return false;
    for (i = 0; i < a->n_servers; i++)
        if (strcmp(a->servers[i]->id, b->servers[i]->id) != 0 ||
            strcmp(a->servers[i]->address, b->servers[i]->address) != 0)
            return false;
    return true;
}

/* Where we stand in a list; its length if we do not. */
static size_t own_place(const struct server *server, const Server__Birth *list)
{
    size_t i;

    for (i = 0; i < list->n_servers; i++)
        if (strcmp(list->servers[i]->id, server->config.node_id) == 0)
            break;
    return i;
}

/* Raft's addresses are node/ip:port, and are dialled as such. */
static bool is_address(const char *text)
{
    struct base_target at;
    struct base_addr ip;

    return strlen(text) < RAFT_ADDRESS_MAX &&
           base_target_parse(&at, text, 0) == 0 && at.name[0] != '\0' &&
           at.port != 0 && base_addr_parse_ip(&ip, at.host) == 0;
}

/* A sentence against a list; NULL if it is sound and names us. */
static const char *list_fault(const struct server *server,
                              const Server__Birth *list)
{
    size_t i;

    if (list->n_servers != list->expect || list->n_servers == 0 ||
        list->n_servers > RAFT_SERVERS_MAX)
        return "the list does not have bootstrap_expect servers";
    if (!uuid_is_valid(list->cluster_id))
        return "the cluster id is no UUID";
    for (i = 0; i < list->n_servers; i++) {
        if (strlen(list->servers[i]->id) >= RAFT_ID_MAX ||
            *list->servers[i]->id == '\0' ||
            !is_address(list->servers[i]->address))
            return "a server of the list has no usable id or address";
        if (i > 0 && strcmp(list->servers[i - 1]->id, list->servers[i]->id) >= 0)
            return "the list is not sorted by id";
    }
    if (own_place(server, list) == list->n_servers)
        return "this server is not on the list";
    return NULL;
}

/* The same for a list from outside, or of our own making. */
static const char *proposal_fault(const struct server *server,
                                  const Server__Birth *list)
{
    if (list->expect != server->config.bootstrap_expect)
        return "bootstrap_expect differs between servers";
    return list_fault(server, list);
}

static bool may_log(struct server *server)
{
    return base_log_limit_pass(&server->birth.log_limit,
                               base_env_now_ns(server->env));
}

/* ---- giving it to Raft ---------------------------------------------------- */

static void on_bootstrapped(void *arg, int status)
{
    struct server *server = arg;

    if (status == 0)
        base_log(&server->log, BASE_LOG_INFO, "cluster is born",
                 kv_str("cluster_id", server->birth.accepted->cluster_id),
                 kv_uint("servers", server->birth.accepted->n_servers));
    else if (status != RAFT_EEXIST)
        base_log(&server->log, BASE_LOG_ERROR, "bootstrap failed",
                 kv_str("error", server_strerror(status)));
}

static void commit(struct server *server)
{
    struct birth *birth = &server->birth;
    struct raft_configuration *configuration;
    size_t i;
    int rv;

    birth->over = true;
    BASE_NEW(configuration);
    strcpy(configuration->cluster_id, birth->accepted->cluster_id);
    configuration->server_count = (uint32_t)birth->accepted->n_servers;
    for (i = 0; i < birth->accepted->n_servers; i++) {
        strcpy(configuration->servers[i].id, birth->accepted->servers[i]->id);
        strcpy(configuration->servers[i].address,
               birth->accepted->servers[i]->address);
        configuration->servers[i].suffrage = RAFT_VOTER;
    }
    rv = raft_node_bootstrap(server->raft, configuration, on_bootstrapped,
                             server);
    if (rv != 0)
        on_bootstrapped(server, rv);
    base_free(configuration);
}

/* ---- asking the others ---------------------------------------------------- */

static void asking_free(struct birth_asking *asking)
{
    struct birth *birth = &asking->server->birth;

    if (asking->pending)
        rpc_pending_cancel(asking->pending);
    if (asking->prev)
        asking->prev->next = asking->next;
    else
        birth->asking = asking->next;
    if (asking->next)
        asking->next->prev = asking->prev;
    base_free(asking);
}

static uint32_t all_bits(const Server__Birth *list)
{
    return (UINT32_C(1) << list->n_servers) - 1;
}

static void on_answer(void *arg, int status, const char *text, const void *body,
                      size_t len)
{
    struct birth_asking *asking = arg;
    struct server *server = asking->server;
    struct birth *birth = &server->birth;
    Server__BirthReply *reply = NULL;

    (void)text;
    asking->pending = NULL;
    if (status == 0)
        reply = base_pb_unpack(&server__birth_reply__descriptor, body, len,
                               base_pb_budget(len));
    if (reply && !birth->over && asking->round == birth->round) {
        if (reply->accepted)
            birth->confirmed |= UINT32_C(1) << asking->place;
        else if (may_log(server))
            base_log(&server->log, BASE_LOG_WARN,
                     "a server does not accept the birth list",
                     kv_str("server",
                            birth->accepted->servers[asking->place]->address),
                     kv_str("reason", reply->reason));
        if (reply->committed ||
            birth->confirmed == all_bits(birth->accepted))
            commit(server);
    }
    base_pb_free(reply);
    asking_free(asking);
}

static void ask(struct server *server, size_t place, const struct base_buf *body)
{
    const Server__BirthServer *to = server->birth.accepted->servers[place];
    struct base_target at;
    struct rpc_target target = {.dc = server->config.datacenter};
    struct rpc_request request = {.method = METHOD,
                                  .body = base_buf_data(body),
                                  .body_len = base_buf_len(body),
                                  .timeout_ms = ASK_TIMEOUT_MS};
    struct birth_asking *asking;

    if (base_target_parse(&at, to->address, 0) != 0 ||
        base_addr_parse_ip(&target.addr, at.host) != 0)
        return;
    target.addr.port = at.port;
    target.node = at.name;
    BASE_NEW(asking);
    asking->server = server;
    asking->round = server->birth.round;
    asking->place = place;
    asking->next = server->birth.asking;
    if (asking->next)
        asking->next->prev = asking;
    server->birth.asking = asking;
    if (rpc_pool_call(server->calls, &target, &request, on_answer, asking,
                      &asking->pending) != 0)
        asking_free(asking);
}

static void ask_round(struct server *server)
{
    struct birth *birth = &server->birth;
    struct base_buf body = BASE_BUF_INIT;
    size_t own = own_place(server, birth->accepted), i;

    while (birth->asking)
        asking_free(birth->asking);
    birth->round++;
    birth->confirmed = UINT32_C(1) << own;
    if (birth->confirmed == all_bits(birth->accepted)) {
        commit(server);
        return;
    }
    base_pb_pack(birth->accepted, &body);
    for (i = 0; i < birth->accepted->n_servers; i++)
        if (i != own)
            ask(server, i, &body);
    base_buf_close(&body);
}

/* ---- accepting ------------------------------------------------------------ */

/* An acceptance on its way to the disk, and who waits for it. */
struct acceptance {
    struct server *server;
    Server__Birth *list;
    struct rpc_call *call; /* NULL: our own proposal */
};

static void answer(struct rpc_call *call, bool accepted, bool committed,
                   const char *reason)
{
    Server__BirthReply reply = SERVER__BIRTH_REPLY__INIT;
    struct base_buf body = BASE_BUF_INIT;

    reply.accepted = accepted;
    reply.committed = committed;
    reply.reason = (char *)reason;
    base_pb_pack(&reply, &body);
    rpc_call_reply(call, base_buf_data(&body), base_buf_len(&body));
    base_buf_close(&body);
}

static void on_saved(void *arg, int status)
{
    struct acceptance *acceptance = arg;
    struct server *server = acceptance->server;

    server->birth.acceptance = NULL;
    if (status == 0) {
        server->birth.accepted = acceptance->list;
        base_log(&server->log, BASE_LOG_INFO, "birth list accepted",
                 kv_str("cluster_id", acceptance->list->cluster_id),
                 kv_uint("servers", acceptance->list->n_servers));
        birth_soon(server);
    } else {
        base_pb_free(acceptance->list);
        base_log(&server->log, BASE_LOG_ERROR, "birth list cannot be stored",
                 kv_str("error", base_strerror(status)));
    }
    if (acceptance->call)
        answer(acceptance->call, status == 0, false,
               status == 0 ? "" : "the list cannot be stored");
    base_free(acceptance);
}

/* Takes list over. */
static void accept_list(struct server *server, Server__Birth *list,
                        struct rpc_call *call)
{
    struct acceptance *acceptance;
    struct base_buf blob = BASE_BUF_INIT;
    int rv;

    BASE_NEW(acceptance);
    acceptance->server = server;
    acceptance->list = list;
    acceptance->call = call;
    server->birth.acceptance = acceptance;
    base_pb_pack(list, &blob);
    rv = server->config.stable.ops->save(server->config.stable.ctx, BLOB,
                                         base_buf_data(&blob),
                                         base_buf_len(&blob), on_saved,
                                         acceptance);
    base_buf_close(&blob);
    if (rv != 0)
        on_saved(acceptance, rv);
}

static void on_birth_call(void *arg, struct rpc_call *call)
{
    struct server *server = arg;
    struct birth *birth = &server->birth;
    size_t len;
    const void *body = rpc_call_body(call, &len);
    Server__Birth *list = base_pb_unpack(&server__birth__descriptor, body, len,
                                         base_pb_budget(len));
    const char *fault;

    if (list == NULL) {
        rpc_call_fail(call, RPC_EINVAL, "malformed birth list");
        return;
    }
    fault = proposal_fault(server, list);
    if (birth->accepted) {
        bool same = same_list(birth->accepted, list);

        answer(call, same, same && birth->over,
               same ? "" : "another list was accepted before");
    } else if (fault) {
        answer(call, false, false, fault);
    } else if (birth->acceptance || !raft_node_is_ready(server->raft)) {
        answer(call, false, false, "starting, ask again");
    } else if (birth->over || raft_node_is_bootstrapped(server->raft)) {
        answer(call, false, false, "this server is part of a cluster already");
    } else {
        accept_list(server, list, call);
        return;
    }
    base_pb_free(list);
}

/* ---- proposing ------------------------------------------------------------ */

static int compare_ids(const void *a, const void *b)
{
    return strcmp((*(Server__BirthServer *const *)a)->id,
                  (*(Server__BirthServer *const *)b)->id);
}

static Server__BirthServer *list_entry(const struct member_server *server)
{
    Server__BirthServer *entry = base_alloc(sizeof(*entry));
    char addr[BASE_ADDR_TEXT_MAX];

    server__birth_server__init(entry);
    entry->id = base_strdup(server->id);
    entry->address = base_asprintf("%s/%s", server->node,
                                   base_addr_format(&server->rpc, addr));
    return entry;
}

static char *new_uuid(struct base_env *env)
{
    uint8_t random[16];
    char text[UUID_TEXT];

    base_env_random(env, random, sizeof(random));
    uuid_format(random, text);
    return base_strdup(text);
}

/* The servers that could be born together, as we see them now. */
static Server__Birth *list_of_members(struct server *server)
{
    Server__Birth *list = base_alloc(sizeof(*list));
    size_t count, i;
    const struct member *const *members = pool_members(server->lan, &count);

    server__birth__init(list);
    list->expect = server->config.bootstrap_expect;
    list->servers = base_calloc(count + 1, sizeof(*list->servers));
    for (i = 0; i < count; i++) {
        struct member_server as;

        if (members[i]->status == GOSSIP_MEMBER_ALIVE &&
            member_as_server(members[i], &as) && as.expect == list->expect)
            list->servers[list->n_servers++] = list_entry(&as);
    }
    qsort(list->servers, list->n_servers, sizeof(*list->servers), compare_ids);
    list->cluster_id = new_uuid(server->env);
    return list;
}

static void propose(struct server *server)
{
    Server__Birth *list = list_of_members(server);
    Server__Birth *copy = NULL;

    /* More than N is an operator's mistake that only he can mend: say so. */
    if (list->n_servers > list->expect) {
        if (may_log(server))
            base_log(&server->log, BASE_LOG_WARN,
                     "more servers than bootstrap_expect: waiting",
                     kv_uint("servers", list->n_servers),
                     kv_uint("bootstrap_expect", list->expect));
    } else if (list->n_servers == list->expect && own_place(server, list) == 0) {
        copy = base_pb_dup(list);
    }
    base_pb_free(list);
    if (copy == NULL)
        return;
    if (proposal_fault(server, copy) == NULL)
        accept_list(server, copy, NULL);
    else
        base_pb_free(copy);
}

static void on_timer(void *arg)
{
    struct server *server = arg;
    struct birth *birth = &server->birth;

    if (birth->over)
        return;
    base_timer_start_ms(&birth->timer, ROUND_MS);
    if (!raft_node_is_ready(server->raft) || birth->acceptance)
        return;
    if (raft_node_is_bootstrapped(server->raft)) {
        birth->over = true;
        base_timer_stop(&birth->timer);
    } else if (birth->accepted) {
        ask_round(server);
    } else {
        propose(server);
    }
}

/* ---- life ----------------------------------------------------------------- */

void birth_soon(struct server *server)
{
    if (!server->birth.over && server->config.bootstrap_expect > 0)
        base_timer_start_ms(&server->birth.timer, 0);
}

int birth_init(struct server *server, char **why)
{
    struct birth *birth = &server->birth;
    struct base_buf blob = BASE_BUF_INIT;
    int rv = server->config.stable.ops->load(server->config.stable.ctx, BLOB,
                                             &blob);

    base_timer_init(&birth->timer, server->env, "birth", on_timer, server);
    if (rv == 0) {
        birth->accepted = base_pb_unpack(
            &server__birth__descriptor, base_buf_data(&blob),
            base_buf_len(&blob), base_pb_budget(base_buf_len(&blob)));
        if (birth->accepted == NULL) {
            rv = BASE_EPARSE;
        } else {
            const char *fault = list_fault(server, birth->accepted);

            if (fault) {
                *why = base_asprintf("the stored birth list is wrong: %s",
                                     fault);
                base_buf_close(&blob);
                return BASE_EPARSE;
            }
        }
    }
    base_buf_close(&blob);
    if (rv != 0 && rv != BASE_ENOTFOUND) {
        *why = base_asprintf("the stored birth list cannot be read: %s",
                             base_strerror(rv));
        return rv;
    }
    rpc_server_method(server->rpc, METHOD, RPC_METHOD_OWN_DC, on_birth_call,
                      server);
    if (server->config.bootstrap_expect == 0)
        birth->over = birth->accepted == NULL;
    return 0;
}

void birth_close(struct server *server)
{
    struct birth *birth = &server->birth;

    while (birth->asking)
        asking_free(birth->asking);
    if (birth->acceptance) {
        if (birth->acceptance->call)
            rpc_call_fail(birth->acceptance->call, RPC_ECANCELLED,
                          "server is stopping");
        base_pb_free(birth->acceptance->list);
        base_free(birth->acceptance);
    }
    base_timer_stop(&birth->timer);
    base_pb_free(birth->accepted);
}
