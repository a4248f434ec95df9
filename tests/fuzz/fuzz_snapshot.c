/*
 * The lines of a snapshot file.
 * Property: what was read is written, and reads again to the same, with no bad
 * line in it. The whole part never is longer than the text.
 * needs: gossip base
 * covers: libgossip/src/serf/snapshot_lines.c
 */
#include "fuzz.h"

#include "serf/snapshot_lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct serf_snapshot_state state, again;
    struct base_buf text = BASE_BUF_INIT;
    size_t bad, whole;

    serf_snapshot_state_init(&state, 1);
    serf_snapshot_state_init(&again, 2);
    serf_snapshot_read(&state, (const char *)data, len, len % 2 == 1, &bad,
                       &whole);
    FUZZ_REQUIRE(whole <= len);
    FUZZ_REQUIRE(whole == 0 || data[whole - 1] == '\n');
    serf_snapshot_write(&text, &state);
    serf_snapshot_read(&again, (const char *)base_buf_data(&text),
                       base_buf_len(&text), false, &bad, &whole);
    FUZZ_REQUIRE(bad == 0);
    FUZZ_REQUIRE(whole == base_buf_len(&text));
    FUZZ_REQUIRE(again.clock == state.clock);
    FUZZ_REQUIRE(again.event_clock == state.event_clock);
    FUZZ_REQUIRE(again.query_clock == state.query_clock);
    serf_snapshot_state_close(&state);
    serf_snapshot_state_close(&again);
    base_buf_close(&text);
    return 0;
}
