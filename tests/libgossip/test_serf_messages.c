/*
 * Serf's messages against the recorded bytes of the original: what we write is
 * the same byte for byte, what it wrote is read back, and what is broken is
 * refused (gossip.md 3.2, 8).
 */
#include <stdio.h>
#include <string.h>

#include "serf/coordinate.h"
#include "serf/messages.h"
#include "serf/query_filter.h"
#include "serf/tags.h"
#include "suite.h"

#define MESSAGE_MAX 4096

struct vector {
    uint8_t bytes[MESSAGE_MAX];
    size_t len;
};

static void load(struct vector *vector, const char *name)
{
    char path[512];
    FILE *file;
    unsigned byte;

    snprintf(path, sizeof(path), "%s/%s.hex", TEST_DATA, name);
    file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s is not there", path);
    vector->len = 0;
    while (fscanf(file, "%2x", &byte) == 1) {
        ck_assert_uint_lt(vector->len, MESSAGE_MAX);
        vector->bytes[vector->len++] = (uint8_t)byte;
    }
    fclose(file);
    ck_assert_uint_gt(vector->len, 0);
}

/* What was written equals the vector. */
static void check_bytes(struct base_buf *out, const char *name)
{
    struct vector vector;

    load(&vector, name);
    ck_assert_msg(base_buf_len(out) == vector.len, "%s: %zu bytes, not %zu",
                  name, base_buf_len(out), vector.len);
    ck_assert_msg(memcmp(base_buf_data(out), vector.bytes, vector.len) == 0,
                  "%s differs", name);
    base_buf_close(out);
}

#define BODY(vector) (vector).bytes + 1, (vector).len - 1

START_TEST(intents)
{
    static const struct {
        const char *vector;
        enum serf_message_type type;
        uint64_t ltime;
        const char *node;
        bool prune;
    } cases[] = {
        {"serf_leave", SERF_LEAVE, 5, "node-b", false},
        {"serf_leave_prune", SERF_LEAVE, 300, "node-b", true},
        {"serf_join", SERF_JOIN, 2, "node-a", false},
        {"serf_join_big", SERF_JOIN, 1099511627776, "node-a", false},
    };
    struct serf_msg_intent msg = {cases[_i].ltime, mp_str_of(cases[_i].node),
                                  cases[_i].prune};
    struct base_buf out = BASE_BUF_INIT;
    struct vector vector;

    load(&vector, cases[_i].vector);
    serf_put_intent(&out, cases[_i].type, &msg);
    check_bytes(&out, cases[_i].vector);
    memset(&msg, 0xff, sizeof(msg));
    ck_assert_uint_eq(vector.bytes[0], cases[_i].type);
    ck_assert_int_eq(serf_get_intent(&msg, BODY(vector)), 0);
    ck_assert_uint_eq(msg.ltime, cases[_i].ltime);
    ck_assert(mp_is(msg.node, cases[_i].node));
    ck_assert(msg.prune == cases[_i].prune);
}
END_TEST

START_TEST(user_events)
{
    struct serf_msg_event msg = {9, mp_str_of("deploy"), mp_str_of("v1.2.3"),
                                 true};
    struct mp_scratch scratch = {NULL};
    struct base_buf out = BASE_BUF_INIT;
    struct vector vector;

    serf_put_event(&out, &msg);
    check_bytes(&out, "serf_user_event");
    msg.payload = mp_bytes_of(NULL, 0);
    msg.coalesce = false;
    serf_put_event(&out, &msg);
    check_bytes(&out, "serf_user_event_nil");
    load(&vector, "serf_user_event");
    ck_assert_int_eq(serf_get_event(&msg, BODY(vector), &scratch), 0);
    ck_assert_uint_eq(msg.ltime, 9);
    ck_assert(msg.coalesce);
    ck_assert(mp_is(msg.payload, "v1.2.3"));
    load(&vector, "serf_user_event_nil");
    ck_assert_int_eq(serf_get_event(&msg, BODY(vector), &scratch), 0);
    ck_assert_ptr_null(msg.payload.data);
    mp_scratch_close(&scratch);
}
END_TEST

