/*
 * What operators do, on three live servers: events that all hear, queries that
 * all answer, keys that are rotated under way, the log watched from outside,
 * and a server that is killed and finds its pool again by its snapshot.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/json_get.h"
#include "operate_bed.h"
#include "suite.h"

#define NEW_KEY "QzzZ+0I1mXmCKcfbOnuo7jZlJFcl9bLT2bTeg6v7bwE="

/* ---- user events ---------------------------------------------------------- */

struct wanted {
    size_t server;
    const char *name;
    char id[64]; /* "" until some server has shown it */
};

static bool has_event(void *arg)
{
    struct wanted *wanted = arg;
    char *path = base_asprintf("/v1/event/list?name=%s", wanted->name);
    json_t *list = operate_json(wanted->server, "GET", path, NULL);
    bool has = json_array_size(list) == 1;

    if (has) {
        const char *id = json_get_text(json_array_get(list, 0), "ID");

        if (wanted->id[0] != '\0')
            ck_assert_str_eq(id, wanted->id);
        else
            snprintf(wanted->id, sizeof(wanted->id), "%s", id);
        ck_assert_str_eq(json_get_text(json_array_get(list, 0), "Payload"),
                         "aGVsbG8=");
    }
    json_decref(list);
    base_free(path);
    return has;
}

START_TEST(an_event_is_heard_by_all_under_one_id)
{
    struct wanted wanted = {0, "deploy", ""};
    json_t *fired =
        operate_json(1, "PUT", "/v1/event/fire/deploy", "hello");

    ck_assert_ptr_nonnull(fired);
    snprintf(wanted.id, sizeof(wanted.id), "%s", json_get_text(fired, "ID"));
    ck_assert_uint_eq(strlen(wanted.id), 36);
    json_decref(fired);
    for (; wanted.server < OPERATE_SERVERS; wanted.server++)
        operate_until(has_event, &wanted, "the event");
}
END_TEST

START_TEST(an_event_that_cannot_go_to_all_is_refused)
{
    char payload[600];

    memset(payload, 'x', sizeof(payload) - 1);
    payload[sizeof(payload) - 1] = '\0';
    ck_assert(!operate_do(0, "PUT", "/v1/event/fire/big", payload));
    ck_assert(!operate_do(0, "PUT", "/v1/event/fire/e?node=n1", "x"));
    ck_assert(!operate_do(0, "PUT", "/v1/event/fire/e?dc=dc9", "x"));
    ck_assert_int_eq(operate_shell(0, "$I event -list | grep -q ' [eb]'"), 1);
}
END_TEST

/* ---- queries -------------------------------------------------------------- */

START_TEST(every_agent_tells_its_version)
{
    ck_assert_int_eq(operate_shell(0, "$I query -timeout=3s isthmus:version "
                                      "> q"),
                     0);
    ck_assert_int_eq(
        operate_shell(0, "V=$($I version | sed -n 's/Isthmus v//p'); "
                         "test $(grep -c \"Response.*: $V\\$\" q) = 3"),
        0);
    ck_assert_int_eq(operate_shell(0, "grep -qx 'Total Acks: 3' q && "
                                      "grep -qx 'Total Responses: 3' q"),
                     0);
}
END_TEST

START_TEST(a_query_goes_to_those_who_were_meant)
{
    ck_assert_int_eq(
        operate_shell(0, "$I query -timeout=2s -node=n2 -no-ack -format=json "
                         "isthmus:version > q"),
        0);
    ck_assert_int_eq(
        operate_shell(0, "test $(grep -c From q) = 1 && grep -q '\"n2\"' q"),
        0);
    ck_assert_int_eq(
        operate_shell(0, "$I query _serf_install-key 2>/dev/null"), 1);
    ck_assert_int_eq(operate_shell(0, "$I reachability > q"), 0);
    ck_assert_int_eq(operate_shell(0, "$I reachability -wan > q"), 0);
}
END_TEST

/* ---- coordinates ---------------------------------------------------------- */

static bool knows_rtt(void *arg)
{
    (void)arg;
    return operate_shell(0, "$I rtt n1 n2 2>/dev/null | grep -q LAN") == 0 &&
           operate_shell(0, "$I rtt -wan n1.dc1 2>/dev/null | grep -q WAN") == 0;
}

START_TEST(round_trips_are_estimated_in_both_pools)
{
    operate_until(knows_rtt, NULL, "coordinates of all");
    ck_assert_int_eq(operate_shell(0, "$I rtt nobody 2>/dev/null"), 1);
}
END_TEST

/* ---- the log -------------------------------------------------------------- */

