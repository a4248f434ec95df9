/* Vivaldi against the recorded steps of the original (gossip.md 3.12). */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "base/sim.h"
#include "gossip/error.h"
#include "serf/coordinate.h"
#include "suite.h"

static struct gossip_coordinate coordinate_of(const json_t *json)
{
    struct gossip_coordinate at = {
        .error = json_number_value(json_object_get(json, "Error")),
        .adjustment = json_number_value(json_object_get(json, "Adjustment")),
        .height = json_number_value(json_object_get(json, "Height"))};
    size_t i;

    for (i = 0; i < GOSSIP_COORDINATE_DIMENSIONS; i++)
        at.vec[i] = json_number_value(
            json_array_get(json_object_get(json, "Vec"), i));
    return at;
}

static void check_close(double got, double want)
{
    ck_assert_msg(fabs(got - want) <= 1e-12 * fmax(fabs(want), 1e-3),
                  "%.17g is not %.17g", got, want);
}

static void check_coordinate(const struct gossip_coordinate *got,
                             const struct gossip_coordinate *want)
{
    size_t i;

    check_close(got->error, want->error);
    check_close(got->adjustment, want->adjustment);
    check_close(got->height, want->height);
    for (i = 0; i < GOSSIP_COORDINATE_DIMENSIONS; i++)
        check_close(got->vec[i], want->vec[i]);
}

static struct serf_place *place_of(struct serf_place places[8],
                                   const json_t *step)
{
    const char *name = json_string_value(json_object_get(step, "node"));

    return &places[(name[1] - '0') % 8];
}

START_TEST(trace_of_the_original)
{
    struct base_sim *sim = base_sim_new(1);
    struct base_addr addr = {0};
    struct base_env *env;
    struct serf_coordinate_client client;
    struct serf_place places[8];
    json_t *trace = json_load_file(TEST_DATA "/coordinate_trace.json", 0, NULL);
    json_t *step;
    size_t i;

    ck_assert_ptr_nonnull(trace);
    base_addr_parse_ip(&addr, "10.0.0.1");
    env = base_sim_host_env(base_sim_host_new(sim, "h", &addr, 1), "main");
    serf_coordinate_client_init(&client, env);
    memset(places, 0, sizeof(places));
    client.at = coordinate_of(json_object_get(trace, "start"));
    json_array_foreach(json_object_get(trace, "steps"), i, step)
    {
        struct gossip_coordinate other =
            coordinate_of(json_object_get(step, "other"));
        struct gossip_coordinate after =
            coordinate_of(json_object_get(step, "after"));
        json_int_t distance = json_integer_value(
            json_object_get(step, "distance_to_other_ns"));

        ck_assert_int_eq(
            serf_coordinate_update(
                &client, place_of(places, step), &other,
                (uint64_t)json_integer_value(json_object_get(step, "rtt_ns"))),
            0);
        check_coordinate(&client.at, &after);
        ck_assert_int_le(
            llabs((long long)gossip_coordinate_rtt_ns(&client.at, &other) -
                  distance),
            1);
    }
    ck_assert_uint_eq(i, 10);
    json_decref(trace);
    base_sim_free(sim);
}
END_TEST

/* The two that the trace of the original lists as rejected, and more. */
START_TEST(impossible_input_moves_nothing)
{
    struct base_sim *sim = base_sim_new(1);
    struct base_addr addr = {0};
    struct serf_coordinate_client client;
    struct serf_place place = {.known = false};
    struct gossip_coordinate other = {.error = 1.5, .height = 1e-5};
    struct gossip_coordinate before;

    base_addr_parse_ip(&addr, "10.0.0.1");
    serf_coordinate_client_init(
        &client,
        base_sim_host_env(base_sim_host_new(sim, "h", &addr, 1), "main"));
    before = client.at;
    ck_assert_int_eq(
        serf_coordinate_update(&client, &place, &other, 11000000000u),
        GOSSIP_EINVAL);
    other.vec[3] = NAN;
    ck_assert_int_eq(serf_coordinate_update(&client, &place, &other, 1000000),
                     GOSSIP_EINVAL);
    ck_assert_mem_eq(&client.at, &before, sizeof(before));
    ck_assert(!place.known);
    /* Finite, but too far to compute with: back to the start, and counted. */
    other.vec[3] = 1e308;
    other.height = 1e308;
    ck_assert_int_eq(serf_coordinate_update(&client, &place, &other, 1000000),
                     0);
    ck_assert(serf_coordinate_is_finite(&client.at));
    base_sim_free(sim);
}
END_TEST

Suite *serf_coordinate_suite(void)
{
    Suite *suite = suite_create("serf-coordinate");
    TCase *tcase = tcase_create("vivaldi");

    tcase_add_test(tcase, trace_of_the_original);
    tcase_add_test(tcase, impossible_input_moves_nothing);
    suite_add_tcase(suite, tcase);
    return suite;
}