static void fill_query(struct serf_msg_query *msg, struct base_buf filters[2])
{
    static const uint8_t ip[4] = {127, 0, 0, 1};
    const char *nodes[] = {"node-a", "node-b"};
    const struct gossip_tag tag = {"role", "^web.*"};

    memset(msg, 0, sizeof(*msg));
    msg->ltime = 4;
    msg->id = 305419896;
    msg->addr = mp_bytes_of(ip, sizeof(ip));
    msg->port = 7946;
    msg->source = mp_str_of("node-a");
    serf_filter_put_nodes(&filters[0], nodes, 2);
    serf_filter_put_tag(&filters[1], &tag);
    msg->filters[0] =
        mp_bytes_of(base_buf_data(&filters[0]), base_buf_len(&filters[0]));
    msg->filters[1] =
        mp_bytes_of(base_buf_data(&filters[1]), base_buf_len(&filters[1]));
    msg->filter_count = 2;
    msg->flags = SERF_FLAG_ACK;
    msg->relay_factor = 2;
    msg->timeout_ns = 15000000000;
    msg->name = mp_str_of("uptime");
    msg->payload = mp_str_of("now");
}

START_TEST(queries)
{
    struct base_buf filters[2] = {BASE_BUF_INIT, BASE_BUF_INIT};
    struct mp_scratch scratch = {NULL};
    struct base_buf out = BASE_BUF_INIT;
    static struct serf_msg_query msg;
    struct vector vector;

    fill_query(&msg, filters);
    serf_put_query(&out, &msg);
    check_bytes(&out, "serf_query");
    load(&vector, _i == 0 ? "serf_query" : "v2_query");
    ck_assert_int_eq(serf_get_query(&msg, BODY(vector), &scratch), 0);
    ck_assert_uint_eq(msg.ltime, 4);
    ck_assert_uint_eq(msg.id, 305419896);
    ck_assert_uint_eq(msg.addr.len, 4);
    ck_assert_uint_eq(msg.port, 7946);
    ck_assert_uint_eq(msg.filter_count, 2);
    ck_assert_uint_eq(msg.filters[0].len, base_buf_len(&filters[0]));
    ck_assert_uint_eq(msg.flags, SERF_FLAG_ACK);
    ck_assert_uint_eq(msg.relay_factor, 2);
    ck_assert_int_eq(msg.timeout_ns, 15000000000);
    ck_assert(mp_is(msg.source, "node-a"));
    ck_assert(mp_is(msg.name, "uptime"));
    ck_assert(mp_is(msg.payload, "now"));
    check_bytes(&filters[0], "serf_filter_nodes");
    check_bytes(&filters[1], "serf_filter_tag");
    mp_scratch_close(&scratch);
}
END_TEST

START_TEST(query_without_filters)
{
    static const uint8_t ip[4] = {127, 0, 0, 1};
    static struct serf_msg_query msg;
    struct mp_scratch scratch = {NULL};
    struct base_buf out = BASE_BUF_INIT;
    struct vector vector;

    msg = (struct serf_msg_query){.ltime = 4,
                                  .id = 7,
                                  .addr = {ip, 4},
                                  .port = 7946,
                                  .source = mp_str_of("node-a"),
                                  .timeout_ns = 3200000000,
                                  .name = mp_str_of("_serf_ping")};
    serf_put_query(&out, &msg);
    check_bytes(&out, "serf_query_ping");
    load(&vector, "serf_query_ping");
    ck_assert_int_eq(serf_get_query(&msg, BODY(vector), &scratch), 0);
    ck_assert_uint_eq(msg.filter_count, 0);
    mp_scratch_close(&scratch);
}
END_TEST

