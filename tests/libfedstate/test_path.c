/* Section 9 as a table: each row a sentence of it. */
#include "path.h"

#include <check.h>

/* What is known, as letters: L local gateways, P replicated primary gateways,
 * F fallback addresses, R our record names gateways, N never direct,
 * H held: the disk is not loaded. */
static const struct {
    const char *sentence;
    bool leader, stored, tried;
    uint32_t failures;
    const char *known;
    enum fedstate_path want;
} cases[] = {
    {"a follower always goes local", false, false, false, 0, "LPF",
     FEDSTATE_PATH_LOCAL},
    {"a follower, whatever it was told", false, false, true, 9, "LPF",
     FEDSTATE_PATH_LOCAL},
    {"a follower without local gateways", false, false, false, 0, "PF",
     FEDSTATE_PATH_DIRECT},
    {"leader, no data yet", true, false, false, 0, "LPF",
     FEDSTATE_PATH_DIRECT},
    {"leader, no data yet, states stored", true, true, false, 0, "LPF",
     FEDSTATE_PATH_LOCAL},
    {"leader, last round succeeded", true, false, true, 0, "LPF",
     FEDSTATE_PATH_LOCAL},
    {"leader, one failure", true, false, true, 1, "LPF", FEDSTATE_PATH_LOCAL},
    {"leader, two failures", true, false, true, 2, "LPF", FEDSTATE_PATH_LOCAL},
    {"leader, three failures in a row", true, false, true, 3, "LPF",
     FEDSTATE_PATH_DIRECT},
    {"leader, three failures, states stored", true, true, true, 3, "LPF",
     FEDSTATE_PATH_DIRECT},
    {"leader, good rounds, but no local gateway", true, true, true, 0, "PF",
     FEDSTATE_PATH_DIRECT},
    {"first start: the fallback alone", true, false, false, 0, "F",
     FEDSTATE_PATH_FALLBACK},
    {"a follower at the first start", false, false, false, 0, "F",
     FEDSTATE_PATH_FALLBACK},
    {"first start: ours are there, but cannot know the way", true, false, true,
     1, "LF", FEDSTATE_PATH_FALLBACK},
    {"first start: a good round, its states not stored yet", true, false, true,
     0, "LF", FEDSTATE_PATH_FALLBACK},
    {"ours alone are tried, know what they may", true, false, true, 1, "L",
     FEDSTATE_PATH_LOCAL},
    {"replicated alone is direct too", true, false, true, 3, "LP",
     FEDSTATE_PATH_DIRECT},
    {"local down for the leader, and nothing else", true, false, true, 3, "L",
     FEDSTATE_PATH_NONE},
    {"nothing at all", false, false, false, 0, "", FEDSTATE_PATH_NONE},
    /* F7: direct dialling is closed. */
    {"never direct, first start", true, false, false, 0, "FN",
     FEDSTATE_PATH_FALLBACK},
    {"never direct, primary known, own gateways not yet", true, false, true, 0,
     "PFN", FEDSTATE_PATH_DIRECT},
    {"never direct, ours there, the primary's unknown", true, false, false, 0,
     "LFN", FEDSTATE_PATH_FALLBACK},
    {"never direct, local gateways, no data", true, false, false, 0, "LPFRN",
     FEDSTATE_PATH_LOCAL},
    {"never direct, local failing", true, true, true, 9, "LPFRN",
     FEDSTATE_PATH_LOCAL},
    {"never direct, ours listed but none usable", true, true, true, 9, "PFRN",
     FEDSTATE_PATH_NONE},
    {"never direct, a follower, none usable", false, true, false, 0, "PFRN",
     FEDSTATE_PATH_NONE},
    /* F3: a restart. */
    {"held, nothing of ours yet", false, false, false, 0, "PFH",
     FEDSTATE_PATH_NONE},
    {"held, ours are there", false, false, false, 0, "LPFH",
     FEDSTATE_PATH_LOCAL},
};

START_TEST(the_way_to_the_primary)
{
    const char *known = cases[_i].known;
    struct fedstate_path_facts facts = {
        .leader = cases[_i].leader,
        .stored = cases[_i].stored,
        .tried = cases[_i].tried,
        .failures = cases[_i].failures,
    };

    for (; *known != '\0'; known++) {
        facts.have_local |= *known == 'L';
        facts.have_primary |= *known == 'P';
        facts.have_fallback |= *known == 'F';
        facts.local_listed |= *known == 'R';
        facts.never_direct |= *known == 'N';
        facts.held |= *known == 'H';
    }
    ck_assert_msg(fedstate_path_to_primary(&facts) == cases[_i].want, "%s",
                  cases[_i].sentence);
}
END_TEST

Suite *path_suite(void)
{
    Suite *suite = suite_create("path");
    TCase *tc = tcase_create("path");

    tcase_add_loop_test(tc, the_way_to_the_primary, 0,
                        (int)(sizeof(cases) / sizeof(cases[0])));
    suite_add_tcase(suite, tc);
    return suite;
}
