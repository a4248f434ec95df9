/* Calls as the simulator's event log shows them. */
#include <stdio.h>
#include <string.h>

#include "bed.h"

Suite *call_trace_suite(void);

static bool log_has(FILE *file, const char *words)
{
    char line[512];

    rewind(file);
    while (fgets(line, sizeof(line), file) != NULL)
        if (strstr(line, words) != NULL)
            return true;
    return false;
}

START_TEST(a_call_can_be_followed_in_the_event_log)
{
    static const char *const steps[] = {
        "accepted protocol=rpc-multi secure=1", "send Test.Echo id=1 bytes=5",
        "call Test.Echo id=1 bytes=5",
        "answer Test.Echo id=1 bytes=5 status=0",
        "done Test.Echo id=1 bytes=5 status=0"};
    struct bed *bed = bed_new(&(struct bed_config){.kind = SIM});
    FILE *file = tmpfile();
    struct asked *asked;
    unsigned i;

    base_sim_set_log(bed->world->sim, file);
    asked = bed_ask(bed, "Test.Echo", "hello", 5, 5000);
    ck_assert_int_eq(bed_await(bed, asked), 0);
    for (i = 0; i < BASE_COUNT_OF(steps); i++)
        ck_assert_msg(log_has(file, steps[i]), "lacks: %s", steps[i]);
    base_sim_set_log(bed->world->sim, NULL);
    fclose(file);
    asked_free(asked);
    bed_free(bed);
}
END_TEST

static void digest_of_a_run(char digest[65])
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = SIM});
    uint8_t *body = base_calloc(1, 300000);
    unsigned i;

    for (i = 0; i < 10; i++) {
        struct asked *asked = bed_ask(bed, "Test.Echo", body, i * 30000, 5000);

        ck_assert_int_eq(bed_await(bed, asked), 0);
        asked_free(asked);
    }
    base_sim_digest(bed->world->sim, digest);
    base_free(body);
    bed_free(bed);
}

START_TEST(equal_seeds_give_equal_runs)
{
    char first[65];
    char second[65];

    digest_of_a_run(first);
    digest_of_a_run(second);
    ck_assert_str_eq(first, second);
}
END_TEST

Suite *call_trace_suite(void)
{
    Suite *suite = suite_create("call trace");
    TCase *tcase = tcase_create("call trace");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_call_can_be_followed_in_the_event_log);
    tcase_add_test(tcase, equal_seeds_give_equal_runs);
    suite_add_tcase(suite, tcase);
    return suite;
}
