/*
 * The local state against a catalog, in virtual time: the real catalog's code
 * behind three RPC methods that can be told to fail.
 */
#include "agent/local_state.h"

#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/pb.h"
#include "base/sim.h"
#include "rpc/server.h"
#include "server/catalog.h"
#include "suite.h"

#define NODE "n1"
#define UPDATE_INTERVAL_MS 20000u

struct world {
    struct base_sim *sim;
    struct base_env *env;
    struct base_net *net;
    struct rpc_server *rpc;
    struct catalog catalog;
    uint64_t index;
    unsigned registers, deregisters, reads;
    bool refuse_nodes;
    bool failing;
    const char *refuse_id; /* a service that the catalog does not take */
    char folder[64];       /* "": nothing is kept */
    struct local_state *local;
    char *why;
    int kept; /* what local_state_when_kept() said; 1: nothing yet */
};

static struct world world;

/* ---- a leader ------------------------------------------------------------- */

static Server__Write *unpack_write(struct rpc_call *call)
{
    size_t len;
    const void *body = rpc_call_body(call, &len);

    return base_pb_unpack(&server__write__descriptor, body, len,
                          base_pb_budget(len));
}

static bool failed(struct rpc_call *call)
{
    if (world.failing)
        rpc_call_fail(call, RPC_ENOLEADER, "No cluster leader");
    return world.failing;
}

static void on_register(void *arg, struct rpc_call *call)
{
    Server__Write *write;

    (void)arg;
    world.registers++;
    if (failed(call))
        return;
    write = unpack_write(call);
    if (world.refuse_id &&
        write->register_->n_services > 0 &&
        strcmp(write->register_->services[0]->id, world.refuse_id) == 0) {
        rpc_call_fail(call, RPC_ETOOBIG, "too big");
    } else if (world.refuse_nodes &&
               catalog_changes_node(&world.catalog, write->register_->node)) {
        rpc_call_fail(call, RPC_EDENIED, "needs node:write");
    } else {
        ck_assert_int_eq(catalog_register(&world.catalog, ++world.index,
                                          write->register_),
                         0);
        rpc_call_reply(call, "", 0);
    }
    base_pb_free(write);
}

static void on_deregister(void *arg, struct rpc_call *call)
{
    Server__Write *write;

    (void)arg;
    world.deregisters++;
    if (failed(call))
        return;
    write = unpack_write(call);
    ck_assert_int_eq(
        catalog_deregister(&world.catalog, ++world.index, write->deregister),
        0);
    base_pb_free(write);
    rpc_call_reply(call, "", 0);
}

static void on_node(void *arg, struct rpc_call *call)
{
    const struct catalog_node *node = catalog_find(&world.catalog, NODE);
    Server__QueryReply reply = SERVER__QUERY_REPLY__INIT;
    Fedstate__Node *nodes[1];
    struct base_buf body = BASE_BUF_INIT;
    size_t i;

    (void)arg;
    world.reads++;
    if (failed(call))
        return;
    reply.index = 1;
    if (node) {
        nodes[0] = node->node;
        reply.nodes = nodes;
        reply.n_nodes = 1;
        reply.checks = node->checks;
        reply.n_checks = node->check_count;
        reply.instances =
            base_calloc(node->service_count + 1, sizeof(*reply.instances));
        for (i = 0; i < node->service_count; i++)
            reply.instances[reply.n_instances++] =
                catalog_instance(node, node->services[i]);
    }
    base_pb_pack(&reply, &body);
    for (i = 0; i < reply.n_instances; i++)
        base_pb_free(reply.instances[i]);
    base_free(reply.instances);
    rpc_call_reply(call, base_buf_data(&body), base_buf_len(&body));
    base_buf_close(&body);
}

/* ---- the world ------------------------------------------------------------ */

static Fedstate__Node own_node(void)
{
    static Fedstate__Pair rack = {.base = PROTOBUF_C_MESSAGE_INIT(
                                      &fedstate__pair__descriptor),
                                  .key = (char *)"rack",
                                  .value = (char *)"r1"};
    static Fedstate__Pair *meta[] = {&rack};
    Fedstate__Node node = FEDSTATE__NODE__INIT;

    node.id = (char *)"id-1";
    node.node = (char *)NODE;
    node.datacenter = (char *)"dc1";
    node.address = (char *)"10.0.0.1";
    node.meta = meta;
    node.n_meta = 1;
    return node;
}

