/*
 * An HTTP/1.1 answer off a link: its status, and its body in pieces as they
 * come (RFC 9112 sections 4 and 6).
 */
#ifndef CLI_HTTP_ANSWER_H
#define CLI_HTTP_ANSWER_H

#include "base/buf.h"
#include "cli/http_link.h"

struct http_answer {
    struct http_link *link;
    struct base_buf buf; /* read, not yet used */
    int status;
    bool chunked, has_length;
    uint64_t length;
    uint64_t index; /* X-Consul-Index; 0: none */
};

/** The status line and the headers. A negative base_error with *why, a static
 * sentence. */
int http_answer_head(struct http_answer *answer, struct http_link *link,
                     const char **why);
/** The body; what is negative from sink ends it. *why as above. */
int http_answer_body(struct http_answer *answer,
                     int (*sink)(void *ctx, const void *data, size_t len),
                     void *ctx, const char **why);
void http_answer_close(struct http_answer *answer);

#endif
