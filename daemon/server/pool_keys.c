/*
 * Key operations of a pool (gossip.md 3.7), and their outcome as a value that
 * crosses to the main loop.
 */
#include <string.h>

#include "base/alloc.h"
#include "server/pool_private.h"

struct keying {
    struct errand errand;
    enum gossip_key_operation operation;
    char *key;
    uint8_t relay_factor;
    bool answered; /* result was filled in */
    struct gossip_key_result result;
    pool_key_fn done;
    void *arg;
};

static char *copy(const char *text)
{
    return text ? base_strdup(text) : NULL;
}

static void free_counts(const struct gossip_key_count *counts, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        base_free_secret((char *)(uintptr_t)counts[i].key,
                         strlen(counts[i].key));
    base_free((void *)(uintptr_t)counts);
}

static void keying_free(struct errand *errand)
{
    struct keying *keying = (struct keying *)errand;
    struct gossip_key_result *result = &keying->result;
    size_t i;

    for (i = 0; i < result->message_count; i++) {
        base_free((char *)(uintptr_t)result->messages[i].node);
        base_free((char *)(uintptr_t)result->messages[i].text);
    }
    base_free((void *)(uintptr_t)result->messages);
    free_counts(result->keys, result->key_count);
    free_counts(result->primaries, result->primary_count);
    if (keying->key)
        base_free_secret(keying->key, strlen(keying->key));
    base_free(keying);
}

static void keying_home(struct errand *errand)
{
    struct keying *keying = (struct keying *)errand;

    keying->done(keying->arg, errand->status,
                 keying->answered ? &keying->result : NULL);
}

static struct gossip_key_count *
copy_counts(const struct gossip_key_count *counts, size_t count)
{
    struct gossip_key_count *out = base_calloc(count + 1, sizeof(*out));
    size_t i;

    for (i = 0; i < count; i++) {
        out[i].key = base_strdup(counts[i].key);
        out[i].nodes = counts[i].nodes;
    }
    return out;
}

static struct gossip_key_message *
copy_messages(const struct gossip_key_message *messages, size_t count)
{
    struct gossip_key_message *out = base_calloc(count + 1, sizeof(*out));
    size_t i;

    for (i = 0; i < count; i++) {
        out[i].node = base_strdup(messages[i].node);
        out[i].text = base_strdup(messages[i].text ? messages[i].text : "");
        out[i].failed = messages[i].failed;
    }
    return out;
}

static void on_keys(void *arg, int status,
                    const struct gossip_key_result *result)
{
    struct keying *keying = arg;

    keying->answered = true;
    keying->result = *result;
    keying->result.messages =
        copy_messages(result->messages, result->message_count);
    keying->result.keys = copy_counts(result->keys, result->key_count);
    keying->result.primaries =
        copy_counts(result->primaries, result->primary_count);
    errand_over(&keying->errand, status);
}

static void run_keying(struct errand *errand)
{
    struct keying *keying = (struct keying *)errand;
    int rv = gossip_serf_key(errand->pool->serf, keying->operation,
                             keying->key, keying->relay_factor, on_keys,
                             keying);

    if (rv != 0)
        errand_over(errand, rv);
}

int pool_key(struct pool *pool, enum gossip_key_operation operation,
             const char *key, uint8_t relay_factor, pool_key_fn done,
             void *arg)
{
    struct keying *keying;

    BASE_NEW(keying);
    keying->errand.run = run_keying;
    keying->errand.home = keying_home;
    keying->errand.drop = keying_free;
    keying->operation = operation;
    keying->key = copy(key);
    keying->relay_factor = relay_factor;
    keying->done = done;
    keying->arg = arg;
    return errand_send(pool, &keying->errand);
}
