/* Key rotation across a simulated pool, with keyring files. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "serf_pool.h"
#include "suite.h"

#define OLD_KEY "MDEyMzQ1Njc4OWFiY2RlZg=="
#define NEW_KEY "ZmVkY2JhOTg3NjU0MzIxMA=="
#define NODES 4

static char folder[64];

struct outcome {
    bool done;
    int status;
    size_t responses, errors, keys, primaries, messages;
    size_t nodes_of_first;
    char first[64];
    char message[128];
};

static void on_keys(void *arg, int status,
                    const struct gossip_key_result *result)
{
    struct outcome *outcome = arg;

    *outcome = (struct outcome){.done = true,
                                .status = status,
                                .responses = result->response_count,
                                .errors = result->error_count,
                                .keys = result->key_count,
                                .primaries = result->primary_count,
                                .messages = result->message_count};
    if (result->key_count > 0) {
        outcome->nodes_of_first = result->keys[0].nodes;
        snprintf(outcome->first, sizeof(outcome->first), "%s",
                 result->keys[0].key);
    }
    if (result->message_count > 0)
        snprintf(outcome->message, sizeof(outcome->message), "%s",
                 result->messages[0].text);
}

static bool is_done(void *arg)
{
    return ((struct outcome *)arg)->done;
}

static struct outcome run(struct serf_pool *pool,
                          enum gossip_key_operation operation, const char *key)
{
    struct outcome outcome = {.done = false};

    ck_assert_int_eq(gossip_serf_key(pool->nodes[0].serf, operation, key, 0,
                                     on_keys, &outcome),
                     0);
    ck_assert(!outcome.done);
    serf_pool_until(pool, is_done, &outcome, 30000);
    return outcome;
}

static char *path_of(size_t index)
{
    return base_asprintf("%s/keys-%zu", folder, index);
}

static struct serf_pool *new_pool(uint64_t seed)
{
    struct serf_pool *pool = serf_pool_new(seed, NODES);
    size_t i;

    strcpy(folder, "/tmp/serf-keys-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    for (i = 0; i < NODES; i++) {
        pool->nodes[i].keyring = gossip_keyring_new();
        gossip_keyring_add(pool->nodes[i].keyring, "0123456789abcdef", 16);
        pool->nodes[i].config.keyring_path = path_of(i);
    }
    serf_pool_form(pool);
    return pool;
}

static void end(struct serf_pool *pool)
{
    size_t i;
    char *paths[NODES];

    for (i = 0; i < NODES; i++)
        paths[i] = (char *)(uintptr_t)pool->nodes[i].config.keyring_path;
    serf_pool_free(pool);
    for (i = 0; i < NODES; i++) {
        unlink(paths[i]);
        base_free(paths[i]);
    }
    rmdir(folder);
}

START_TEST(rotation)
{
    struct serf_pool *pool = new_pool(1);
    struct gossip_keyring *stored = gossip_keyring_new();
    struct outcome outcome = run(pool, GOSSIP_KEY_INSTALL, NEW_KEY);
    size_t i;

    ck_assert_int_eq(outcome.status, 0);
    ck_assert_uint_eq(outcome.responses, NODES);
    outcome = run(pool, GOSSIP_KEY_LIST, NULL);
    ck_assert_uint_eq(outcome.keys, 2);
    ck_assert_uint_eq(outcome.primaries, 1);
    ck_assert_str_eq(outcome.first, OLD_KEY);
    ck_assert_uint_eq(outcome.nodes_of_first, NODES);
    ck_assert_int_eq(run(pool, GOSSIP_KEY_USE, NEW_KEY).status, 0);
    ck_assert_int_eq(run(pool, GOSSIP_KEY_REMOVE, OLD_KEY).status, 0);
    outcome = run(pool, GOSSIP_KEY_LIST, NULL);
    ck_assert_uint_eq(outcome.keys, 1);
    ck_assert_str_eq(outcome.first, NEW_KEY);
    for (i = 0; i < NODES; i++) {
        gossip_keyring_free(stored);
        stored = gossip_keyring_new();
        ck_assert_int_eq(
            gossip_keyring_load(stored, pool->nodes[i].config.keyring_path),
            0);
        ck_assert_uint_eq(gossip_keyring_count(stored), 1);
        ck_assert_mem_eq(gossip_keyring_at(stored, 0)->bytes,
                         "fedcba9876543210", 16);
    }
    gossip_keyring_free(stored);
    serf_pool_run_ms(pool, 30000);
    for (i = 0; i < NODES; i++)
        serf_pool_await(pool, i, GOSSIP_MEMBER_ALIVE, 1);
    end(pool);
}
END_TEST

START_TEST(nodes_that_say_no_fail_it)
{
    struct serf_pool *pool = new_pool(2);
    struct outcome outcome = run(pool, GOSSIP_KEY_USE, NEW_KEY);

    ck_assert_int_eq(outcome.status, GOSSIP_EREMOTE);
    ck_assert_uint_eq(outcome.errors, NODES);
    ck_assert_uint_eq(outcome.messages, NODES);
    ck_assert_str_eq(outcome.message, gossip_strerror(GOSSIP_ENOKEY));
    ck_assert_int_eq(run(pool, GOSSIP_KEY_REMOVE, OLD_KEY).status,
                     GOSSIP_EREMOTE);
    ck_assert_int_eq(gossip_serf_key(pool->nodes[0].serf, GOSSIP_KEY_INSTALL,
                                     "AAAA", 0, on_keys, &outcome),
                     GOSSIP_EKEY);
    ck_assert_int_eq(gossip_serf_key(pool->nodes[0].serf, GOSSIP_KEY_INSTALL,
                                     NULL, 0, on_keys, &outcome),
                     GOSSIP_EINVAL);
    end(pool);
}
END_TEST

START_TEST(node_that_does_not_answer_fails_it)
{
    struct serf_pool *pool = new_pool(3);
    struct outcome outcome;

    serf_pool_kill(pool, 3);
    outcome = run(pool, GOSSIP_KEY_INSTALL, NEW_KEY);
    ck_assert_int_eq(outcome.status, GOSSIP_ETIMEOUT);
    ck_assert_uint_eq(outcome.responses, NODES - 1);
    end(pool);
}
END_TEST

START_TEST(disk_that_fails_is_told)
{
    struct serf_pool *pool = new_pool(4);
    struct outcome outcome;

    /* A folder in its place. */
    unlink(pool->nodes[2].config.keyring_path);
    ck_assert_int_eq(mkdir(pool->nodes[2].config.keyring_path, 0700), 0);
    outcome = run(pool, GOSSIP_KEY_INSTALL, NEW_KEY);
    ck_assert_int_eq(outcome.status, GOSSIP_EREMOTE);
    ck_assert_uint_eq(outcome.errors, 1);
    rmdir(pool->nodes[2].config.keyring_path);
    end(pool);
}
END_TEST