static bool monitor_saw(void *arg)
{
    const char *what = arg;
    char *line = base_asprintf("grep -q '%s' m", what);
    bool saw = operate_do(0, "PUT", "/v1/event/fire/seen", "x") &&
               operate_shell(0, line) == 0;

    base_free(line);
    return saw;
}

START_TEST(the_log_is_watched_and_let_go)
{
    char text[] = "user event: name=seen";
    int i;

    /* More than may watch at once, one after the other: each is let go. */
    for (i = 0; i < 20; i++)
        ck_assert_int_eq(
            operate_shell(0, "timeout 0.05 $I monitor > m; test $? = 124"), 0);
    ck_assert_int_eq(operate_shell(0, "timeout 10 $I monitor > m &"), 0);
    operate_until(monitor_saw, text, "the event in the monitor");
}
END_TEST

/* ---- keys and snapshots --------------------------------------------------- */

static bool all_have(const char *key, bool primary)
{
    json_t *pools = operate_json(0, "GET", "/v1/operator/keyring", NULL);
    bool all = json_array_size(pools) == 2;
    json_t *pool;
    size_t i;

    json_array_foreach (pools, i, pool) {
        const json_t *keys =
            json_object_get(pool, primary ? "PrimaryKeys" : "Keys");

        if (json_integer_value(json_object_get(keys, key)) != OPERATE_SERVERS)
            all = false;
    }
    json_decref(pools);
    return all;
}

static bool two_alive(void *arg)
{
    (void)arg;
    return operate_alive(0, false) == 2;
}

static bool whole_again(void *arg)
{
    (void)arg;
    return operate_alive(0, false) == OPERATE_SERVERS &&
           operate_alive(2, false) == OPERATE_SERVERS &&
           operate_alive(2, true) == OPERATE_SERVERS;
}

START_TEST(keys_rotate_and_a_killed_server_rejoins_with_the_new_one)
{
    char *body = base_asprintf("{\"Key\":\"%s\"}", operate_key());
    size_t i;

    ck_assert(all_have(operate_key(), true));
    ck_assert(!operate_do(0, "POST", "/v1/operator/keyring",
                          "{\"Key\":\"c2hvcnQ=\"}"));
    ck_assert(operate_do(0, "POST", "/v1/operator/keyring",
                         "{\"Key\":\"" NEW_KEY "\"}"));
    ck_assert(all_have(NEW_KEY, false));
    ck_assert(all_have(operate_key(), true));
    ck_assert(operate_do(1, "PUT", "/v1/operator/keyring",
                         "{\"Key\":\"" NEW_KEY "\"}"));
    ck_assert(all_have(NEW_KEY, true));
    /* The one in use stays. */
    ck_assert(!operate_do(0, "DELETE", "/v1/operator/keyring",
                          "{\"Key\":\"" NEW_KEY "\"}"));
    ck_assert(operate_do(2, "DELETE", "/v1/operator/keyring", body));
    for (i = 0; i < OPERATE_SERVERS; i++) {
        char *lan = operate_file(i, "serf/local.keyring");
        char *wan = operate_file(i, "serf/remote.keyring");

        ck_assert_ptr_nonnull(strstr(lan, NEW_KEY));
        ck_assert_ptr_null(strstr(lan, operate_key()));
        ck_assert_ptr_nonnull(strstr(wan, NEW_KEY));
        base_free(lan);
        base_free(wan);
    }
    base_free(body);

    operate_kill(2);
    operate_until(two_alive, NULL, "the death of a killed server");
    ck_assert_int_eq(operate_shell(0, "$I reachability > q"), 0);
    /* Its -encrypt is the old key, and nobody tells it whom to join. */
    operate_start_alone(2);
    operate_until(whole_again, NULL, "a server that rejoins by its snapshot");
}
END_TEST

/* ---- consensus ------------------------------------------------------------ */

static bool has_three_peers(void *arg)
{
    (void)arg;
    return operate_shell(0, "$I operator raft list-peers > peers 2>/dev/null && "
                            "test $(grep -c ' true ' peers) = 3 && "
                            "test $(awk 'NR>1{print $6}' peers | sort -u | "
                            "wc -l) = 1 && "
                            "test $(grep -c leader peers) = 1") == 0;
}

/* A transfer may come to nothing on a busy machine: nobody leads meanwhile. */
static bool hands_on(void *arg)
{
    (void)arg;
    return operate_shell(0, "$I operator raft transfer-leader -id=$(cat id) "
                            "2>/dev/null | grep -qx Success") == 0;
}

static bool leads_now(void *arg)
{
    (void)arg;
    return operate_shell(0, "$I operator raft list-peers 2>/dev/null | "
                            "grep \"$(cat id)\" | grep -q leader") == 0;
}

