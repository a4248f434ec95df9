/* A certificate that ends soon is told of, each day, and shown as a gauge. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/certificate_age.h"
#include "base/alloc.h"
#include "base/metrics.h"
#include "base/sim.h"
#include "suite.h"

#define DAY_S (24 * 3600)

static char folder[64];
static struct base_sim *sim;
static struct base_sim_host *host;
static struct base_env *env;
static struct rpc_tls *tls;
static struct certificate_age age;
static unsigned warnings;

static void count_warning(void *ctx, const struct base_log_record *record)
{
    (void)ctx;
    if (record->level == BASE_LOG_WARN && strstr(record->text, "cert_file"))
        warnings++;
}

static int64_t wall(void *ctx)
{
    (void)ctx;
    return 0;
}

static const struct base_log_sink sink = {count_warning, wall, NULL};

static char *in_folder(const char *name)
{
    return base_asprintf("%s/%s", folder, name);
}

static void setup(void)
{
    struct base_addr addr;
    struct rpc_tls_config config = {0};
    char *command, *why = NULL;

    strcpy(folder, "/tmp/isthmus-age-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    command = base_asprintf("cd %s && %s tls ca create >log && %s tls cert "
                            "create -server -dc dc1 >>log",
                            folder, ISTHMUS_BIN, ISTHMUS_BIN);
    ck_assert_int_eq(system(command), 0);
    base_free(command);
    sim = base_sim_new(1);
    base_addr_parse_ip(&addr, "10.0.0.1");
    host = base_sim_host_new(sim, "a", &addr, 1);
    env = base_sim_host_env(host, "main");
    env->log.sink = &sink;
    env->log.level = BASE_LOG_INFO;
    config.ca_file = in_folder("consul-agent-ca.pem");
    config.cert_file = in_folder("dc1-server-consul-0.pem");
    config.key_file = in_folder("dc1-server-consul-0-key.pem");
    ck_assert_msg(rpc_tls_new(&config, env, &tls, &why) == 0, "%s", why);
    base_free((char *)config.ca_file);
    base_free((char *)config.cert_file);
    base_free((char *)config.key_file);
    warnings = 0;
}

static void teardown(void)
{
    char *command = base_asprintf("rm -r %s", folder);

    certificate_age_stop(&age);
    rpc_tls_free(tls);
    base_sim_free(sim);
    ck_assert_int_eq(system(command), 0);
    base_free(command);
}

/* Turns the host's clock so that the certificate holds for that long. */
static void leave(int64_t left_s)
{
    int64_t now_ns = base_env_wall_ns(env);

    base_sim_host_shift_wall(
        host, (rpc_tls_not_after(tls) - left_s) * 1000000000 - now_ns);
}

static int64_t gauge(void)
{
    return base_gauge_value(base_metrics_gauge(
        env->metrics, "isthmus.agent.tls.cert.expiry", NULL, NULL));
}

START_TEST(one_that_holds_is_only_shown)
{
    leave(31 * DAY_S);
    certificate_age_start(&age, env, tls);
    ck_assert_int_ge(gauge(), 31 * DAY_S - 1);
    base_sim_run_for_ms(sim, 3600 * 1000);
    ck_assert_int_le(gauge(), 31 * DAY_S - 3500);
    ck_assert_uint_eq(warnings, 0);
}
END_TEST

START_TEST(one_that_ends_is_told_of_each_day)
{
    leave(20 * DAY_S);
    certificate_age_start(&age, env, tls);
    ck_assert_uint_eq(warnings, 1);
    base_sim_run_for_ms(sim, 23 * 3600 * 1000);
    ck_assert_uint_eq(warnings, 1);
    base_sim_run_for_ms(sim, 2 * 3600 * 1000);
    ck_assert_uint_eq(warnings, 2);
    certificate_age_renew(&age);
    ck_assert_uint_eq(warnings, 3);
}
END_TEST

START_TEST(one_that_has_ended_shows_since_when)
{
    leave(-DAY_S);
    certificate_age_start(&age, env, tls);
    ck_assert_int_le(gauge(), -DAY_S);
    ck_assert_uint_eq(warnings, 1);
}
END_TEST

Suite *certificate_age_suite(void)
{
    Suite *suite = suite_create("certificate_age");
    TCase *tcase = tcase_create("certificate_age");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, one_that_holds_is_only_shown);
    tcase_add_test(tcase, one_that_ends_is_told_of_each_day);
    tcase_add_test(tcase, one_that_has_ended_shows_since_when);
    suite_add_tcase(suite, tcase);
    return suite;
}