START_TEST(responses_and_relay)
{
    static const uint8_t ip[4] = {127, 0, 0, 1};
    struct serf_msg_response msg = {4, 305419896, mp_str_of("node-b"), 0,
                                    mp_str_of("12:00")};
    struct serf_msg_relay relay = {.ip = {ip, 4}, .port = 7946};
    struct mp_scratch scratch = {NULL};
    struct base_buf out = BASE_BUF_INIT;
    struct vector response;
    struct vector vector;

    serf_put_response(&out, &msg);
    check_bytes(&out, "serf_query_response");
    msg.flags = SERF_FLAG_ACK;
    msg.payload = mp_bytes_of(NULL, 0);
    serf_put_response(&out, &msg);
    check_bytes(&out, "serf_query_ack");
    load(&response, "serf_query_response");
    ck_assert_int_eq(serf_get_response(&msg, BODY(response), &scratch), 0);
    ck_assert(mp_is(msg.from, "node-b"));
    ck_assert(mp_is(msg.payload, "12:00"));
    relay.node = mp_str_of("node-a");
    relay.inner = mp_bytes_of(response.bytes, response.len);
    serf_put_relay(&out, &relay);
    check_bytes(&out, "serf_relay");
    load(&vector, "serf_relay");
    memset(&relay, 0, sizeof(relay));
    ck_assert_int_eq(serf_get_relay(&relay, BODY(vector), &scratch), 0);
    ck_assert_uint_eq(relay.port, 7946);
    ck_assert(mp_is(relay.node, "node-a"));
    ck_assert_uint_eq(relay.inner.len, response.len);
    load(&vector, "v2_relay_header"); /* port as int16 */
    ck_assert_int_eq(serf_get_relay(&relay, BODY(vector), &scratch), 0);
    ck_assert_uint_eq(relay.port, 7946);
    mp_scratch_close(&scratch);
}
END_TEST

START_TEST(conflict_records)
{
    const struct gossip_tag tag = {"role", "web"};
    struct gossip_member member = {.name = "node-b",
                                   .status = GOSSIP_MEMBER_ALIVE,
                                   .tags = &tag,
                                   .tag_count = 1,
                                   .vsn = {1, 5, 2, 2, 5, 4}};
    struct mp_scratch scratch = {NULL};
    struct base_buf out = BASE_BUF_INIT;
    struct base_addr addr;
    struct vector vector;
    bool known;

    base_addr_parse(&member.addr, "127.0.0.2:7946", 0);
    serf_put_conflict(&out, &member);
    check_bytes(&out, "serf_conflict_response");
    serf_put_conflict(&out, NULL);
    check_bytes(&out, "serf_conflict_response_nil");
    load(&vector, "serf_conflict_response");
    ck_assert_int_eq(serf_get_conflict(&known, &addr, vector.bytes, vector.len,
                                       &scratch),
                     0);
    ck_assert(known);
    ck_assert(base_addr_equal(&addr, &member.addr));
    load(&vector, "serf_conflict_response_nil");
    ck_assert_int_eq(serf_get_conflict(&known, &addr, vector.bytes, vector.len,
                                       &scratch),
                     0);
    ck_assert(!known);
    ck_assert_int_lt(serf_get_conflict(&known, &addr, "", 0, &scratch), 0);
    ck_assert_int_lt(serf_get_conflict(&known, &addr, "\x05\xc0", 2, &scratch),
                     0);
    mp_scratch_close(&scratch);
}
END_TEST

