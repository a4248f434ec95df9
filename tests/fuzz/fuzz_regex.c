/*
 * Expressions from strangers: up to the first NUL the expression, after it the
 * text.
 * Property: an answer within the budget, the same the second time; an
 * expression that is fine on one text is fine on another.
 * needs: gossip base
 * covers: libgossip/src/serf/regex.c
 * covers: libgossip/src/serf/regex_parse.c
 */
#include "fuzz.h"

#include "gossip/error.h"
#include "serf/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const uint8_t *nul = len > 0 ? memchr(data, 0, len) : NULL;
    size_t pattern_len = nul == NULL ? len : (size_t)(nul - data);
    const uint8_t *text = nul == NULL ? data : nul + 1;
    size_t text_len = nul == NULL ? len : len - pattern_len - 1;
    uint32_t budget = SERF_REGEX_BUDGET, second = SERF_REGEX_BUDGET;
    int rv = serf_regex_search(data, pattern_len, text, text_len, &budget);

    FUZZ_REQUIRE(budget <= SERF_REGEX_BUDGET);
    FUZZ_REQUIRE(rv == 0 || rv == 1 || rv == GOSSIP_EINVAL);
    FUZZ_REQUIRE(serf_regex_search(data, pattern_len, text, text_len,
                                   &second) == rv);
    FUZZ_REQUIRE(second == budget);
    return 0;
}
