/* The checker of histories, on histories whose answer is known. */
#include <string.h>

#include "linear.h"
#include "suite.h"

#define R(key_, begun_, ended_, seen_)                                       \
    {.kind = HISTORY_READ, .key = key_, .begun = begun_, .ended = ended_,    \
     .seen = seen_}
#define W(key_, begun_, ended_, value_)                                      \
    {.kind = HISTORY_WRITE, .key = key_, .begun = begun_, .ended = ended_,   \
     .value = value_}
#define S(key_, begun_, ended_, expected_, value_, seen_)                    \
    {.kind = HISTORY_SWAP, .key = key_, .begun = begun_, .ended = ended_,    \
     .expected = expected_, .value = value_, .seen = seen_}
#define NEVER HISTORY_UNKNOWN

static const struct {
    const char *what;
    bool good;
    struct history_op ops[8]; /* up to the first with begun 0 */
} cases[] = {
    {"nothing", true, {{0}}},
    {"one reads what another wrote before", true,
     {W(0, 1, 2, 7), R(0, 3, 4, 7)}},
    {"a stale read", false, {W(0, 1, 2, 7), R(0, 3, 4, 0)}},
    {"a read of what was overwritten", false,
     {W(0, 1, 2, 7), W(0, 3, 4, 8), R(0, 5, 6, 7)}},
    {"a read beside a write sees the old", true, {W(0, 1, 4, 7), R(0, 2, 3, 0)}},
    {"or the new", true, {W(0, 1, 4, 7), R(0, 2, 3, 7)}},
    {"but the next not the old again", false,
     {W(0, 1, 8, 7), R(0, 2, 3, 7), R(0, 4, 5, 0)}},
    {"beside each other they may", true,
     {W(0, 1, 8, 7), R(0, 2, 5, 7), R(0, 3, 4, 0)}},
    {"two readers of two writes disagree about their order", false,
     {W(0, 1, 20, 7), W(0, 2, 19, 8), R(0, 3, 4, 7), R(0, 5, 6, 8),
      R(0, 7, 8, 7)}},
    {"a write without an answer may have happened late", true,
     {W(0, 1, NEVER, 7), R(0, 2, 3, 0), R(0, 4, 5, 7)}},
    {"once seen it is there", false,
     {W(0, 1, NEVER, 7), R(0, 2, 3, 7), R(0, 4, 5, 0)}},
    {"one that nobody saw may never have", true,
     {W(0, 1, 2, 7), W(0, 3, NEVER, 8), R(0, 4, 5, 7)}},
    {"a value nobody wrote", false, {W(0, 1, 2, 7), R(0, 3, 4, 9)}},
    {"a value read before its write began", false,
     {R(0, 1, 2, 7), W(0, 3, NEVER, 7)}},
    {"a swap over what is there", true,
     {W(0, 1, 2, 7), S(0, 3, 4, 7, 8, 7), R(0, 5, 6, 8)}},
    {"two swaps over the same, both won", false,
     {W(0, 1, 2, 7), S(0, 3, 6, 7, 8, 7), S(0, 4, 5, 7, 9, 7)}},
    {"two swaps over the same, one lost", true,
     {W(0, 1, 2, 7), S(0, 3, 6, 7, 8, 7), S(0, 4, 5, 7, 9, 8),
      R(0, 7, 8, 8)}},
    {"a lost swap changes nothing", false,
     {W(0, 1, 2, 7), S(0, 3, 4, 1, 8, 7), R(0, 5, 6, 8)}},
    {"a seen swap without an answer saw what it expected", true,
     {W(0, 1, NEVER, 7), S(0, 2, NEVER, 7, 8, 0), R(0, 3, 4, 8)}},
    {"and that cannot come back", false,
     {W(0, 1, NEVER, 7), S(0, 2, NEVER, 7, 8, 0), R(0, 3, 4, 8),
      R(0, 5, 6, 7)}},
    {"keys are apart", true,
     {W(0, 1, 2, 7), W(1, 3, 4, 8), R(0, 5, 6, 7), R(1, 7, 8, 8)}},
    {"the second key is looked at", false,
     {W(0, 1, 2, 7), W(1, 3, 4, 8), R(0, 5, 6, 7), R(1, 7, 8, 0)}},
};

START_TEST(histories_with_a_known_answer)
{
    struct history history = {0};
    uint32_t bad_key = 99;
    size_t count = 0;
    bool good;

    while (count < 8 && cases[_i].ops[count].begun != 0)
        count++;
    history.ops = (struct history_op *)cases[_i].ops; /* only read */
    history.count = count;
    good = history_is_linearizable(&history, &bad_key);
    ck_assert_msg(good == cases[_i].good, "%s", cases[_i].what);
    ck_assert(good == (bad_key == 99));
}
END_TEST

START_TEST(what_was_refused_never_happened)
{
    struct history history = {0};
    size_t refused = history_begin(&history, HISTORY_WRITE, 0, 0);
    size_t read;

    history_drop(&history, refused);
    read = history_begin(&history, HISTORY_READ, 0, 0);
    history_end(&history, read, history.ops[refused].value);
    ck_assert(!history_is_linearizable(&history, NULL));
    history.ops[read].seen = 0;
    ck_assert(history_is_linearizable(&history, NULL));
    history_close(&history);
}
END_TEST

/* Nine clients at once, many rounds, as a register would have answered, with
 * some answers lost: long enough that trying all orders would never end. Then
 * one read is made a little too old. */
START_TEST(a_long_history_is_checked_in_time)
{
    struct history history = {0};
    size_t ops[9], read = 0;
    uint64_t now = 0, before = 0;
    unsigned round, i;

    for (round = 0; round < 100; round++) {
        for (i = 0; i < 9; i++)
            ops[i] = history_begin(&history, (enum history_kind)(i % 3), 0,
                                   now);
        for (i = 9; i-- > 0;) {
            struct history_op *op = &history.ops[ops[i]];
            uint64_t seen = now;

            if (op->kind == HISTORY_WRITE ||
                (op->kind == HISTORY_SWAP && seen == op->expected))
                now = op->value;
            if ((round + i) % 10 != 0)
                history_end(&history, ops[i], seen);
        }
        read = history_begin(&history, HISTORY_READ, 0, 0);
        history_end(&history, read, now);
        if (round == 97)
            before = now;
    }
    ck_assert(history_is_linearizable(&history, NULL));
    history.ops[read].seen = before;
    ck_assert(!history_is_linearizable(&history, NULL));
    history_close(&history);
}
END_TEST

Suite *linear_suite(void);

Suite *linear_suite(void)
{
    Suite *suite = suite_create("linear");
    TCase *tcase = tcase_create("linear");

    tcase_add_loop_test(tcase, histories_with_a_known_answer, 0,
                        sizeof(cases) / sizeof(cases[0]));
    tcase_add_test(tcase, what_was_refused_never_happened);
    tcase_add_test(tcase, a_long_history_is_checked_in_time);
    suite_add_tcase(suite, tcase);
    return suite;
}
