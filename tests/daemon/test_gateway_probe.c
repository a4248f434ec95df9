/*
 * The gateway's test of itself, in virtual time: through a real proxy to
 * servers with real TLS. It has to tell a gateway that does not work from
 * servers that do not.
 */
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "cli/tls_make.h"
#include "gateway/probe.h"
#include "gateway_world.h"
#include "rpc/listener.h"
#include "rpc/tls.h"
#include "suite.h"

#define NAME "server.dc1.consul"

struct bed {
    struct gw_world world;
    struct probe *probe;
    const char *name;
    struct routes *routes;
    struct rpc_tls *tls[2];
    struct rpc_secure secure[2];
    struct rpc_listener *servers[2];
    /* The last result. */
    unsigned results;
    bool passing;
    char words[256];
};

/* ---- servers --------------------------------------------------------------
 */

static char *temp_file(void)
{
    char *path = base_strdup("/tmp/probe-test-XXXXXX");
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    close(fd);
    return path;
}

static struct rpc_tls *make_tls(struct base_env *env, const char *name)
{
    const struct tls_ca_request ca_request = {.days = 2};
    const struct tls_cert_request request = {
        .days = 2, .for_servers = true, .names = &name, .name_count = 1};
    struct tls_pair ca = {0}, pair = {0};
    char *cert = temp_file(), *key = temp_file(), *why = NULL;
    const struct rpc_tls_config config = {.ca_file = cert,
                                          .cert_file = cert,
                                          .key_file = key,
                                          .verify_incoming = true};
    struct rpc_tls *tls;
    FILE *file;

    ck_assert_int_eq(tls_make_ca(&ca_request, &ca, &why), 0);
    ck_assert_int_eq(tls_make_cert(&ca, &request, &pair, &why), 0);
    file = fopen(cert, "w");
    PEM_write_X509(file, pair.cert);
    fclose(file);
    file = fopen(key, "w");
    PEM_write_PrivateKey(file, pair.key, NULL, NULL, 0, NULL, NULL);
    fclose(file);
    ck_assert_msg(rpc_tls_new(&config, env, &tls, &why) == 0, "%s", why);
    unlink(cert);
    unlink(key);
    base_free(cert);
    base_free(key);
    tls_pair_close(&pair);
    tls_pair_close(&ca);
    return tls;
}

static void on_accept(void *arg, struct base_stream *stream,
                      const struct rpc_peer *peer)
{
    (void)arg;
    (void)peer;
    base_stream_close(stream);
    ck_abort_msg("the probe finished its handshake");
}

static void start_server(struct bed *bed, int which, const char *name)
{
    struct gw_target *target = &bed->world.targets[which];
    struct base_env *env = target->net->env;
    struct rpc_listener_config config = {.addr = target->addr,
                                         .datacenter = "dc1",
                                         .domain = "consul",
                                         .verify_incoming = true};

    env->metrics = bed->world.metrics;
    bed->tls[which] = make_tls(env, name);
    bed->secure[which] = rpc_tls_secure(bed->tls[which]);
    config.secure = &bed->secure[which];
    ck_assert_int_eq(
        rpc_listener_new(env, target->net, &config, &bed->servers[which]), 0);
    rpc_listener_handle(bed->servers[which], RPC_PROTOCOL_MULTI, on_accept,
                        NULL);
}

static void stop_server(struct bed *bed, int which)
{
    if (bed->servers[which] == NULL)
        return;
    rpc_listener_free(bed->servers[which]);
    rpc_tls_free(bed->tls[which]);
    bed->servers[which] = NULL;
}

/* Whose certificate is another's, whatever name is asked for: no server of ours
 * does that. */
static void on_met(void *arg, int status, const char *why,
                   struct base_stream *stream, const struct rpc_peer *peer)
{
    (void)arg;
    (void)why;
    (void)peer;
    ck_assert_int_ne(status, 0);
    ck_assert_ptr_null(stream);
}

static void on_stranger(void *arg, struct base_stream *stream)
{
    struct bed *bed = arg;

    bed->secure[0].ops->server(bed->secure[0].ctx, stream, NULL, false, 5000,
                               on_met, NULL, NULL);
}

static struct base_listener *start_stranger(struct bed *bed)
{
    struct gw_target *target = &bed->world.targets[GW_S1];
    struct base_listener *listener;

    bed->tls[0] = make_tls(target->net->env, "server.dc2.consul");
    bed->secure[0] = rpc_tls_secure(bed->tls[0]);
    ck_assert_int_eq(base_net_listen(target->net, &target->addr, on_stranger,
                                     bed, &listener),
                     0);
    return listener;
}

/* ---- the bed --------------------------------------------------------------
 */

static const char *name_of(void *ctx)
{
    return ((struct bed *)ctx)->name;
}

static const struct routes *routes_of(void *ctx)
{
    return ((struct bed *)ctx)->routes;
}

static void on_result(void *ctx, bool passing, const char *words)
{
    struct bed *bed = ctx;

    bed->results++;
    bed->passing = passing;
    snprintf(bed->words, sizeof(bed->words), "%s", words);
}

static void setup(struct bed *bed, const char *name)
{
    struct probe_config config = {.through = {gw_addr("10.0.0.9:8443"),
                                              gw_addr("192.0.2.9:8443")},
                                  .from = gw_addr("10.0.0.9"),
                                  .name = name_of,
                                  .routes = routes_of,
                                  .on_result = on_result,
                                  .ctx = bed};
    int i;

    memset(bed, 0, sizeof(*bed));
    gw_open(&bed->world, NULL);
    bed->name = name;
    bed->routes = gw_routes(&bed->world);
    for (i = 0; i < 2; i++) {
        gw_kill(&bed->world, (enum gw_host)i);
        start_server(bed, i, NAME);
    }
    config.env = bed->world.env;
    config.net = bed->world.net;
    bed->probe = probe_new(&config);
}

