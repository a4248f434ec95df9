/* What a peer sends is checked before anybody looks at it. */
#include <string.h>

#include "base/alloc.h"
#include "entry.h"
#include "raft/message.h"
#include "suite.h"

static int unpack(const struct base_buf *packed)
{
    char cluster_id[RAFT_ID_MAX];
    struct raft_message message;
    int rv = raft_message_unpack(packed->bytes + packed->start,
                                 base_buf_len(packed), &message, cluster_id);

    if (rv == 0)
        raft_message_close(&message);
    return rv;
}

/* What unpacking says with one bit of the text turned over, that is somewhere
 * in the message. */
static int damaged(struct base_buf *packed, const char *text)
{
    uint8_t *at = memmem(packed->bytes + packed->start, base_buf_len(packed),
                         text, strlen(text));

    ck_assert_ptr_nonnull(at);
    ck_assert_int_eq(unpack(packed), 0);
    *at ^= 1;
    return unpack(packed);
}

static struct raft_configuration one_server(void)
{
    struct raft_configuration configuration = {.server_count = 1};

    strcpy(configuration.servers[0].id, "s1");
    return configuration;
}

START_TEST(a_piece_of_a_snapshot_with_a_wrong_checksum_is_refused)
{
    struct raft_configuration configuration = one_server();
    struct raft_message message = {.type = RAFT_MESSAGE_SNAPSHOT, .term = 3};
    struct base_buf packed = BASE_BUF_INIT;
    char data[] = "the state of everything";

    strcpy(message.from, "s1");
    strcpy(message.to, "s0");
    message.u.snapshot.index = 7;
    message.u.snapshot.term = 2;
    message.u.snapshot.configuration = &configuration;
    message.u.snapshot.data = data;
    message.u.snapshot.len = strlen(data);
    raft_message_pack(&message, "cluster", &packed);
    ck_assert_int_eq(damaged(&packed, data), RAFT_ECORRUPT);
    base_buf_close(&packed);
}
END_TEST

START_TEST(a_damaged_entry_is_refused)
{
    struct raft_entry entry = {.index = 1,
                               .term = 1,
                               .type = RAFT_ENTRY_COMMAND,
                               .data = "a command",
                               .len = 9};
    struct raft_message message = {.type = RAFT_MESSAGE_APPEND, .term = 3};
    struct base_buf packed = BASE_BUF_INIT;

    strcpy(message.from, "s1");
    strcpy(message.to, "s0");
    entry.checksum = entry_checksum(&entry);
    message.u.append.entries = &entry;
    message.u.append.entry_count = 1;
    raft_message_pack(&message, "cluster", &packed);
    ck_assert_int_eq(damaged(&packed, "a command"), RAFT_ECORRUPT);
    base_buf_close(&packed);
}
END_TEST

START_TEST(a_snapshot_of_the_future_is_refused)
{
    struct raft_configuration configuration = one_server();
    struct raft_message message = {.type = RAFT_MESSAGE_SNAPSHOT, .term = 3};
    struct base_buf packed = BASE_BUF_INIT;

    strcpy(message.from, "s1");
    message.u.snapshot.index = 7;
    message.u.snapshot.term = 4; /* than its sender's */
    message.u.snapshot.configuration = &configuration;
    raft_message_pack(&message, "cluster", &packed);
    ck_assert_int_eq(unpack(&packed), RAFT_EDECODE);
    base_buf_close(&packed);
}
END_TEST

Suite *message_suite(void)
{
    Suite *suite = suite_create("message");
    TCase *tcase = tcase_create("all");

    tcase_add_test(tcase,
                   a_piece_of_a_snapshot_with_a_wrong_checksum_is_refused);
    tcase_add_test(tcase, a_damaged_entry_is_refused);
    tcase_add_test(tcase, a_snapshot_of_the_future_is_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
