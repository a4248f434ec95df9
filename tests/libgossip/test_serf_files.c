/* What serf keeps on disk, as text: snapshot lines and the keyring file. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "gossip/serf.h"
#include "serf/file.h"
#include "serf/keyring_file.h"
#include "serf/snapshot_lines.h"
#include "suite.h"

static const char *address_of(const struct serf_snapshot_state *state,
                              const char *name, char text[BASE_ADDR_TEXT_MAX])
{
    const struct serf_known *known = (const struct serf_known *)(const void *)
        serf_name_table_find(&state->alive, name);

    return known == NULL ? "" : base_addr_format(&known->addr, text);
}

static void read_text(struct serf_snapshot_state *state, const char *text,
                      size_t len, bool rejoin, size_t *bad, size_t *whole)
{
    serf_snapshot_state_init(state, 7);
    serf_snapshot_read(state, text, len, rejoin, bad, whole);
}

START_TEST(snapshots_of_the_original)
{
    struct base_buf text = BASE_BUF_INIT;
    struct serf_snapshot_state state;
    char addr[BASE_ADDR_TEXT_MAX];
    size_t bad;
    size_t whole;

    ck_assert_int_eq(serf_file_read(TEST_DATA "/snapshot_appended.snap",
                                    1u << 20, &text),
                     0);
    read_text(&state, (const char *)base_buf_data(&text), base_buf_len(&text),
              false, &bad, &whole);
    ck_assert_uint_eq(bad, 0);
    ck_assert_uint_eq(whole, base_buf_len(&text));
    ck_assert_uint_eq(state.alive.count, 2); /* node-a has gone */
    ck_assert_str_eq(address_of(&state, "node-a", addr), "");
    ck_assert_str_eq(address_of(&state, "node b", addr), "127.0.0.2:7946");
    ck_assert_str_eq(address_of(&state, "node-c", addr), "[2001:db8::1]:80");
    ck_assert_uint_eq(state.clock, 5);
    ck_assert_uint_eq(state.event_clock, 3);
    ck_assert_uint_eq(state.query_clock, 9);
    serf_snapshot_state_close(&state);
    base_buf_reset(&text);
    ck_assert_int_eq(serf_file_read(TEST_DATA "/snapshot_compacted.snap",
                                    1u << 20, &text),
                     0);
    read_text(&state, (const char *)base_buf_data(&text), base_buf_len(&text),
              false, &bad, &whole);
    ck_assert_uint_eq(bad, 0);
    ck_assert_str_eq(address_of(&state, "node-a", addr), "127.0.0.1:7946");
    ck_assert_uint_eq(state.event_clock, 21);
    serf_snapshot_state_close(&state);
    base_buf_close(&text);
}
END_TEST

#define READ(text, rejoin)                                                   \
    read_text(&state, text, strlen(text), rejoin, &bad, &whole)

START_TEST(lines_apply_in_order)
{
    struct serf_snapshot_state state;
    char addr[BASE_ADDR_TEXT_MAX];
    size_t bad;
    size_t whole;

    READ("alive: node b 127.0.0.2:1\nalive: c [2001:db8::1]:80\nclock: 9\n"
         "not-alive: c\n# a comment\ncoordinate: whatever\nevent-clock: 4\n"
         "alive: c 10.0.0.1:2\n",
         false);
    ck_assert_uint_eq(bad, 0);
    ck_assert_uint_eq(state.alive.count, 2);
    ck_assert_str_eq(address_of(&state, "node b", addr), "127.0.0.2:1");
    ck_assert_str_eq(address_of(&state, "c", addr), "10.0.0.1:2");
    ck_assert_uint_eq(state.clock, 9);
    ck_assert_uint_eq(state.event_clock, 4);
    serf_snapshot_state_close(&state);
}
END_TEST

START_TEST(leave_forgets_unless_rejoining)
{
    static const char text[] = "alive: a 10.0.0.1:1\nclock: 9\nleave\n"
                               "clock: 10\n";
    struct serf_snapshot_state state;
    size_t bad;
    size_t whole;

    READ(text, false);
    ck_assert_uint_eq(state.alive.count, 0);
    ck_assert_uint_eq(state.clock, 10); /* lines after it count again */
    serf_snapshot_state_close(&state);
    READ(text, true);
    ck_assert_uint_eq(state.alive.count, 1);
    serf_snapshot_state_close(&state);
}
END_TEST

START_TEST(bad_lines_are_skipped)
{
    static const char text[] =
        "alive: a\nalive: 10.0.0.1:1\nalive: a 10.0.0.1\nalive: a 1.2.3:x\n"
        "not-alive: \nclock: x\nclock: -1\nclock: 99999999999999999999\n"
        "clock: 9223372036854775807\nquery-clock: \nnonsense\nleaves\n\n"
        "alive: good 10.0.0.1:1\nclock: 3\nalive: torn 10.0.0.2:1";
    struct serf_snapshot_state state;
    size_t bad;
    size_t whole;

    READ(text, false);
    ck_assert_uint_eq(bad, 13);
    ck_assert_uint_eq(state.alive.count, 1);
    ck_assert_uint_eq(state.clock, 3);
    ck_assert_uint_eq(whole, strlen(text) - strlen("alive: torn 10.0.0.2:1"));
    serf_snapshot_state_close(&state);
}
END_TEST

