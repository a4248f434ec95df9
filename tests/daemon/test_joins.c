/* How a secondary finds the primary: names first, then the placeholder. */
#include <string.h>

#include "agent/joins.h"
#include "sim/federation.h"
#include "suite.h"

static struct federation *f;

static void setup(void)
{
    f = federation_new(1);
    base_sim_set_digest(federation_world(f), false);
    federation_add(f, "dc1", 1);
    federation_add(f, "dc2", 1);
    federation_start(f);
}

static void teardown(void)
{
    federation_free(f);
}

struct engines {
    unsigned lan, wan, primary;
    struct retry_join_status primary_status, wan_status;
};

static void see(void *arg, const struct retry_join_status *status)
{
    struct engines *engines = arg;

    if (strcmp(status->what, "LAN") == 0) {
        engines->lan++;
    } else if (strcmp(status->what, "WAN") == 0) {
        engines->wan++;
        engines->wan_status = *status;
    } else {
        engines->primary++;
        engines->primary_status = *status;
    }
}

static struct engines engines_of(const char *dc)
{
    struct engines engines = {0};

    joins_each(sim_server_joins(federation_server(f, dc, 1)), see, &engines);
    return engines;
}

START_TEST(the_primary_joins_nobody_but_its_lan)
{
    struct engines engines;

    ck_assert(federation_until(f, federation_is_whole, f, 60000));
    engines = engines_of("dc1");
    ck_assert_uint_eq(engines.lan, 1);
    ck_assert_uint_eq(engines.wan, 0);
    ck_assert_uint_eq(engines.primary, 0);
}
END_TEST

START_TEST(the_placeholder_comes_after_the_names)
{
    struct engines engines;

    federation_dns_follows(f, false);
    base_sim_set_name(federation_world(f), "primary-gateways", NULL, 0);
    base_sim_run_for_ms(federation_world(f), 20000);
    engines = engines_of("dc2");
    ck_assert_uint_eq(engines.wan, 0);
    ck_assert(!engines.primary_status.succeeded);
    ck_assert_uint_ge(engines.primary_status.attempts, 15);
    ck_assert_str_eq(engines.primary_status.last_error,
                     "no primary gateway address found");
    ck_assert(!federation_is_whole(f));

    federation_dns_follows(f, true);
    ck_assert(federation_until(f, federation_is_whole, f, 60000));
    engines = engines_of("dc2");
    ck_assert(engines.primary_status.succeeded);
    ck_assert(engines.wan_status.succeeded);
}
END_TEST

/* F2: all the primary's gateways are replaced while nobody can tell: the names
 * come to mean the new ones, and are looked up for ever. */
START_TEST(names_that_change_are_followed)
{
    ck_assert(federation_until(f, federation_is_whole, f, 60000));
    federation_gateway_off(f, "dc1");
    base_sim_run_for_ms(federation_world(f), 30000);
    federation_gateway_on(f, "dc1");
    ck_assert(federation_until(f, federation_is_whole, f, 120000));
    ck_assert_uint_eq(federation_violations(f), 0);
}
END_TEST

/* F3 and F6: a secondary that restarts without its names joins by what it has
 * stored. */
START_TEST(stored_gateways_are_enough)
{
    struct sim_server *server = federation_server(f, "dc2", 1);

    ck_assert(federation_until(f, federation_is_whole, f, 60000));
    federation_dns_follows(f, false);
    base_sim_set_name(federation_world(f), "primary-gateways", NULL, 0);
    sim_server_crash(server);
    base_sim_run_for_ms(federation_world(f), 5000);
    sim_server_boot(server);
    ck_assert(federation_until(f, federation_is_whole, f, 60000));
    ck_assert_uint_eq(engines_of("dc2").wan, 1);
}
END_TEST

Suite *joins_suite(void)
{
    Suite *suite = suite_create("joins");
    TCase *tcase = tcase_create("joins");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, the_primary_joins_nobody_but_its_lan);
    tcase_add_test(tcase, the_placeholder_comes_after_the_names);
    tcase_add_test(tcase, names_that_change_are_followed);
    tcase_add_test(tcase, stored_gateways_are_enough);
    suite_add_tcase(suite, tcase);
    return suite;
}