START_TEST(long_list_is_cut_to_fit)
{
    struct serf_pool *pool = new_pool(5);
    struct outcome outcome;
    uint8_t key[32] = {0};
    size_t i;

    for (i = 1; i < GOSSIP_KEYS_MAX; i++) {
        key[0] = (uint8_t)i;
        gossip_keyring_add(pool->nodes[0].keyring, key, sizeof(key));
        gossip_keyring_add(pool->nodes[1].keyring, key, sizeof(key));
    }
    outcome = run(pool, GOSSIP_KEY_LIST, NULL);
    ck_assert_int_eq(outcome.status, 0);
    ck_assert_uint_eq(outcome.responses, NODES);
    ck_assert_uint_ge(outcome.keys, 15);
    ck_assert_uint_lt(outcome.keys, GOSSIP_KEYS_MAX);
    ck_assert_uint_eq(outcome.messages, 2);
    end(pool);
}
END_TEST

START_TEST(pool_without_encryption_says_so)
{
    struct serf_pool *pool = serf_pool_new(6, NODES);
    struct outcome outcome;

    serf_pool_form(pool);
    outcome = run(pool, GOSSIP_KEY_LIST, NULL);
    ck_assert_int_eq(outcome.status, GOSSIP_EREMOTE);
    ck_assert_uint_eq(outcome.errors, NODES);
    serf_pool_free(pool);
}
END_TEST

Suite *serf_keys_suite(void)
{
    Suite *suite = suite_create("serf-keys");
    TCase *tcase = tcase_create("keys");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, rotation);
    tcase_add_test(tcase, nodes_that_say_no_fail_it);
    tcase_add_test(tcase, node_that_does_not_answer_fails_it);
    tcase_add_test(tcase, disk_that_fails_is_told);
    tcase_add_test(tcase, long_list_is_cut_to_fit);
    tcase_add_test(tcase, pool_without_encryption_says_so);
    suite_add_tcase(suite, tcase);
    return suite;
}
