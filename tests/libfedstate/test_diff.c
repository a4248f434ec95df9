/* The merge-walk, as a table: "dc=index" lists, and the changes they take. */
#include "diff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/pb.h"
#include "world.h"

static const struct {
    const char *local;  /* dc=PrimaryModifyIndex, sorted */
    const char *remote; /* dc=ModifyIndex, any order */
    const char *want;   /* -deletions, then +upserts */
} cases[] = {
    {"", "", ""},
    {"a=1 b=2", "a=1 b=2", ""},
    {"", "b=2 a=1", "+a=1 +b=2"},
    {"a=1 b=2", "", "-a -b"},
    {"a=1 c=3", "b=2 c=3", "-a +b=2"},
    {"a=1 b=2 c=3", "c=4 b=2 d=5", "-a +c=4 +d=5"},
    /* Another index is due whichever is greater: the primary was rebuilt, or
     * its record was put back. */
    {"a=9", "a=3", "+a=3"},
    {"a=3", "a=9", "+a=9"},
    /* Case does not make another datacenter. */
    {"dc1=4", "DC1=4", ""},
    /* Twice the same: the newest counts. */
    {"a=1", "a=2 a=5 a=3", "+a=5"},
    {"", "=7 a=1", "+a=1"},
};

static Fedstate__FederationState **parse(const char *text, bool local,
                                         size_t *count)
{
    Fedstate__FederationState **states = calloc(16, sizeof(*states));
    char *copy = strdup(text);
    char *rest = NULL;
    char *word;

    *count = 0;
    for (word = strtok_r(copy, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest)) {
        char *equals = strchr(word, '=');
        uint64_t index = strtoull(equals + 1, NULL, 10);
        Fedstate__FederationState *state;

        *equals = '\0';
        state = make_state(word, 0);
        state->modify_index = local ? 100 + *count : index;
        state->primary_modify_index = local ? index : 0;
        states[(*count)++] = state;
    }
    free(copy);
    return states;
}

static void release(Fedstate__FederationState **states, size_t count)
{
    while (count > 0)
        base_pb_free(states[--count]);
    free(states);
}

static char *describe(const struct fedstate_diff *diff)
{
    struct base_buf out = BASE_BUF_INIT;
    size_t i;

    for (i = 0; i < diff->count; i++) {
        const Fedstate__Change *change = diff->changes[i];

        ck_assert(change->unconditional);
        if (change->op == FEDSTATE__CHANGE__OP__DELETE)
            base_buf_printf(&out, "%s-%s", i > 0 ? " " : "",
                            change->state->datacenter);
        else
            base_buf_printf(&out, "%s+%s=%llu", i > 0 ? " " : "",
                            change->state->datacenter,
                            (unsigned long long)
                                change->state->primary_modify_index);
    }
    return base_buf_take_string(&out);
}

START_TEST(the_walk)
{
    struct fedstate_diff diff;
    size_t local_count;
    size_t remote_count;
    Fedstate__FederationState **local =
        parse(cases[_i].local, true, &local_count);
    Fedstate__FederationState **remote =
        parse(cases[_i].remote, false, &remote_count);
    char *got;

    fedstate_diff_init(&diff, (const Fedstate__FederationState *const *)local,
                       local_count, remote, remote_count, false);
    got = describe(&diff);
    ck_assert_str_eq(got, cases[_i].want);
    free(got);
    fedstate_diff_close(&diff);
    release(local, local_count);
    release(remote, remote_count);
}
END_TEST

/* Equal indexes of two different clusters prove nothing (F10). */
START_TEST(a_full_walk_compares_contents)
{
    struct fedstate_diff diff;
    size_t count;
    Fedstate__FederationState **local = parse("a=5 b=5 c=5", true, &count);
    Fedstate__FederationState **remote = parse("a=5 b=5 c=5", false, &count);
    char *got;

    add_gateway(remote[0], make_gateway("g", "10.0.0.1", NULL));
    remote[2]->operator_owned = true;
    fedstate_diff_init(&diff, (const Fedstate__FederationState *const *)local,
                       count, remote, count, false);
    ck_assert_uint_eq(diff.count, 0);
    fedstate_diff_close(&diff);
    fedstate_diff_init(&diff, (const Fedstate__FederationState *const *)local,
                       count, remote, count, true);
    got = describe(&diff);
    ck_assert_str_eq(got, "+a=5 +c=5");
    ck_assert_uint_eq(diff.changes[0]->state->modify_index, 0);
    ck_assert_uint_eq(diff.changes[0]->state->n_mesh_gateways, 1);
    free(got);
    fedstate_diff_close(&diff);
    release(local, count);
    release(remote, count);
}
END_TEST

Suite *diff_suite(void)
{
    Suite *suite = suite_create("diff");
    TCase *tc = tcase_create("diff");

    tcase_add_loop_test(tc, the_walk, 0,
                        (int)(sizeof(cases) / sizeof(cases[0])));
    tcase_add_test(tc, a_full_walk_compares_contents);
    suite_add_tcase(suite, tc);
    return suite;
}
