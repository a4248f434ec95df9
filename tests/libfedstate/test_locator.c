/* The locator: from a table, fallback and outcomes to candidates. */
#include "fedstate/locator.h"

#include <stdio.h>
#include <string.h>

#include "base/pb.h"
#include "world.h"

static struct world world;
static struct fedstate_locator *locator;
static unsigned changes, ready;
static struct fedstate_routes *routes; /* what a picker of another loop has */

static void on_routes(void *ctx, const struct fedstate_routes *now)
{
    (void)ctx;
    changes++;
    fedstate_routes_free(routes);
    routes = fedstate_routes_dup(now);
}

static void on_ready(void *ctx)
{
    (void)ctx;
    ready++;
}

static void setup(void)
{
    world_open(&world);
}
static void teardown(void)
{
    fedstate_locator_free(locator);
    fedstate_routes_free(routes);
    world_close(&world);
}

static void begin(const char *dc, bool never_direct)
{
    struct fedstate_locator_config config = {
        .datacenter = dc,
        .primary_datacenter = "dc1",
        .store = world.store,
        .disable_primary_fallback = never_direct,
        .on_routes = on_routes,
        .on_primary_ready = on_ready,
    };

    ck_assert_int_eq(fedstate_locator_new(world.env, &config, &locator), 0);
    world_run_ms(&world, 1);
}

/* All three datacenters, each with two gateways. */
static void fill(void)
{
    static const char *const dcs[] = {"dc1", "dc2", "dc3"};
    unsigned i;

    for (i = 0; i < 3; i++) {
        char lan[2][32], wan[2][32];
        unsigned j;

        for (j = 0; j < 2; j++) {
            snprintf(lan[j], sizeof(lan[j]), "10.%u.0.%u", i + 1, j + 1);
            snprintf(wan[j], sizeof(wan[j]), "198.51.%u.%u", i + 1, j + 1);
        }
        put(world.store, 10 + i,
            make_state(dcs[i], 2, make_gateway("g1", lan[0], wan[0]),
                       make_gateway("g2", lan[1], wan[1])));
    }
}

static void expect(const char *dc, const char *want)
{
    char got[256] = "";
    size_t count = 0;
    size_t i;
    const struct base_addr *addrs = fedstate_routes_for(
        fedstate_locator_routes(locator), dc, &count);

    for (i = 0; i < count; i++) {
        char text[BASE_ADDR_TEXT_MAX];

        snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s",
                 i > 0 ? " " : "", base_addr_format(&addrs[i], text));
    }
    ck_assert_str_eq(got, want);
}

#define LOCAL2 "10.2.0.1:8443 10.2.0.2:8443"
#define PRIMARY "198.51.1.1:8443 198.51.1.2:8443"

START_TEST(the_primary_uses_its_own_gateways)
{
    fill();
    begin("dc1", false);
    expect("dc2", ""); /* not started: the table is not to be trusted yet */
    fedstate_locator_start(locator, true);
    world_run_ms(&world, 1);
    expect("dc2", "10.1.0.1:8443 10.1.0.2:8443");
    expect("dc1", "10.1.0.1:8443 10.1.0.2:8443");
    expect("never-heard-of", "10.1.0.1:8443 10.1.0.2:8443");
    ck_assert_str_eq(fedstate_locator_path(locator), "local");
    ck_assert_uint_eq(ready, 0);
}
END_TEST

START_TEST(a_secondary_uses_its_own_for_others)
{
    fill();
    begin("dc2", false);
    fedstate_locator_start(locator, true);
    world_run_ms(&world, 1);
    expect("dc3", LOCAL2);
    expect("dc2", LOCAL2);
    expect("DC1", LOCAL2); /* a follower */
    ck_assert_str_eq(fedstate_locator_path(locator), "local");
}
END_TEST

START_TEST(bootstrap_goes_by_the_fallback_first)
{
    struct base_addr fallback[2] = {addr_of("203.0.113.1:8443"),
                                    addr_of("203.0.113.2:8443")};

    begin("dc2", false);
    fedstate_locator_start(locator, false);
    ck_assert_int_eq(fedstate_locator_set_fallback(locator, fallback, 2), 0);
    fedstate_locator_set_leader(locator, true);
    world_run_ms(&world, 1);
    expect("dc1", "203.0.113.1:8443 203.0.113.2:8443");
    expect("dc3", "");
    ck_assert_str_eq(fedstate_locator_path(locator), "fallback");
    ck_assert_uint_eq(ready, 0);
    put(world.store, 10, make_state("dc1", 1, make_gateway("g1", "10.1.0.1",
                                                           "198.51.1.1")));
    world_run_ms(&world, 1);
    ck_assert_uint_eq(ready, 1);
    /* The union, not one or the other (F2). */
    expect("dc1", "198.51.1.1:8443 203.0.113.1:8443 203.0.113.2:8443");
    ck_assert_str_eq(fedstate_locator_path(locator), "direct");
    fedstate_locator_report_round(locator, 0);
    put(world.store, 11, make_state("dc2", 1, make_gateway("g1", "10.2.0.1",
                                                           "198.51.2.1")));
    world_run_ms(&world, 1);
    expect("dc1", "10.2.0.1:8443");
    expect("dc3", "10.2.0.1:8443");
    ck_assert_str_eq(fedstate_locator_path(locator), "local");
    ck_assert_uint_eq(ready, 1); /* once */
}
END_TEST