START_TEST(key_messages)
{
    static struct serf_msg_key_response msg;
    struct mp_scratch scratch = {NULL};
    struct base_buf out = BASE_BUF_INIT;
    struct mp_bytes key;
    struct vector vector;

    serf_put_key_request(&out, mp_str_of("0123456789abcdef"));
    check_bytes(&out, "serf_key_request");
    serf_put_key_request(&out, mp_str_of(""));
    check_bytes(&out, "serf_key_request_list");
    load(&vector, "serf_key_request");
    ck_assert_int_eq(
        serf_get_key_request(&key, vector.bytes, vector.len, &scratch), 0);
    ck_assert(mp_is(key, "0123456789abcdef"));
    /* Both crash the original (gossip.md 9.26). */
    ck_assert_int_lt(serf_get_key_request(&key, "", 0, &scratch), 0);
    ck_assert_int_lt(serf_get_key_request(&key, "\x08\x80", 2, &scratch), 0);

    msg = (struct serf_msg_key_response){.result = true};
    msg.message = msg.primary = mp_str_of("");
    serf_put_key_response(&out, &msg);
    check_bytes(&out, "serf_key_response_ok");
    msg.result = false;
    msg.message = mp_str_of("Requested key is not in the keyring");
    serf_put_key_response(&out, &msg);
    check_bytes(&out, "serf_key_response_err");
    msg.result = true;
    msg.message = mp_str_of("");
    msg.keys[0] = msg.primary = mp_str_of("MDEyMzQ1Njc4OWFiY2RlZg==");
    msg.key_count = 1;
    serf_put_key_response(&out, &msg);
    check_bytes(&out, "serf_key_response_list");
    load(&vector, "serf_key_response_list");
    memset(&msg, 0, sizeof(msg));
    ck_assert_int_eq(serf_get_key_response(&msg, vector.bytes, vector.len), 0);
    ck_assert(msg.result);
    ck_assert_uint_eq(msg.key_count, 1);
    ck_assert(mp_is(msg.keys[0], "MDEyMzQ1Njc4OWFiY2RlZg=="));
    ck_assert(mp_is(msg.primary, "MDEyMzQ1Njc4OWFiY2RlZg=="));
    mp_scratch_close(&scratch);
}
END_TEST

static void check_tags(const char *name, const struct gossip_tag *want,
                       size_t count)
{
    struct serf_tags tags;
    struct vector vector;
    size_t i;

    load(&vector, name);
    ck_assert_int_eq(serf_tags_decode(&tags, vector.bytes, vector.len), 0);
    ck_assert_uint_eq(tags.count, count);
    for (i = 0; i < count; i++) {
        ck_assert_str_eq(tags.tags[i].key, want[i].key);
        ck_assert_str_eq(tags.tags[i].value, want[i].value);
    }
    serf_tags_close(&tags);
}

START_TEST(tags)
{
    const struct gossip_tag web = {"role", "web"};
    const struct gossip_tag both[] = {{"dc", "eu"}, {"role", "db"}};
    const struct gossip_tag turned[] = {{"role", "db"}, {"dc", "eu"}};
    const struct gossip_tag twice[] = {{"a", "1"}, {"a", "2"}};
    struct base_buf out = BASE_BUF_INIT;
    struct serf_tags decoded;

    check_tags("serf_tags_one", &web, 1);
    check_tags("serf_tags_empty", NULL, 0);
    check_tags("serf_tags_nil", NULL, 0);
    check_tags("serf_tags_two", both, 2);
    check_tags("serf_tags_role_v2", &web, 1);
    ck_assert_int_eq(serf_tags_encode(&out, &web, 1, 5), 0);
    check_bytes(&out, "serf_tags_one");
    ck_assert_int_eq(serf_tags_encode(&out, NULL, 0, 5), 0);
    check_bytes(&out, "serf_tags_empty");
    ck_assert_int_eq(serf_tags_encode(&out, &web, 1, 2), 0);
    check_bytes(&out, "serf_tags_role_v2");
    ck_assert_int_eq(serf_tags_encode(&out, turned, 2, 5), 0);
    serf_tags_decode(&decoded, base_buf_data(&out), base_buf_len(&out));
    ck_assert_str_eq(decoded.tags[0].key, "dc");
    serf_tags_close(&decoded);
    base_buf_close(&out);
    ck_assert_int_eq(serf_tags_encode(&out, twice, 2, 5), GOSSIP_EINVAL);
    ck_assert_uint_eq(base_buf_len(&out), 0);
    ck_assert_int_lt(serf_tags_decode(&decoded, "\xff\x81\xa1k", 4), 0);
    ck_assert_int_lt(serf_tags_decode(&decoded, "\xff\x81\xa1k\x05", 5), 0);
    ck_assert_int_lt(serf_tags_decode(&decoded, "\xff\xdf\xff\xff\xff\xff", 6),
                     0);
    ck_assert_int_eq(serf_tags_decode(&decoded, NULL, 0), 0);
    ck_assert_str_eq(decoded.tags[0].key, "role"); /* empty meta: no role */
    serf_tags_close(&decoded);
}
END_TEST