START_TEST(consensus_is_shown_and_handed_on)
{
    operate_until(has_three_peers, NULL, "three voters, level, and a leader");
    ck_assert_int_eq(
        operate_shell(0, "awk '/follower/{print $2}' peers | head -1 > id"), 0);
    operate_until(hands_on, NULL, "a leader that hands on");
    operate_until(leads_now, NULL, "the one that it was handed to");
    /* Whom nobody knows. */
    ck_assert_int_eq(
        operate_shell(1, "$I operator raft remove-peer -id=nobody 2>&1 | "
                         "grep -q 'no such server'"),
        0);
    ck_assert_int_eq(operate_shell(1, "$I operator raft remove-peer 2>&1 | "
                                      "grep -q 'needed'"),
                     0);
}
END_TEST

/* ---- snapshots ------------------------------------------------------------ */

static bool is_back(void *arg)
{
    json_t *node = operate_json(*(size_t *)arg, "GET",
                                "/v1/catalog/node/kept?stale", NULL);
    bool back = json_is_object(node);

    json_decref(node);
    return back;
}

START_TEST(the_state_is_saved_and_comes_back)
{
    json_t *gone;
    size_t i;

    ck_assert(operate_do(0, "PUT", "/v1/catalog/register",
                         "{\"Node\":\"kept\",\"Address\":\"10.9.9.9\"}"));
    ck_assert_int_eq(operate_shell(1, "$I snapshot save a.snap | "
                                      "grep -q 'Saved and verified'"),
                     0);
    ck_assert_int_eq(operate_shell(1, "tar -xzf a.snap && "
                                      "sha256sum -c --quiet SHA256SUMS && "
                                      "grep -q Index meta.json"),
                     0);
    ck_assert_int_eq(operate_shell(1, "$I snapshot inspect a.snap | "
                                      "grep -q '^Nodes *4$'"),
                     0);
    ck_assert_int_eq(operate_shell(1, "$I snapshot inspect -format=json a.snap"
                                      " | grep -q '\"Nodes\": 4'"),
                     0);
    ck_assert_int_eq(operate_shell(1, "$I rtt -format=json n0 n1 | "
                                      "grep -q '\"Pool\": \"LAN\"'"),
                     0);
    ck_assert_int_eq(operate_shell(1, "$I reachability -format=json | "
                                      "grep -q '\"Missing\": \\[\\]'"),
                     0);
    ck_assert(operate_do(0, "PUT", "/v1/catalog/deregister",
                         "{\"Node\":\"kept\"}"));
    /* Damaged in any way, it changes nothing. */
    ck_assert_int_eq(operate_shell(1, "head -c 300 a.snap > cut.snap; "
                                      "$I snapshot restore cut.snap 2>&1 | "
                                      "grep -q 'not a snapshot'"),
                     0);
    ck_assert(!operate_do(1, "PUT", "/v1/snapshot", "nonsense"));
    ck_assert_int_eq(
        operate_shell(1, "echo x >> state.bin && tar -czf bad.snap meta.json "
                         "state.bin SHA256SUMS && "
                         "$I snapshot inspect bad.snap 2>&1 | "
                         "grep -q 'checksum does not match'"),
        0);
    gone = operate_json(0, "GET", "/v1/catalog/node/kept", NULL);
    ck_assert(!json_is_object(gone));
    json_decref(gone);
    ck_assert_int_eq(operate_shell(2, "$I snapshot restore a.snap"), 0);
    for (i = 0; i < OPERATE_SERVERS; i++)
        operate_until(is_back, &i, "what was saved, on every server");
}
END_TEST

/* Random text, so that the file is long, too. */
static void register_large(unsigned number)
{
    char output[40000];
    char *body;
    size_t i;
    uint32_t random = number * 2654435761u + 1;

    for (i = 0; i + 1 < sizeof(output); i++) {
        random = random * 1664525u + 1013904223u;
        output[i] = (char)('0' + (random >> 24) % 70);
        if (output[i] == '\\')
            output[i] = '/';
    }
    output[i] = '\0';
    body = base_asprintf("{\"Node\":\"large%u\",\"Address\":\"10.9.9.9\","
                         "\"Check\":{\"CheckID\":\"c\",\"Name\":\"c\","
                         "\"Status\":\"passing\",\"Output\":\"%s\"}}",
                         number, output);
    ck_assert(operate_do(0, "PUT", "/v1/catalog/register", body));
    base_free(body);
}

static bool knows_large(void *arg)
{
    json_t *checks = operate_json(*(size_t *)arg, "GET",
                                  "/v1/health/node/large39?stale", NULL);
    bool knows = json_array_size(checks) == 1;

    json_decref(checks);
    return knows;
}

static bool leads(void *arg)
{
    (void)arg;
    return operate_shell(0, "$I operator raft list-peers 2>/dev/null | "
                            "grep -q leader") == 0;
}