START_TEST(the_leader_leaves_a_local_path_that_fails)
{
    int i;

    fill();
    begin("dc2", false);
    fedstate_locator_start(locator, true);
    fedstate_locator_set_leader(locator, true);
    world_run_ms(&world, 1);
    expect("dc1", LOCAL2); /* states were stored */
    for (i = 0; i < 3; i++) {
        expect("dc1", LOCAL2);
        fedstate_locator_report_round(locator, -1);
        world_run_ms(&world, 1);
    }
    expect("dc1", PRIMARY);
    expect("dc3", LOCAL2);
    fedstate_locator_report_round(locator, 0);
    world_run_ms(&world, 1);
    expect("dc1", LOCAL2);
    /* Not the leader any more: local, whatever happened before (F4). */
    for (i = 0; i < 3; i++)
        fedstate_locator_report_round(locator, -1);
    world_run_ms(&world, 1);
    expect("dc1", PRIMARY);
    fedstate_locator_set_leader(locator, false);
    world_run_ms(&world, 1);
    expect("dc1", LOCAL2);
    /* And leader again: it begins anew, with what it has stored. */
    fedstate_locator_set_leader(locator, true);
    world_run_ms(&world, 1);
    expect("dc1", LOCAL2);
}
END_TEST

START_TEST(unfit_gateways_are_passed_over)
{
    Fedstate__CheckServiceNode *sick = make_gateway("g1", "10.2.0.1", NULL);
    Fedstate__CheckServiceNode *plain = make_gateway("g2", "10.2.0.2", NULL);
    Fedstate__CheckServiceNode *nowhere = make_gateway("g3", NULL, NULL);

    set_status(sick, "critical");
    set_text(&plain->service->meta[0]->value, "0");
    put(world.store, 10,
        make_state("dc2", 4, sick, plain, nowhere,
                   make_gateway("g4", "10.2.0.4", NULL)));
    begin("dc2", false);
    fedstate_locator_start(locator, true);
    world_run_ms(&world, 1);
    expect("dc3", "10.2.0.4:8443");
}
END_TEST

START_TEST(changes_are_told_once)
{
    fill();
    begin("dc2", false);
    ck_assert_uint_eq(changes, 0);
    fedstate_locator_start(locator, true);
    world_run_ms(&world, 1);
    ck_assert_uint_eq(changes, 1);
    /* Told again, moved again, but no other candidates. */
    fedstate_locator_report_round(locator, 0);
    fedstate_locator_start(locator, true);
    put(world.store, 20, make_state("dc3", 0));
    world_run_ms(&world, 1000);
    ck_assert_uint_eq(changes, 1);
    put(world.store, 21, make_state("dc2", 1, make_gateway("new", "10.2.0.7",
                                                           NULL)));
    world_run_ms(&world, 1);
    ck_assert_uint_eq(changes, 2);
    expect("dc3", "10.2.0.7:8443");
    ck_assert_int_eq(drop(world.store, 22, "dc2"), 0);
    world_run_ms(&world, 1);
    ck_assert_uint_eq(changes, 3);
    expect("dc3", "");
    expect("dc1", PRIMARY);
}
END_TEST

/* F1 with F7: all our gateways were replaced at once and the direct path is
 * closed. Our catalog knows the new ones first, and so does the locator. */
START_TEST(the_catalog_comes_before_the_record)
{
    Fedstate__CheckServiceNode *replaced[1] = {
        make_gateway("new", "10.2.0.9", "198.51.2.9")};

    fill();
    begin("dc2", true);
    fedstate_locator_start(locator, true);
    world_run_ms(&world, 1);
    expect("dc1", LOCAL2);
    fedstate_locator_set_catalog(locator, replaced, 1);
    world_run_ms(&world, 1);
    expect("dc1", "10.2.0.9:8443");
    expect("dc3", "10.2.0.9:8443");
    set_status(replaced[0], "critical"); /* none left there: the record's */
    fedstate_locator_set_catalog(locator, replaced, 1);
    world_run_ms(&world, 1);
    expect("dc3", LOCAL2);
    base_pb_free(replaced[0]);
}
END_TEST

/* The last gateway went, rounds failed, the direct way is closed to us: a new
 * gateway must not wait for a success that only it can bring. */
START_TEST(a_new_gateway_of_ours_is_tried_at_once)
{
    Fedstate__CheckServiceNode *fresh[1] = {
        make_gateway("new", "10.2.0.9", "198.51.2.9")};
    unsigned i;

    fill();
    begin("dc2", false);
    fedstate_locator_start(locator, true);
    fedstate_locator_set_leader(locator, true);
    for (i = 0; i < 4; i++)
        fedstate_locator_report_round(locator, -1);
    world_run_ms(&world, 1);
    expect("dc1", PRIMARY);
    fedstate_locator_set_catalog(locator, fresh, 1);
    world_run_ms(&world, 1);
    expect("dc1", "10.2.0.9:8443");
    fedstate_locator_report_round(locator, -1); /* that was its round */
    fedstate_locator_set_catalog(locator, fresh, 1); /* the same again */
    world_run_ms(&world, 1);
    expect("dc1", PRIMARY);
    base_pb_free(fresh[0]);
}
END_TEST