static void teardown(struct bed *bed)
{
    probe_free(bed->probe);
    stop_server(bed, 0);
    stop_server(bed, 1);
    routes_free(bed->routes);
    gw_run_ms(&bed->world, 2000); /* what lingers ends */
    gw_close(&bed->world);
}

static uint64_t seen_by_servers(const struct bed *bed, const char *reason)
{
    return gw_counter(&bed->world, "isthmus.rpc.refused", "reason", reason);
}

/* ---- tests ----------------------------------------------------------------
 */

START_TEST(a_gateway_that_works_passes)
{
    struct bed bed;

    setup(&bed, NAME);
    gw_run_ms(&bed.world, 500);
    ck_assert_uint_eq(bed.results, 1);
    ck_assert_msg(bed.passing, "%s", bed.words);
    gw_run_ms(&bed.world, 20000);
    ck_assert_uint_eq(bed.results, 3);
    ck_assert_uint_eq(gw_counter(&bed.world, "isthmus.gateway.probe", "result",
                                 "passed"),
                      3);
    /* Through both addresses each time; and no server complains. */
    ck_assert_uint_eq(seen_by_servers(&bed, "left"), 6);
    ck_assert_uint_eq(seen_by_servers(&bed, "handshake"), 0);
    teardown(&bed);
}
END_TEST

START_TEST(a_gateway_without_its_routes_fails_and_recovers)
{
    struct bed bed;

    setup(&bed, NAME);
    gw_run_ms(&bed.world, 500);
    ck_assert(bed.passing);
    proxy_set_routes(bed.world.proxy, routes_new(&(struct routes_input){0}));
    gw_run_ms(&bed.world, 10000); /* one bad round is no proof yet */
    ck_assert(bed.passing);
    gw_run_ms(&bed.world, 1500);
    ck_assert(!bed.passing);
    ck_assert_str_eq(bed.words, "10.0.0.9:8443: " NAME
                                ": closed before a server's certificate came");
    proxy_set_routes(bed.world.proxy, gw_routes(&bed.world));
    probe_refresh(bed.probe);
    gw_run_ms(&bed.world, 200);
    ck_assert(bed.passing);
    teardown(&bed);
}
END_TEST

START_TEST(a_gateway_that_is_gone_fails)
{
    struct bed bed;

    setup(&bed, NAME);
    proxy_free(bed.world.proxy);
    bed.world.proxy = NULL;
    gw_run_ms(&bed.world, 2000);
    ck_assert_uint_gt(bed.results, 0);
    ck_assert(!bed.passing);
    ck_assert_ptr_nonnull(strstr(bed.words, "10.0.0.9:8443"));
    teardown(&bed);
}
END_TEST

/* All servers of a datacenter restart: no reason to lose its gateways too. */
START_TEST(dead_servers_are_not_its_fault)
{
    struct bed bed;

    setup(&bed, NAME);
    stop_server(&bed, 0);
    stop_server(&bed, 1);
    gw_run_ms(&bed.world, 60000);
    ck_assert_uint_gt(bed.results, 2);
    ck_assert_msg(bed.passing, "%s", bed.words);
    ck_assert_str_eq(bed.words, "takes connections; no local server answers");
    ck_assert_uint_eq(gw_counter(&bed.world, "isthmus.gateway.probe", "result",
                                 "untested"),
                      bed.results);
    teardown(&bed);
}
END_TEST

START_TEST(a_certificate_of_another_name_is_no_answer)
{
    struct base_listener *stranger;
    struct bed bed;

    setup(&bed, NAME);
    stop_server(&bed, 0);
    stop_server(&bed, 1);
    stranger = start_stranger(&bed);
    gw_run_ms(&bed.world, 10000);
    ck_assert_uint_gt(bed.results, 0);
    ck_assert_str_eq(bed.words, "takes connections; no local server answers");
    base_net_listener_close(bed.world.targets[GW_S1].net, stranger);
    rpc_tls_free(bed.tls[0]);
    teardown(&bed);
}
END_TEST

/* Without the meta there is no server to ask for. */
START_TEST(what_exposes_no_servers_only_takes_connections)
{
    struct bed bed;

    setup(&bed, NULL);
    gw_run_ms(&bed.world, 500);
    ck_assert(bed.passing);
    ck_assert_str_eq(bed.words, "takes connections; exposes no servers");
    ck_assert_uint_eq(bed.world.targets[GW_S1].count, 0);
    teardown(&bed);
}
END_TEST

START_TEST(a_probe_ends_at_any_moment)
{
    struct bed bed;

    setup(&bed, NAME);
    gw_run_ms(&bed.world, (uint64_t)_i);
    teardown(&bed);
}
END_TEST

Suite *gateway_probe_suite(void)
{
    Suite *suite = suite_create("gateway_probe");
    TCase *tcase = tcase_create("probe");

    tcase_add_test(tcase, a_gateway_that_works_passes);
    tcase_add_test(tcase, a_gateway_without_its_routes_fails_and_recovers);
    tcase_add_test(tcase, a_gateway_that_is_gone_fails);
    tcase_add_test(tcase, dead_servers_are_not_its_fault);
    tcase_add_test(tcase, a_certificate_of_another_name_is_no_answer);
    tcase_add_test(tcase, what_exposes_no_servers_only_takes_connections);
    tcase_add_loop_test(tcase, a_probe_ends_at_any_moment, 0, 8);
    suite_add_tcase(suite, tcase);
    return suite;
}
