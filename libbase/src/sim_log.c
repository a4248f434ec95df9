/*
 * The event log of a world: one line an event, "<ns> <host/env> <kind>
 * <detail>", gathered in batches, hashed, and copied to a file if somebody
 * wants to read it. Lines hold nothing that differs between two equal runs.
 */
#include <assert.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/alloc.h"
#include "sim_internal.h"

#define LINE_BYTES_MAX 1024u /* longer ones are cut */
#define BATCH_BYTES (64u * 1024u)

struct sim_log {
    EVP_MD_CTX *sha;
    FILE *file;
    size_t len;      /* in batch */
    size_t line_end; /* where the open line must have ended */
    uint64_t stamp_ns;
    size_t stamp_len; /* stamp_ns as text, kept: many lines share it */
    char stamp[24];
    char batch[BATCH_BYTES];
};

struct sim_log *sim_log_new(void)
{
    struct sim_log *log = base_alloc(sizeof(*log));
    int rv;

    log->sha = EVP_MD_CTX_new();
    assert(log->sha != NULL);
    rv = EVP_DigestInit_ex(log->sha, EVP_sha256(), NULL);
    assert(rv == 1);
    (void)rv;
    log->file = NULL;
    log->len = 0;
    log->line_end = 0;
    log->stamp_ns = 0;
    log->stamp_len = 0;
    return log;
}

static void flush(struct sim_log *log)
{
    if (log->len == 0)
        return;
    EVP_DigestUpdate(log->sha, log->batch, log->len);
    if (log->file != NULL) {
        fwrite(log->batch, 1, log->len, log->file);
        fflush(log->file);
    }
    log->len = 0;
}

void sim_log_free(struct sim_log *log)
{
    flush(log);
    EVP_MD_CTX_free(log->sha);
    base_free(log);
}

void base_sim_set_log(struct base_sim *sim, FILE *file)
{
    flush(sim->log);
    sim->log->file = file;
}

void base_sim_digest(const struct base_sim *sim, char out[65])
{
    static const char hex[] = "0123456789abcdef";
    const struct sim_log *log = sim->log;
    EVP_MD_CTX *copy = EVP_MD_CTX_new();
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned i;
    bool ok;

    assert(copy != NULL);
    ok = EVP_MD_CTX_copy_ex(copy, log->sha) == 1 &&
         EVP_DigestUpdate(copy, log->batch, log->len) == 1 &&
         EVP_DigestFinal_ex(copy, sum, NULL) == 1;
    assert(ok);
    (void)ok;
    EVP_MD_CTX_free(copy);
    for (i = 0; i < 32; i++) {
        out[2 * i] = hex[sum[i] >> 4];
        out[2 * i + 1] = hex[sum[i] & 15];
    }
    out[64] = '\0';
}

static void put(struct sim_log *log, const char *text, size_t len)
{
    size_t room = log->line_end - log->len;

    if (len > room)
        len = room;
    memcpy(log->batch + log->len, text, len);
    log->len += len;
}

/* At most 20 digits. */
static size_t decimal(char *out, uint64_t number)
{
    uint64_t rest = number;
    size_t len = 1;
    size_t i;

    while ((rest /= 10) > 0)
        len++;
    for (i = len; i-- > 0; number /= 10)
        out[i] = (char)('0' + number % 10);
    return len;
}

bool sim_log_begin(struct base_sim *sim, const char *label, const char *kind)
{
    struct sim_log *log = sim->log;

    if (!sim->logging)
        return false;
    if (log->len + LINE_BYTES_MAX + 1 > BATCH_BYTES)
        flush(log);
    log->line_end = log->len + LINE_BYTES_MAX;
    if (log->stamp_len == 0 || log->stamp_ns != sim->now_ns) {
        log->stamp_ns = sim->now_ns;
        log->stamp_len = decimal(log->stamp, sim->now_ns);
    }
    put(log, log->stamp, log->stamp_len);
    put(log, " ", 1);
    put(log, label, strlen(label));
    put(log, " ", 1);
    put(log, kind, strlen(kind));
    put(log, " ", 1);
    return true;
}

void sim_log_text(struct base_sim *sim, const char *text)
{
    put(sim->log, text, strlen(text));
}

void sim_log_number(struct base_sim *sim, uint64_t number)
{
    char digits[24];

    put(sim->log, digits, decimal(digits, number));
}

static void put_ip4(struct sim_log *log, const struct base_addr *addr)
{
    char text[48];
    size_t len = 0;
    size_t i;

    for (i = 0; i < 4; i++) {
        len += decimal(text + len, addr->ip[i]);
        text[len++] = i < 3 ? '.' : ':';
    }
    len += decimal(text + len, addr->port);
    put(log, text, len);
}

void sim_log_addr(struct base_sim *sim, const struct base_addr *addr)
{
    char text[BASE_ADDR_TEXT_MAX];

    if (addr->family == 4)
        put_ip4(sim->log, addr);
    else
        sim_log_text(sim, base_addr_format(addr, text));
}

void sim_log_format(struct base_sim *sim, const char *format, va_list args)
{
    char text[LINE_BYTES_MAX];
    char *at;

    vsnprintf(text, sizeof(text), format, args);
    for (at = text; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ')
            *at = '?'; /* a line stays a line */
    }
    sim_log_text(sim, text);
}

void sim_log_end(struct base_sim *sim)
{
    struct sim_log *log = sim->log;

    log->batch[log->len++] = '\n';
    sim->stats.lines++;
    if (log->file != NULL)
        flush(log); /* a person reads: show all up to the assert that failed */
}

void sim_log_line(struct base_sim *sim, const char *label, const char *kind,
                  const char *text)
{
    if (!sim_log_begin(sim, label, kind))
        return;
    sim_log_text(sim, text);
    sim_log_end(sim);
}

void sim_log_traffic(struct base_sim *sim, const char *label, const char *kind,
                     const struct base_addr *from, const struct base_addr *to,
                     size_t bytes)
{
    if (!sim_log_begin(sim, label, kind))
        return;
    sim_log_addr(sim, from);
    sim_log_text(sim, ">");
    sim_log_addr(sim, to);
    sim_log_text(sim, " ");
    sim_log_number(sim, bytes);
    sim_log_end(sim);
}

void base_sim_note(struct base_sim *sim, const char *format, ...)
{
    va_list args;

    if (!sim_log_begin(sim, "-", "note"))
        return;
    va_start(args, format);
    sim_log_format(sim, format, args);
    va_end(args);
    sim_log_end(sim);
}
