/*
 * Key operations that reach us: the keyring is changed at once, then the file
 * is written by the bulk worker, and only then comes the answer, since a yes
 * promises that a restart keeps it (gossip.md 3.7).
 */
#include "serf/core.h"

#include <stdio.h>

#include "base/alloc.h"
#include "serf/keyring_file.h"

#define LISTED_KEY_BYTES 25u /* what a key of 16 bytes takes in a list */

/* One write; the worker touches path, text and status only. */
struct serf_key_write {
    struct gossip_serf *serf; /* NULL once closed */
    struct serf_key_write *next;
    uint64_t question;
    char *path;
    struct base_buf text;
    int status;
};

static int send(struct gossip_serf *serf, uint64_t question,
                const struct serf_msg_key_response *msg)
{
    struct base_buf out = BASE_BUF_INIT;
    int rv;

    serf_put_key_response(&out, msg);
    rv = serf_question_answer(serf, question, base_buf_data(&out),
                              base_buf_len(&out));
    base_buf_close(&out);
    return rv;
}

static void answer(struct gossip_serf *serf, uint64_t question,
                   const char *problem)
{
    struct serf_msg_key_response msg = {.result = problem == NULL,
                                        .message =
                                            mp_str_of(problem ? problem : "")};

    (void)send(serf, question, &msg);
}

static void free_write(struct serf_key_write *write)
{
    if (write->text.bytes != NULL)
        explicit_bzero(write->text.bytes, write->text.cap);
    base_buf_close(&write->text);
    base_free(write->path);
    base_free(write);
}

static void on_write(void *arg)
{
    struct serf_key_write *write = arg;

    write->status =
        serf_keyring_write(write->path, base_buf_data(&write->text),
                           base_buf_len(&write->text));
}

static void unlink_write(struct serf_key_write *write)
{
    struct serf_key_write **at = &write->serf->key_writes;

    while (*at != write)
        at = &(*at)->next;
    *at = write->next;
    write->serf = NULL;
}

static void on_written(void *arg)
{
    struct serf_key_write *write = arg;
    struct gossip_serf *serf = write->serf;

    if (serf != NULL) {
        unlink_write(write);
        if (write->status < 0)
            base_log(&serf->log, BASE_LOG_ERROR, "keyring file not written",
                     kv_str("path", write->path),
                     kv_str("error", gossip_strerror(write->status)));
        answer(serf, write->question,
               write->status < 0 ? "the keyring file could not be written"
                                 : NULL);
    }
    free_write(write);
}

static void save_and_answer(struct gossip_serf *serf, uint64_t question)
{
    struct serf_key_write *write;

    if (serf->cfg.keyring_path == NULL) {
        answer(serf, question, NULL);
        return;
    }
    BASE_NEW(write);
    write->question = question;
    write->path = base_strdup(serf->cfg.keyring_path);
    serf_keyring_format(&write->text, serf->cfg.keyring);
    if (base_env_submit(serf->env, BASE_WORKER_BULK, on_write, on_written,
                        write) < 0) {
        free_write(write);
        answer(serf, question, "the disk is too busy for the keyring file");
        return;
    }
    write->serf = serf;
    write->next = serf->key_writes;
    serf->key_writes = write;
}

void serf_key_writes_close(struct gossip_serf *serf)
{
    while (serf->key_writes != NULL) {
        struct serf_key_write *write = serf->key_writes;

        unlink_write(write);
        if (serf_env_has_ended(serf->env))
            free_write(write);
    }
}

static void change(struct gossip_serf *serf,
                   enum gossip_key_operation operation, uint64_t question,
                   struct mp_bytes key)
{
    struct gossip_keyring *keyring = serf->cfg.keyring;
    int rv;

    switch (operation) {
    case GOSSIP_KEY_INSTALL:
        rv = gossip_keyring_add(keyring, key.data, key.len);
        break;
    case GOSSIP_KEY_USE:
        rv = gossip_keyring_use(keyring, key.data, key.len);
        break;
    default:
        rv = gossip_keyring_remove(keyring, key.data, key.len);
    }
    base_log(&serf->log, rv < 0 ? BASE_LOG_WARN : BASE_LOG_INFO,
             "keyring changed by the pool", kv_int("operation", operation),
             kv_str("result", rv < 0 ? gossip_strerror(rv) : "done"));
    if (rv < 0)
        answer(serf, question, gossip_strerror(rv));
    else
        save_and_answer(serf, question);
}

/* As many keys as fit an answer, and words when those are not all. */
static void list(struct gossip_serf *serf, uint64_t question)
{
    const struct gossip_keyring *keyring = serf->cfg.keyring;
    size_t total = gossip_keyring_count(keyring);
    size_t limit = serf->cfg.query_response_bytes_max / LISTED_KEY_BYTES;
    struct serf_msg_key_response msg = {.result = true};
    char *texts[GOSSIP_KEYS_MAX];
    char message[80] = "";
    size_t i;

    for (i = 0; i < total; i++) {
        texts[i] = gossip_key_format(gossip_keyring_at(keyring, i));
        msg.keys[i] = mp_str_of(texts[i]);
    }
    msg.primary = msg.keys[0];
    msg.key_count = (uint32_t)(total < limit ? total : limit);
    for (;;) {
        if (msg.key_count < total)
            snprintf(message, sizeof(message),
                     "list cut to %u of %zu keys to fit one answer",
                     (unsigned)msg.key_count, total);
        msg.message = mp_str_of(message);
        if (send(serf, question, &msg) != GOSSIP_ETOOBIG || msg.key_count == 0)
            break;
        msg.key_count--;
    }
    for (i = 0; i < total; i++)
        base_free_secret(texts[i], strlen(texts[i]));
}

void serf_key_answer(struct gossip_serf *serf,
                     enum gossip_key_operation operation, uint64_t question,
                     const void *payload, size_t len)
{
    struct mp_scratch scratch = {NULL};
    struct mp_bytes key;

    if (serf->cfg.keyring == NULL ||
        gossip_keyring_count(serf->cfg.keyring) == 0)
        answer(serf, question, "the pool of this node is not encrypted");
    else if (operation == GOSSIP_KEY_LIST)
        list(serf, question);
    else if (serf_get_key_request(&key, payload, len, &scratch) < 0)
        answer(serf, question, "malformed key request");
    else
        change(serf, operation, question, key);
    mp_scratch_close(&scratch);
}