/* F3: a restart waits for what the disk holds; a first start does not, nor does
 * a restart without a leader for ever. */
START_TEST(a_restart_waits_for_the_table)
{
    struct base_addr fallback = addr_of("203.0.113.1:8443");

    begin("dc2", false);
    fedstate_locator_hold(locator);
    fedstate_locator_set_fallback(locator, &fallback, 1);
    world_run_ms(&world, 5000);
    expect("dc1", "");
    fill();
    fedstate_locator_start(locator, true);
    world_run_ms(&world, 1);
    expect("dc1", LOCAL2);
}
END_TEST

START_TEST(a_restart_does_not_wait_for_ever)
{
    struct base_addr fallback = addr_of("203.0.113.1:8443");

    begin("dc2", false);
    fedstate_locator_hold(locator);
    fedstate_locator_set_fallback(locator, &fallback, 1);
    world_run_ms(&world, FEDSTATE_LOCATOR_HOLD_MS - 1);
    expect("dc1", "");
    world_run_ms(&world, 2);
    expect("dc1", "203.0.113.1:8443");
}
END_TEST

START_TEST(a_first_start_does_not_wait)
{
    struct base_addr fallback = addr_of("203.0.113.1:8443");

    begin("dc2", true);
    fedstate_locator_hold(locator);
    fedstate_locator_set_fallback(locator, &fallback, 1);
    fedstate_locator_release(locator);
    world_run_ms(&world, 1);
    expect("dc1", "203.0.113.1:8443");
}
END_TEST

START_TEST(never_direct_once_our_gateways_are_known)
{
    struct base_addr fallback = addr_of("203.0.113.1:8443");
    Fedstate__CheckServiceNode *sick = make_gateway("g1", "10.2.0.1", NULL);

    set_status(sick, "critical");
    begin("dc2", true);
    fedstate_locator_start(locator, false);
    fedstate_locator_set_fallback(locator, &fallback, 1);
    world_run_ms(&world, 1);
    expect("dc1", "203.0.113.1:8443");
    put(world.store, 10, make_state("dc2", 1, sick));
    world_run_ms(&world, 1);
    expect("dc1", "");
    ck_assert_str_eq(fedstate_locator_path(locator), "none");
}
END_TEST

START_TEST(candidates_are_bounded)
{
    Fedstate__FederationState *many = make_state("dc2", 0);
    size_t count;
    unsigned i;

    for (i = 0; i < 1000; i++) {
        char ip[32];

        snprintf(ip, sizeof(ip), "10.2.%u.%u", i / 250, i % 250 + 1);
        add_gateway(many, make_gateway("g", ip, NULL));
        add_gateway(many, make_gateway("twin", ip, NULL));
    }
    put(world.store, 10, many);
    begin("dc2", false);
    fedstate_locator_start(locator, true);
    world_run_ms(&world, 1);
    fedstate_routes_for(fedstate_locator_routes(locator), "dc3", &count);
    ck_assert_uint_eq(count, FEDSTATE_CANDIDATES_MAX);
}
END_TEST

START_TEST(a_bad_fallback_is_told)
{
    struct base_addr bad = {.family = 4}; /* no port */

    begin("dc2", false);
    ck_assert_int_eq(fedstate_locator_set_fallback(locator, &bad, 1),
                     FEDSTATE_EINVAL);
    ck_assert_int_eq(fedstate_locator_set_fallback(locator, NULL, 0), 0);
}
END_TEST

Suite *locator_suite(void)
{
    Suite *suite = suite_create("locator");
    TCase *tc = tcase_create("locator");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, the_primary_uses_its_own_gateways);
    tcase_add_test(tc, a_secondary_uses_its_own_for_others);
    tcase_add_test(tc, bootstrap_goes_by_the_fallback_first);
    tcase_add_test(tc, the_leader_leaves_a_local_path_that_fails);
    tcase_add_test(tc, unfit_gateways_are_passed_over);
    tcase_add_test(tc, changes_are_told_once);
    tcase_add_test(tc, the_catalog_comes_before_the_record);
    tcase_add_test(tc, a_new_gateway_of_ours_is_tried_at_once);
    tcase_add_test(tc, a_restart_waits_for_the_table);
    tcase_add_test(tc, a_restart_does_not_wait_for_ever);
    tcase_add_test(tc, a_first_start_does_not_wait);
    tcase_add_test(tc, never_direct_once_our_gateways_are_known);
    tcase_add_test(tc, candidates_are_bounded);
    tcase_add_test(tc, a_bad_fallback_is_told);
    suite_add_tcase(suite, tc);
    return suite;
}