static void start_local(void)
{
    Fedstate__Node node = own_node();
    struct local_state_config config = {
        .env = world.env,
        .rpc = world.rpc,
        .node = &node,
        .folder = world.folder[0] ? world.folder : NULL,
        .check_update_interval_ms = UPDATE_INTERVAL_MS,
        .net = world.net,
    };

    ck_assert_int_eq(local_state_new(&config, &world.local, &world.why), 0);
}

static void setup(void)
{
    struct rpc_server_config config = {.datacenter = "dc1",
                                       .domain = "consul"};
    struct base_sim_host *host;
    struct base_addr addr;

    memset(&world, 0, sizeof(world));
    base_addr_parse_ip(&addr, "10.0.0.1");
    world.sim = base_sim_new(1);
    host = base_sim_host_new(world.sim, "n1", &addr, 1);
    world.env = base_sim_host_env(host, "main");
    world.net = base_sim_host_net(host, world.env);
    ck_assert_int_eq(rpc_server_new(world.env, &config, &world.rpc), 0);
    rpc_server_method(world.rpc, "Catalog.Register", 0, on_register, NULL);
    rpc_server_method(world.rpc, "Catalog.Deregister", 0, on_deregister, NULL);
    rpc_server_method(world.rpc, "Catalog.Node", 0, on_node, NULL);
    catalog_init(&world.catalog, world.env);
}

static int remove_one(const char *path, const struct stat *status, int type,
                      struct FTW *at)
{
    (void)status;
    (void)type;
    (void)at;
    return remove(path);
}

