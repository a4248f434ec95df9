/* User events, remembered for those who ask later. */
#include "server/event_log.h"

#include <assert.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"

static void entry_close(struct event_entry *entry)
{
    base_free(entry->name);
    base_free(entry->payload);
    memset(entry, 0, sizeof(*entry));
}

void event_id(const char *name, const void *payload, size_t len,
              uint64_t ltime, char out[UUID_TEXT])
{
    struct base_buf text = BASE_BUF_INIT;
    uint8_t digest[EVP_MAX_MD_SIZE];
    int rv;

    base_buf_append_u64be(&text, ltime);
    base_buf_append(&text, name, strlen(name) + 1);
    base_buf_append(&text, payload, len);
    rv = EVP_Digest(base_buf_data(&text), base_buf_len(&text), digest, NULL,
                    EVP_sha256(), NULL);
    assert(rv == 1);
    (void)rv;
    base_buf_close(&text);
    uuid_format(digest, out);
}

void event_log_add(struct event_log *log, const struct gossip_event *event)
{
    struct event_entry *entry = &log->entries[log->seen++ % EVENT_LOG_MAX];

    entry_close(entry);
    entry->name = base_strdup(event->name);
    entry->payload = event->payload_len > 0
                         ? base_memdup(event->payload, event->payload_len)
                         : NULL;
    entry->payload_len = event->payload_len;
    entry->ltime = event->ltime;
    event_id(entry->name, entry->payload, entry->payload_len, entry->ltime,
             entry->id);
    if (log->heard)
        log->heard(log->heard_ctx);
}

void event_log_close(struct event_log *log)
{
    size_t i;

    for (i = 0; i < EVENT_LOG_MAX; i++)
        entry_close(&log->entries[i]);
}

size_t event_log_count(const struct event_log *log)
{
    return log->seen < EVENT_LOG_MAX ? (size_t)log->seen : EVENT_LOG_MAX;
}

const struct event_entry *event_log_at(const struct event_log *log,
                                       size_t position)
{
    size_t count = event_log_count(log);

    assert(position < count);
    return &log->entries[(log->seen - count + position) % EVENT_LOG_MAX];
}