/* Longer than any other request, and than what one call carries; a server that
 * was down is given it, and one that dies on the way leaves the old state or
 * the new. */
START_TEST(a_large_state_comes_back_too)
{
    size_t i;

    for (i = 0; i < 40; i++)
        register_large((unsigned)i);
    ck_assert_int_eq(operate_shell(1, "$I snapshot save large.snap && "
                                      "test $(stat -c %s large.snap) -gt "
                                      "1000000"),
                     0);
    for (i = 0; i < 40; i++) {
        char *body = base_asprintf("{\"Node\":\"large%zu\"}", i);

        ck_assert(operate_do(0, "PUT", "/v1/catalog/deregister", body));
        base_free(body);
    }
    operate_kill(2);
    operate_until(leads, NULL, "a leader of two");
    ck_assert_int_eq(operate_shell(1, "$I snapshot restore large.snap"), 0);
    operate_start_alone(2);
    for (i = 0; i < OPERATE_SERVERS; i++)
        operate_until(knows_large, &i, "the large state, on every server");
    /* Killed at any moment of it. */
    ck_assert_int_eq(operate_shell(2, "$I snapshot restore large.snap & "
                                      "sleep 0.0$(date +%N | cut -c1-1)"),
                     0);
    operate_kill(2);
    operate_start_alone(2);
    operate_until(whole_again, NULL, "a server that is back");
    for (i = 0; i < OPERATE_SERVERS; i++)
        operate_until(knows_large, &i, "the large state, on every server");
}
END_TEST

static bool leads_alone(void *arg)
{
    (void)arg;
    return operate_shell(0, "$I operator raft list-peers > q 2>/dev/null && "
                            "test $(grep -c ' true ' q) = 1 && "
                            "grep -q leader q") == 0;
}

/* The last test: two of three servers are gone for good. */
START_TEST(a_lost_majority_is_recovered_by_a_list)
{
    size_t i;

    ck_assert(operate_do(0, "PUT", "/v1/catalog/register",
                         "{\"Node\":\"kept\",\"Address\":\"10.9.9.9\"}"));
    for (i = 1; i < OPERATE_SERVERS; i++)
        operate_kill(i);
    ck_assert_int_eq(operate_shell(0, "$I operator raft list-peers -stale "
                                      "-format=json > peers.all"),
                     0);
    ck_assert_int_eq(
        operate_shell(0, "python3 -c 'import json; print(json.dumps([{"
                         "\"id\": s[\"ID\"], \"address\": s[\"Address\"]} "
                         "for s in json.load(open(\"peers.all\"))"
                         "[\"Servers\"] if s[\"Node\"] == \"n0\"]))' "
                         "> list && grep -q id list || "
                         "cat peers.all >&2"),
        0);
    ck_assert_int_eq(operate_shell(0, "$I operator raft recover -data-dir=0 "
                                      "-peers=list 2>&1 | grep -q 'in use'"),
                     0);
    operate_kill(0);
    ck_assert_int_eq(
        operate_shell(0, "$I operator raft recover -data-dir=0 -peers=list"),
        0);
    operate_start_alone(0);
    operate_until(leads_alone, NULL, "a leader of the servers left");
    ck_assert_int_eq(operate_shell(0, "test -f 0/raft/peers.json.used && "
                                      "test ! -f 0/raft/peers.json"),
                     0);
    ck_assert(operate_do(0, "GET", "/v1/catalog/node/kept", NULL));
}
END_TEST

Suite *operate_suite(void)
{
    Suite *suite = suite_create("operate");
    TCase *tcase = tcase_create("three servers");

    tcase_set_timeout(tcase, 90);
    tcase_add_unchecked_fixture(tcase, operate_bed_start, operate_bed_stop);
    tcase_add_test(tcase, an_event_is_heard_by_all_under_one_id);
    tcase_add_test(tcase, an_event_that_cannot_go_to_all_is_refused);
    tcase_add_test(tcase, every_agent_tells_its_version);
    tcase_add_test(tcase, a_query_goes_to_those_who_were_meant);
    tcase_add_test(tcase, round_trips_are_estimated_in_both_pools);
    tcase_add_test(tcase, the_log_is_watched_and_let_go);
    tcase_add_test(tcase, consensus_is_shown_and_handed_on);
    tcase_add_test(tcase, the_state_is_saved_and_comes_back);
    tcase_add_test(tcase,
                   keys_rotate_and_a_killed_server_rejoins_with_the_new_one);
    tcase_add_test(tcase, a_large_state_comes_back_too);
    tcase_add_test(tcase, a_lost_majority_is_recovered_by_a_list);
    suite_add_tcase(suite, tcase);
    return suite;
}