START_TEST(what_is_written_reads_back)
{
    struct serf_snapshot_state state;
    struct serf_snapshot_state again;
    struct base_buf out = BASE_BUF_INIT;
    struct base_addr addr;
    char text[BASE_ADDR_TEXT_MAX];
    size_t bad;
    size_t whole;

    serf_snapshot_state_init(&state, 1);
    base_addr_parse(&addr, "[::1]:5", 0);
    serf_snapshot_state_alive(&state, "a b", &addr);
    serf_snapshot_state_alive(&state, "c", &addr);
    serf_snapshot_state_gone(&state, "c");
    serf_snapshot_state_alive(&state, "d", &addr);
    serf_snapshot_state_failed(&state, "d", &addr);
    state.clock = 12;
    serf_snapshot_write(&out, &state);
    serf_snapshot_state_close(&state);
    ck_assert_uint_eq(base_buf_len(&out),
                      strlen("alive: a b [::1]:5\n# failed: d [::1]:5\n"
                             "clock: 12\n"
                             "event-clock: 0\nquery-clock: 0\n"));
    read_text(&again, (const char *)base_buf_data(&out), base_buf_len(&out),
              false, &bad, &whole);
    ck_assert_str_eq(address_of(&again, "a b", text), "[::1]:5");
    ck_assert_uint_eq(again.failed.count, 1);
    ck_assert_uint_eq(again.clock, 12);
    serf_snapshot_state_close(&again);
    base_buf_close(&out);
}
END_TEST

START_TEST(keyring_file_of_the_original)
{
    struct gossip_keyring *keyring = gossip_keyring_new();
    struct base_buf text = BASE_BUF_INIT;
    struct base_buf ours = BASE_BUF_INIT;

    ck_assert_int_eq(
        gossip_keyring_load(keyring, TEST_DATA "/keyring_sample.json"), 0);
    ck_assert_uint_eq(gossip_keyring_count(keyring), 2);
    ck_assert_mem_eq(gossip_keyring_at(keyring, 0)->bytes, "fedcba9876543210",
                     16);
    serf_keyring_format(&ours, keyring);
    ck_assert_int_eq(serf_file_read(TEST_DATA "/keyring_sample.json", 65536,
                                    &text),
                     0);
    ck_assert_uint_eq(base_buf_len(&text), base_buf_len(&ours));
    ck_assert_mem_eq(base_buf_data(&text), base_buf_data(&ours),
                     base_buf_len(&ours));
    base_buf_close(&text);
    base_buf_close(&ours);
    gossip_keyring_free(keyring);
}
END_TEST

static const struct {
    const char *text;
    int want;
} keyrings[] = {
    {"[\"MDEyMzQ1Njc4OWFiY2RlZg==\"]", 0},
    {" [ \"MDEyMzQ1Njc4OWFiY2RlZg==\" , \"ZmVkY2JhOTg3NjU0MzIxMA==\" ]\n", 0},
    {"[]", GOSSIP_EINVAL},
    {"", BASE_EPARSE},
    {"{}", BASE_EPARSE},
    {"[\"MDEyMzQ1Njc4OWFiY2RlZg==\"", BASE_EPARSE},
    {"[\"MDEyMzQ1Njc4OWFiY2RlZg==\",]", BASE_EPARSE},
    {"[\"MDEyMzQ1Njc4OWFiY2RlZg==\"]x", BASE_EPARSE},
    {"[\"MDEyMzQ1Njc4OWFiY2RlZg==", BASE_EPARSE},
    {"[5]", BASE_EPARSE},
    {"[\"AAAA\"]", GOSSIP_EKEY},
    {"[\"\"]", GOSSIP_EKEY},
    {"[\"MDEyMzQ1Njc4OWFiY2RlZgMDEyMzQ1Njc4OWFiY2RlZgMDEyMzQ1Njc4OWFiY2RlZg"
     "MDEyMzQ1Njc4OWFiY2RlZg\"]",
     BASE_EPARSE},
};

START_TEST(keyring_texts)
{
    struct gossip_keyring *keyring = gossip_keyring_new();
    const char *text = keyrings[_i].text;

    ck_assert_int_eq(serf_keyring_parse(keyring, text, strlen(text)),
                     keyrings[_i].want);
    gossip_keyring_free(keyring);
}
END_TEST

START_TEST(keyring_file_keeps_its_mode)
{
    struct gossip_keyring *keyring = gossip_keyring_new();
    char folder[] = "/tmp/serf-keys-XXXXXX";
    char *path;
    struct stat status;

    ck_assert_ptr_nonnull(mkdtemp(folder));
    path = base_asprintf("%s/keys.json", folder);
    ck_assert_int_eq(gossip_keyring_load(keyring, path), BASE_ENOTFOUND);
    gossip_keyring_add(keyring, "0123456789abcdef", 16);
    ck_assert_int_eq(gossip_keyring_save(keyring, path), 0);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0600);
    chmod(path, 0640);
    ck_assert_int_eq(gossip_keyring_save(keyring, path), 0);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0640);
    unlink(path);
    rmdir(folder);
    ck_assert_int_eq(gossip_keyring_save(keyring, path), BASE_ENOTFOUND);
    base_free(path);
    gossip_keyring_free(keyring);
}
END_TEST

Suite *serf_files_suite(void)
{
    Suite *suite = suite_create("serf-files");
    TCase *tcase = tcase_create("files");

    tcase_add_test(tcase, snapshots_of_the_original);
    tcase_add_test(tcase, lines_apply_in_order);
    tcase_add_test(tcase, leave_forgets_unless_rejoining);
    tcase_add_test(tcase, bad_lines_are_skipped);
    tcase_add_test(tcase, what_is_written_reads_back);
    tcase_add_test(tcase, keyring_file_of_the_original);
    tcase_add_loop_test(tcase, keyring_texts, 0,
                        (int)(sizeof(keyrings) / sizeof(keyrings[0])));
    tcase_add_test(tcase, keyring_file_keeps_its_mode);
    suite_add_tcase(suite, tcase);
    return suite;
}
