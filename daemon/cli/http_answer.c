#include "cli/http_answer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"

#define HEAD_BYTES_MAX (64u * 1024u)
#define READ_BYTES (64u * 1024u)

static int fail(const char **why, int rv, const char *text)
{
    *why = text;
    return rv;
}

/* More bytes into the buffer: 1, or 0 at the end of the connection. */
static int fill(struct http_answer *answer, const char **why)
{
    ssize_t got =
        http_link_recv(answer->link, base_buf_reserve(&answer->buf, READ_BYTES),
                       READ_BYTES);

    if (got > 0)
        base_buf_commit(&answer->buf, (size_t)got);
    if (got >= 0)
        return got > 0;
    return fail(why, (int)got,
                got == BASE_ETIMEOUT   ? "timed out"
                : got == BASE_ECLOSED ? "its time is over"
                : answer->link->refusal ? answer->link->refusal
                                      : "connection reset");
}

/* A line without its end, as text in the buffer; consume len + 1 after use. */
static int line(struct http_answer *answer, char **text, size_t *len,
                const char **why)
{
    char *end;
    int rv;

    for (;;) {
        *text = (char *)(uintptr_t)base_buf_data(&answer->buf);
        end = memchr(*text, '\n', base_buf_len(&answer->buf));
        if (end)
            break;
        if (base_buf_len(&answer->buf) > HEAD_BYTES_MAX)
            return fail(why, BASE_EPARSE, "not an HTTP answer");
        rv = fill(answer, why);
        if (rv <= 0)
            return rv < 0 ? rv
                          : fail(why, BASE_ERESET, "connection closed");
    }
    *len = (size_t)(end - *text);
    *end = '\0';
    if (*len > 0 && end[-1] == '\r')
        end[-1] = '\0';
    return 0;
}

static bool is_key(const char *header, const char *key, const char **value)
{
    size_t len = strlen(key);

    if (strncasecmp(header, key, len) != 0 || header[len] != ':')
        return false;
    *value = header + len + 1 + strspn(header + len + 1, " \t");
    return true;
}

static bool parse_number(const char *text, int base, uint64_t *out)
{
    char *end;

    if (strchr("0123456789abcdefABCDEF", *text) == NULL || *text == '\0')
        return false;
    *out = strtoull(text, &end, base);
    return *out < UINT64_MAX / 2 && (*end == '\0' || *end == ';');
}

static int take_header(struct http_answer *answer, const char *header,
                       const char **why)
{
    const char *value;

    if (is_key(header, "Content-Length", &value)) {
        answer->has_length = parse_number(value, 10, &answer->length);
        return answer->has_length
                   ? 0
                   : fail(why, BASE_EPARSE, "a malformed Content-Length");
    }
    if (is_key(header, "X-Consul-Index", &value))
        answer->index = strtoull(value, NULL, 10);
    if (is_key(header, "Transfer-Encoding", &value))
        answer->chunked = strcasecmp(value, "chunked") == 0;
    return 0;
}

int http_answer_head(struct http_answer *answer, struct http_link *link,
                     const char **why)
{
    size_t total = 0, len;
    char *text;
    int rv;

    *answer = (struct http_answer){.link = link, .buf = BASE_BUF_INIT};
    rv = line(answer, &text, &len, why);
    if (rv == 0 && (strncmp(text, "HTTP/1.", 7) != 0 || len < 12 ||
                    (answer->status = atoi(text + 9)) < 200))
        rv = fail(why, BASE_EPARSE, "not an HTTP answer");
    while (rv == 0 && *text != '\0') {
        base_buf_consume(&answer->buf, len + 1);
        total += len;
        rv = total > HEAD_BYTES_MAX
                 ? fail(why, BASE_EPARSE, "the answer's header is too long")
                 : line(answer, &text, &len, why);
        if (rv == 0)
            rv = take_header(answer, text, why);
    }
    if (rv == 0)
        base_buf_consume(&answer->buf, len + 1);
    return rv;
}

/* So many bytes of the body; all that come with UINT64_MAX. */
static int pass_on(struct http_answer *answer, uint64_t left,
                   int (*sink)(void *ctx, const void *data, size_t len),
                   void *ctx, const char **why)
{
    bool to_the_end = left == UINT64_MAX;
    int rv;

    while (left > 0) {
        size_t len = base_buf_len(&answer->buf);

        if (len > left)
            len = (size_t)left;
        if (len > 0) {
            rv = sink(ctx, base_buf_data(&answer->buf), len);
            if (rv < 0)
                return fail(why, rv, "the answer is too long");
            base_buf_consume(&answer->buf, len);
            left -= to_the_end ? 0 : len;
            continue;
        }
        rv = fill(answer, why);
        if (rv < 0)
            return rv;
        if (rv == 0)
            return to_the_end ? 0
                              : fail(why, BASE_ERESET, "connection closed");
    }
    return 0;
}

static int chunks(struct http_answer *answer,
                  int (*sink)(void *ctx, const void *data, size_t len),
                  void *ctx, const char **why)
{
    uint64_t size = 1;
    size_t len;
    char *text;
    int rv;

    while (size > 0) {
        rv = line(answer, &text, &len, why);
        if (rv == 0 && !parse_number(text, 16, &size))
            rv = fail(why, BASE_EPARSE, "a malformed chunk");
        if (rv < 0)
            return rv;
        base_buf_consume(&answer->buf, len + 1);
        rv = pass_on(answer, size, sink, ctx, why);
        if (rv == 0 && size > 0)
            rv = line(answer, &text, &len, why);
        if (rv < 0)
            return rv;
        if (size > 0)
            base_buf_consume(&answer->buf, len + 1);
    }
    return 0; /* trailers say nothing to us */
}

int http_answer_body(struct http_answer *answer,
                     int (*sink)(void *ctx, const void *data, size_t len),
                     void *ctx, const char **why)
{
    if (answer->status == 204 || answer->status == 304)
        return 0;
    if (answer->chunked)
        return chunks(answer, sink, ctx, why);
    return pass_on(answer, answer->has_length ? answer->length : UINT64_MAX,
                   sink, ctx, why);
}

void http_answer_close(struct http_answer *answer)
{
    base_buf_close(&answer->buf);
}