static void teardown(void)
{
    local_state_free(world.local);
    rpc_server_free(world.rpc);
    catalog_close(&world.catalog);
    base_sim_free(world.sim);
    if (world.folder[0])
        nftw(world.folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void keep_on_disk(void)
{
    strcpy(world.folder, "/tmp/isthmus-local-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(world.folder));
}

static void run_ms(uint64_t ms)
{
    base_sim_run_for_ms(world.sim, ms);
}

static bool in_sync(void *arg)
{
    (void)arg;
    return local_state_in_sync(world.local);
}

static void sync_up(void)
{
    ck_assert(base_sim_run_until_true(world.sim, in_sync, NULL, 1000));
}

/* ---- what is registered --------------------------------------------------- */

static Fedstate__Service service_of(const char *id)
{
    Fedstate__Service service = FEDSTATE__SERVICE__INIT;

    service.id = (char *)(uintptr_t)id;
    service.service = (char *)(uintptr_t)"web";
    service.port = 80;
    return service;
}

static Fedstate__Check check_of(const char *id, const char *status)
{
    Fedstate__Check check = FEDSTATE__CHECK__INIT;

    check.check_id = (char *)(uintptr_t)id;
    check.name = (char *)(uintptr_t)"alive";
    check.status = (char *)(uintptr_t)status;
    return check;
}

static int put(const char *id, const char *check_id, uint32_t ttl_ms)
{
    Fedstate__Service service = service_of(id);
    Fedstate__Check check = check_of(check_id ? check_id : "", "passing");
    Fedstate__Check *checks[] = {&check};
    struct check_spec spec = {.ttl_ms = ttl_ms};

    return local_state_register(world.local, &service, checks, &spec,
                                check_id ? 1 : 0);
}

static const Fedstate__Service *known(const char *id)
{
    const struct catalog_node *node = catalog_find(&world.catalog, NODE);

    return node ? catalog_service(node, id) : NULL;
}

static const Fedstate__Check *known_check(const char *id)
{
    const struct catalog_node *node = catalog_find(&world.catalog, NODE);

    return node ? catalog_check(node, id) : NULL;
}

/* ---- tests ---------------------------------------------------------------- */

START_TEST(the_catalog_learns_soon)
{
    start_local();
    ck_assert(!local_state_in_sync(world.local));
    ck_assert_int_eq(put("web-1", "c1", 0), 0);
    sync_up();
    ck_assert_uint_lt(base_sim_now_ns(world.sim), 100000000);
    ck_assert_str_eq(known("web-1")->service, "web");
    ck_assert_str_eq(known_check("c1")->service_id, "web-1");
    ck_assert_str_eq(known_check("c1")->service_name, "web");
    ck_assert_str_eq(known_check("c1")->node, NODE);
    ck_assert_str_eq(catalog_find(&world.catalog, NODE)->node->id, "id-1");
    ck_assert_uint_eq(world.registers, 2); /* the node; its service */
    /* And nothing more, while nothing changes. */
    run_ms(50000);
    ck_assert_uint_eq(world.registers, 2);
    ck_assert_int_eq(local_state_deregister(world.local, "web-1"), 0);
    ck_assert_int_eq(local_state_deregister(world.local, "web-1"),
                     BASE_ENOTFOUND);
    sync_up();
    ck_assert_ptr_null(known("web-1"));
    ck_assert_ptr_null(known_check("c1"));
}
END_TEST

START_TEST(services_are_sorted)
{
    Fedstate__Check *const *checks;
    size_t count;

    start_local();
    put("b", NULL, 0);
    put("c", "x", 0);
    put("a", NULL, 0);
    ck_assert_uint_eq(local_state_count(world.local), 3);
    ck_assert_str_eq(local_state_at(world.local, 0, &checks, &count)->id, "a");
    ck_assert_uint_eq(count, 0);
    ck_assert_str_eq(local_state_at(world.local, 2, &checks, &count)->id, "c");
    ck_assert_uint_eq(count, 1);
    ck_assert_str_eq(checks[0]->check_id, "x");
}
END_TEST

/* 1 s, doubling to 30 s, a tenth either way. */
START_TEST(a_failure_backs_off)
{
    world.failing = true;
    start_local();
    put("web-1", NULL, 0);
    run_ms(500);
    ck_assert_uint_eq(world.reads, 1);
    run_ms(1000); /* 1.5 s: the second at 0.9 to 1.1 */
    ck_assert_uint_eq(world.reads, 2);
    run_ms(2000); /* 3.5 s: the third 1.8 to 2.2 later */
    ck_assert_uint_eq(world.reads, 3);
    put("web-2", NULL, 0); /* news do not hurry it */
    run_ms(500);
    ck_assert_uint_eq(world.reads, 3);
    run_ms(600000);
    ck_assert_uint_gt(world.reads, 20);
    ck_assert_uint_lt(world.reads, 32);
    world.failing = false;
    run_ms(34000);
    ck_assert(local_state_in_sync(world.local));
    ck_assert_ptr_nonnull(known("web-1"));
    ck_assert_ptr_nonnull(known("web-2"));
}
END_TEST

START_TEST(one_bad_service_does_not_stop_the_others)
{
    start_local();
    world.refuse_id = "b";
    put("a", NULL, 0);
    put("b", NULL, 0);
    put("c", NULL, 0);
    run_ms(10000);
    ck_assert_ptr_nonnull(known("a"));
    ck_assert_ptr_nonnull(known("c"));
    ck_assert_ptr_null(known("b"));
    ck_assert(!local_state_in_sync(world.local));
}
END_TEST

static void put_stranger(const char *node_name, const char *id)
{
    Fedstate__Node node = FEDSTATE__NODE__INIT;
    Fedstate__Service service = service_of(id), *services[] = {&service};
    Fedstate__Check check = check_of("serfHealth", "passing");
    Fedstate__Check *checks[] = {&check};
    Server__Register change = SERVER__REGISTER__INIT;

    node.node = (char *)(uintptr_t)node_name;
    node.address = (char *)(uintptr_t)"10.0.0.1";
    change.node = &node;
    change.services = services;
    change.n_services = 1;
    change.checks = checks;
    change.n_checks = 1;
    check.node = node.node;
    ck_assert_int_eq(catalog_register(&world.catalog, ++world.index, &change),
                     0);
}

START_TEST(each_minute_both_are_compared)
{
    Server__Deregister gone = SERVER__DEREGISTER__INIT;

    put_stranger(NODE, "old");
    put_stranger(NODE, "consul");
    put_stranger("n2", "theirs");
    start_local();
    sync_up();
    ck_assert_ptr_null(known("old")); /* at the start, too */
    ck_assert_ptr_nonnull(known("consul"));
    ck_assert_ptr_nonnull(known_check("serfHealth"));
    put("web-1", "c1", 0);
    sync_up();

    gone.node = (char *)(uintptr_t)NODE;
    gone.service_id = (char *)(uintptr_t)"web-1";
    catalog_deregister(&world.catalog, ++world.index, &gone);
    put_stranger(NODE, "ghost");
    run_ms(70000);
    ck_assert_ptr_nonnull(known("web-1"));
    ck_assert_ptr_nonnull(known_check("c1"));
    ck_assert_ptr_null(known("ghost"));
    ck_assert_ptr_nonnull(known("consul"));
    ck_assert_ptr_nonnull(known_check("serfHealth"));
    ck_assert_ptr_nonnull(
        catalog_service(catalog_find(&world.catalog, "n2"), "theirs"));

    /* The whole node, as after a partition. */
    gone.service_id = (char *)(uintptr_t)"";
    catalog_deregister(&world.catalog, ++world.index, &gone);
    run_ms(70000);
    ck_assert_ptr_nonnull(known("web-1"));
}
END_TEST

START_TEST(a_check_that_is_not_there_any_more_leaves)
{
    start_local();
    put("web-1", "c1", 0);
    sync_up();
    put("web-1", "c2", 0);
    sync_up();
    ck_assert_ptr_null(known_check("c1"));
    ck_assert_ptr_nonnull(known_check("c2"));
    /* Gone and back before the catalog heard of either. */
    put("web-1", "c1", 0);
    put("web-1", "c2", 0);
    local_state_deregister(world.local, "web-1");
    put("web-1", "c2", 0);
    sync_up();
    run_ms(1000);
    ck_assert_ptr_nonnull(known("web-1"));
    ck_assert_ptr_nonnull(known_check("c2"));
    ck_assert_ptr_null(known_check("c1"));
}
END_TEST

START_TEST(a_check_that_is_registered_again_goes_on)
{
    start_local();
    put("web-1", "c1", 5000);
    ck_assert_int_eq(
        local_state_check(world.local, "c1", "warning", "hot"), 0);
    run_ms(4000);
    put("web-1", "c1", 5000); /* says passing */
    sync_up();
    ck_assert_str_eq(known_check("c1")->status, "warning");
    ck_assert_str_eq(known_check("c1")->output, "hot");
    run_ms(4000); /* its time began anew */
    ck_assert_str_eq(known_check("c1")->status, "warning");
    run_ms(2000);
    ck_assert_str_eq(known_check("c1")->status, "critical");
}
END_TEST

START_TEST(a_ttl_runs_out_unless_spoken_for)
{
    const char *output;

    start_local();
    put("web-1", "c1", 5000);
    run_ms(4000);
    ck_assert_int_eq(
        local_state_check(world.local, "c1", "passing", "fine"), 0);
    run_ms(4000);
    ck_assert_str_eq(known_check("c1")->status, "passing");
    run_ms(2000);
    ck_assert_str_eq(known_check("c1")->status, "critical");
    output = known_check("c1")->output;
    ck_assert_msg(strstr(output, "TTL") && strstr(output, "fine"), "%s",
                  output);
    ck_assert_int_eq(
        local_state_check(world.local, "c1", "warning", "back"), 0);
    run_ms(100);
    ck_assert_str_eq(known_check("c1")->status, "warning");
    ck_assert_str_eq(known_check("c1")->output, "back");
    run_ms(5000);
    ck_assert_str_eq(known_check("c1")->status, "critical");
}
END_TEST

static const Fedstate__Node *known_node(void)
{
    return catalog_find(&world.catalog, NODE)->node;
}

/* Gossip's word on a node has neither metadata nor all addresses. */
static void register_bare_node(void)
{
    Fedstate__Node bare = FEDSTATE__NODE__INIT;
    Server__Register change = SERVER__REGISTER__INIT;

    bare.id = (char *)"id-1";
    bare.node = (char *)NODE;
    bare.address = (char *)"10.0.0.1";
    change.node = &bare;
    catalog_register(&world.catalog, ++world.index, &change);
}

START_TEST(the_node_is_put_right)
{
    start_local();
    sync_up();
    ck_assert_str_eq(known_node()->meta[0]->value, "r1");
    register_bare_node();
    ck_assert_uint_eq(known_node()->n_meta, 0);
    run_ms(70000); /* the next comparison */
    ck_assert_str_eq(known_node()->meta[0]->value, "r1");
}
END_TEST

/* A token that may write services, on a node that is not as we say. */
START_TEST(a_refused_node_holds_up_no_service)
{
    world.refuse_nodes = true;
    register_bare_node();
    start_local();
    put("web-1", "c1", 0);
    run_ms(5000);
    ck_assert_str_eq(known("web-1")->service, "web");
    ck_assert(!local_state_in_sync(world.local));
    world.refuse_nodes = false;
    run_ms(40000);
    ck_assert(local_state_in_sync(world.local));
}
END_TEST

START_TEST(outputs_alone_wait)
{
    unsigned registers;

    start_local();
    put("web-1", "c1", 0);
    sync_up();
    registers = world.registers;
    local_state_check(world.local, "c1", "passing", "1");
    run_ms(UPDATE_INTERVAL_MS - 1000);
    local_state_check(world.local, "c1", "passing", "2");
    ck_assert_uint_eq(world.registers, registers);
    ck_assert_str_eq(known_check("c1")->output, "");
    run_ms(1500);
    ck_assert_str_eq(known_check("c1")->output, "2");
    ck_assert_uint_eq(world.registers, registers + 1);
    /* The same again is no change. */
    local_state_check(world.local, "c1", "passing", "2");
    run_ms(UPDATE_INTERVAL_MS + 1000);
    ck_assert_uint_eq(world.registers, registers + 1);
    /* With a status it goes at once. */
    local_state_check(world.local, "c1", "passing", "3");
    local_state_check(world.local, "c1", "critical", "4");
    run_ms(100);
    ck_assert_str_eq(known_check("c1")->output, "4");
    ck_assert_uint_eq(world.registers, registers + 2);
    run_ms(UPDATE_INTERVAL_MS + 1000);
    ck_assert_uint_eq(world.registers, registers + 2);
}
END_TEST

START_TEST(outputs_are_bounded)
{
    char *text = base_alloc(LOCAL_OUTPUT_BYTES_MAX + 100);

    memset(text, 'x', LOCAL_OUTPUT_BYTES_MAX + 99);
    text[LOCAL_OUTPUT_BYTES_MAX + 99] = '\0';
    start_local();
    put("web-1", "c1", 0);
    local_state_check(world.local, "c1", "warning", text);
    sync_up();
    ck_assert_uint_eq(strlen(known_check("c1")->output),
                      LOCAL_OUTPUT_BYTES_MAX);
    base_free(text);
}
END_TEST

START_TEST(what_is_refused)
{
    Fedstate__Service service = service_of("");
    Fedstate__Check one = check_of("same", "passing");
    Fedstate__Check *twice[] = {&one, &one};
    unsigned i;

    start_local();
    ck_assert_int_eq(put("", NULL, 0), BASE_EINVAL);
    service.id = (char *)(uintptr_t)"x";
    service.service = (char *)(uintptr_t)"";
    ck_assert_int_eq(local_state_register(world.local, &service, NULL, NULL, 0),
                     BASE_EINVAL);
    ck_assert_int_eq(put("consul", NULL, 0), BASE_EEXIST);
    ck_assert_int_eq(put("web-1", "serfHealth", 0), BASE_EEXIST);
    ck_assert_int_eq(put("web-1", "c1", 0), 0);
    ck_assert_int_eq(put("web-2", "c1", 0), BASE_EEXIST);
    service = service_of("web-3");
    ck_assert_int_eq(
        local_state_register(world.local, &service, twice, NULL, 2),
        BASE_EEXIST);
    ck_assert_int_eq(local_state_check(world.local, "c9", "passing", ""),
                     BASE_ENOTFOUND);
    ck_assert_int_eq(local_state_check(world.local, "c1", "fine", ""),
                     BASE_EINVAL);
    for (i = 1; i < LOCAL_SERVICES_MAX; i++) {
        char id[16];

        snprintf(id, sizeof(id), "s%u", i);
        ck_assert_int_eq(put(id, NULL, 0), 0);
    }
    ck_assert_int_eq(put("one-more", NULL, 0), BASE_EFULL);
    ck_assert_int_eq(put("s1", NULL, 0), 0); /* one that is there may change */
}
END_TEST

/* ---- on disk -------------------------------------------------------------- */

static void on_kept(void *arg, int status)
{
    (void)arg;
    world.kept = status;
}

static bool is_kept(void *arg)
{
    (void)arg;
    return world.kept != 1;
}

static int wait_kept(void)
{
    world.kept = 1;
    ck_assert_int_eq(local_state_when_kept(world.local, on_kept, NULL), 0);
    ck_assert_int_eq(world.kept, 1); /* never inside the call */
    ck_assert(base_sim_run_until_true(world.sim, is_kept, NULL, 60000));
    return world.kept;
}

static void restart(void)
{
    local_state_free(world.local);
    start_local();
}

START_TEST(services_outlive_the_process)
{
    Fedstate__Check *const *checks;
    const Fedstate__Service *service;
    size_t count;

    keep_on_disk();
    start_local();
    put("web/1", "c1", 5000);
    put("gone", NULL, 0);
    local_state_check(world.local, "c1", "warning", "hm");
    local_state_deregister(world.local, "gone");
    ck_assert_int_eq(wait_kept(), 0);
    restart();
    ck_assert_uint_eq(local_state_count(world.local), 1);
    service = local_state_at(world.local, 0, &checks, &count);
    ck_assert_str_eq(service->id, "web/1");
    ck_assert_uint_eq(service->port, 80);
    ck_assert_uint_eq(count, 1);
    ck_assert_str_eq(checks[0]->status, "warning");
    ck_assert_str_eq(checks[0]->output, "hm");
    run_ms(6000); /* the TTL was kept too, and starts anew */
    ck_assert_str_eq(known_check("c1")->status, "critical");
    /* Deregistered while we were down: the catalog is cleaned at the start. */
    ck_assert_ptr_null(known("gone"));
}
END_TEST

START_TEST(a_registration_in_a_hurry_is_kept_whole)
{
    unsigned i;

    keep_on_disk();
    start_local();
    for (i = 0; i < 50; i++) {
        put("web-1", i % 2 ? "odd" : "even", 1000);
        if (i % 7 == 0)
            local_state_deregister(world.local, "web-1");
    }
    put("web-1", "last", 1000);
    ck_assert_int_eq(wait_kept(), 0);
    restart();
    ck_assert_uint_eq(local_state_count(world.local), 1);
    ck_assert_int_eq(local_state_check(world.local, "last", "passing", ""), 0);
}
END_TEST

static void write_file(const char *name, const char *text)
{
    char *path = base_asprintf("%s/%s", world.folder, name);
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
    base_free(path);
}

static bool is_file(const char *name)
{
    char *path = base_asprintf("%s/%s", world.folder, name);
    bool is = access(path, F_OK) == 0;

    base_free(path);
    return is;
}

START_TEST(a_damaged_file_is_left_alone)
{
    keep_on_disk();
    start_local();
    put("web-1", NULL, 0);
    ck_assert_int_eq(wait_kept(), 0);
    write_file("bad.json", "{\"Service\":");
    write_file("odd.json", "{\"Service\":{\"Service\":7}}");
    write_file("none.json", "{}");
    write_file("half.json.tmp", "{");
    write_file("README", "not ours");
    restart();
    ck_assert_uint_eq(local_state_count(world.local), 1);
    ck_assert(is_file("bad.json"));
    ck_assert(is_file("odd.json"));
    ck_assert(is_file("README"));
    ck_assert(!is_file("half.json.tmp"));
}
END_TEST

START_TEST(a_disk_that_refuses_is_told)
{
    keep_on_disk();
    start_local();
    nftw(world.folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    put("web-1", NULL, 0);
    ck_assert_int_lt(wait_kept(), 0);
    ck_assert_uint_eq(local_state_count(world.local), 1);
    sync_up(); /* it is registered all the same */
    ck_assert_ptr_nonnull(known("web-1"));
}
END_TEST

START_TEST(a_folder_that_cannot_be_is_an_error)
{
    Fedstate__Node node = own_node();
    struct local_state_config config = {.env = world.env,
                                        .rpc = world.rpc,
                                        .node = &node,
                                        .folder = "/dev/null/services"};
    struct local_state *local;
    char *why = NULL;

    ck_assert_int_lt(local_state_new(&config, &local, &why), 0);
    ck_assert_ptr_null(local);
    ck_assert_ptr_nonnull(strstr(why, "/dev/null/services"));
    base_free(why);
}
END_TEST

/* Freed with everything under way: a call, a job, waits, timers. */
START_TEST(it_can_go_at_any_moment)
{
    unsigned i;

    keep_on_disk();
    for (i = 0; i < 20; i++) {
        start_local();
        put("web-1", "c1", 1);
        local_state_when_kept(world.local, on_kept, NULL);
        base_sim_run_until(world.sim,
                           base_sim_now_ns(world.sim) + i * 50000);
        local_state_free(world.local);
        world.local = NULL;
    }
    run_ms(1000);
}
END_TEST

/* ---- checks of the node, and checks that run ------------------------------ */

static int put_check(const char *service_id, const char *id,
                     const struct check_spec *spec)
{
    Fedstate__Check check = check_of(id, "critical");

    return local_state_put_check(world.local, service_id, &check, spec);
}

START_TEST(checks_of_the_node_come_and_go)
{
    struct check_spec ttl = {.ttl_ms = 3600000};

    keep_on_disk();
    start_local();
    ck_assert_int_eq(put_check("", "disk", &ttl), 0);
    ck_assert_int_eq(put_check("", "load", &ttl), 0);
    ck_assert_int_eq(put_check("none", "x", &ttl), BASE_ENOTFOUND);
    ck_assert_int_eq(put_check("", "serfHealth", &ttl), BASE_EEXIST);
    run_ms(1000);
    ck_assert_str_eq(known_check("disk")->service_id, "");
    ck_assert_ptr_nonnull(known_check("load"));
    ck_assert_int_eq(
        local_state_check(world.local, "disk", "passing", "empty"), 0);
    ck_assert_int_eq(local_state_remove_check(world.local, "load"), 0);
    ck_assert_int_eq(local_state_remove_check(world.local, "load"),
                     BASE_ENOTFOUND);
    run_ms(1000);
    ck_assert_str_eq(known_check("disk")->status, "passing");
    ck_assert_ptr_null(known_check("load"));
    /* Kept, and no service. */
    local_state_free(world.local);
    start_local();
    ck_assert_int_eq(local_state_deregister(world.local, ""), BASE_ENOTFOUND);
    run_ms(1000);
    ck_assert_str_eq(known_check("disk")->output, "empty");
    ck_assert_int_eq(local_state_remove_check(world.local, "disk"), 0);
    run_ms(1000);
    ck_assert_ptr_null(known_check("disk"));
}
END_TEST

START_TEST(a_check_joins_those_of_its_service)
{
    struct check_spec ttl = {.ttl_ms = 3600000};

    start_local();
    put("web-1", "c1", 3600000);
    ck_assert_int_eq(put_check("web-1", "c2", &ttl), 0);
    run_ms(1000);
    ck_assert_str_eq(known_check("c1")->status, "passing");
    ck_assert_str_eq(known_check("c2")->service_name, "web");
    local_state_deregister(world.local, "web-1");
    run_ms(1000);
    ck_assert_ptr_null(known_check("c1"));
    ck_assert_ptr_null(known_check("c2"));
}
END_TEST

static void on_accept(void *arg, struct base_stream *stream)
{
    (void)arg;
    base_stream_close(stream);
}

/* The port of the TCP checks below: open or closed. */
static struct base_listener *listen_at_port(void)
{
    struct base_listener *listener;
    struct base_addr at;

    base_addr_parse_ip(&at, "10.0.0.1");
    at.port = 80;
    ck_assert_int_eq(
        base_net_listen(world.net, &at, on_accept, NULL, &listener), 0);
    return listener;
}

START_TEST(results_count_when_there_are_enough_in_a_row)
{
    struct check_spec spec = {.tcp = (char *)(uintptr_t)"10.0.0.1:80",
                              .interval_ms = 1000,
                              .passing_after = 3,
                              .critical_after = 2};
    struct base_listener *listener = listen_at_port();

    start_local();
    put("web-1", NULL, 0);
    ck_assert_int_eq(put_check("web-1", "port", &spec), 0);
    run_ms(2050); /* one to two results, maybe three at the very end */
    ck_assert_str_eq(known_check("port")->status, "critical");
    run_ms(2000);
    ck_assert_str_eq(known_check("port")->status, "passing");
    ck_assert_int_eq(local_state_check(world.local, "port", "critical", ""),
                     BASE_EINVAL);
    base_net_listener_close(world.net, listener);
    run_ms(1050);
    ck_assert_str_eq(known_check("port")->status, "passing");
    run_ms(1050);
    ck_assert_str_eq(known_check("port")->status, "critical");
}
END_TEST

START_TEST(a_service_that_stays_critical_goes)
{
    struct check_spec spec = {.tcp = (char *)(uintptr_t)"10.0.0.1:80",
                              .interval_ms = 1000,
                              .deregister_ms = 60000};
    struct base_listener *listener = listen_at_port();

    start_local();
    put("web-1", NULL, 0);
    ck_assert_int_eq(put_check("web-1", "port", &spec), 0);
    run_ms(2000);
    base_net_listener_close(world.net, listener);
    run_ms(50000);
    ck_assert_str_eq(known_check("port")->status, "critical");
    listener = listen_at_port(); /* back in time: it counts anew */
    run_ms(20000);
    ck_assert_ptr_nonnull(known("web-1"));
    base_net_listener_close(world.net, listener);
    run_ms(55000);
    ck_assert_ptr_nonnull(known("web-1"));
    run_ms(8000);
    ck_assert_ptr_null(known("web-1"));
    ck_assert_uint_eq(local_state_count(world.local), 0);
}
END_TEST

Suite *local_state_suite(void);
Suite *local_state_suite(void)
{
    Suite *suite = suite_create("local state");
    TCase *tcase = tcase_create("all");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, the_catalog_learns_soon);
    tcase_add_test(tcase, services_are_sorted);
    tcase_add_test(tcase, a_failure_backs_off);
    tcase_add_test(tcase, one_bad_service_does_not_stop_the_others);
    tcase_add_test(tcase, each_minute_both_are_compared);
    tcase_add_test(tcase, a_check_that_is_not_there_any_more_leaves);
    tcase_add_test(tcase, a_check_that_is_registered_again_goes_on);
    tcase_add_test(tcase, a_ttl_runs_out_unless_spoken_for);
    tcase_add_test(tcase, the_node_is_put_right);
    tcase_add_test(tcase, a_refused_node_holds_up_no_service);
    tcase_add_test(tcase, outputs_alone_wait);
    tcase_add_test(tcase, outputs_are_bounded);
    tcase_add_test(tcase, what_is_refused);
    tcase_add_test(tcase, services_outlive_the_process);
    tcase_add_test(tcase, a_registration_in_a_hurry_is_kept_whole);
    tcase_add_test(tcase, a_damaged_file_is_left_alone);
    tcase_add_test(tcase, a_disk_that_refuses_is_told);
    tcase_add_test(tcase, a_folder_that_cannot_be_is_an_error);
    tcase_add_test(tcase, it_can_go_at_any_moment);
    tcase_add_test(tcase, checks_of_the_node_come_and_go);
    tcase_add_test(tcase, a_check_joins_those_of_its_service);
    tcase_add_test(tcase, results_count_when_there_are_enough_in_a_row);
    tcase_add_test(tcase, a_service_that_stays_critical_goes);
    suite_add_tcase(suite, tcase);
    return suite;
}