START_TEST(coordinate_payload)
{
    const struct gossip_coordinate want = {.vec = {0.001, -0.5},
                                           .error = 1.5,
                                           .adjustment = 0.0001,
                                           .height = 1e-05};
    struct gossip_coordinate got;
    struct base_buf out = BASE_BUF_INIT;
    struct vector vector;

    serf_coordinate_encode(&out, &want);
    check_bytes(&out, "serf_coordinate_ack_payload");
    load(&vector, "serf_coordinate_ack_payload");
    ck_assert_int_eq(serf_coordinate_decode(&got, vector.bytes, vector.len), 0);
    ck_assert_mem_eq(&got, &want, sizeof(want));
    vector.bytes[0] = 2; /* another version */
    ck_assert_int_lt(serf_coordinate_decode(&got, vector.bytes, vector.len), 0);
    ck_assert_int_lt(serf_coordinate_decode(&got, "", 0), 0);
    /* Seven dimensions. */
    ck_assert_int_lt(serf_coordinate_decode(
                         &got, "\x01\x81\xa3Vec\x97\0\0\0\0\0\0\0", 14),
                     0);
}
END_TEST

/* Whatever is cut off or flipped: an answer, never a crash (run it with SAN=1);
 * and a truncated message is never taken. */
START_TEST(broken_messages_are_refused)
{
    static const char *const names[] = {
        "serf_leave",          "serf_join",           "serf_user_event",
        "serf_query",          "serf_query_response", "serf_relay",
        "serf_key_request",    "serf_key_response_list",
        "serf_conflict_response"};
    struct mp_scratch scratch = {NULL};
    struct serf_msg_intent intent;
    struct serf_msg_event event;
    struct serf_msg_response response;
    static struct serf_msg_query query;
    struct vector vector;
    size_t len;

    load(&vector, names[_i]);
    for (len = 0; len + 1 < vector.len; len++) {
        switch (vector.bytes[0]) {
        case SERF_LEAVE:
        case SERF_JOIN:
            ck_assert_int_lt(serf_get_intent(&intent, vector.bytes + 1, len),
                             0);
            break;
        case SERF_USER_EVENT:
            ck_assert_int_lt(
                serf_get_event(&event, vector.bytes + 1, len, &scratch), 0);
            break;
        case SERF_QUERY:
            ck_assert_int_lt(
                serf_get_query(&query, vector.bytes + 1, len, &scratch), 0);
            break;
        case SERF_QUERY_RESPONSE:
            ck_assert_int_lt(
                serf_get_response(&response, vector.bytes + 1, len, &scratch),
                0);
            break;
        default:
            break;
        }
    }
    mp_scratch_close(&scratch);
}
END_TEST

Suite *serf_messages_suite(void)
{
    Suite *suite = suite_create("serf-messages");
    TCase *tcase = tcase_create("vectors");

    tcase_add_loop_test(tcase, intents, 0, 4);
    tcase_add_test(tcase, user_events);
    tcase_add_loop_test(tcase, queries, 0, 2);
    tcase_add_test(tcase, query_without_filters);
    tcase_add_test(tcase, responses_and_relay);
    tcase_add_test(tcase, conflict_records);
    tcase_add_test(tcase, key_messages);
    tcase_add_test(tcase, tags);
    tcase_add_test(tcase, coordinate_payload);
    tcase_add_loop_test(tcase, broken_messages_are_refused, 0, 9);
    suite_add_tcase(suite, tcase);
    return suite;
}
