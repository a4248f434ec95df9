/*
 * From the flags of `isthmus tls cert create` to the names and uses that the
 * certificate gets (federation.md section 12).
 */
#ifndef CLI_TLS_REQUEST_H
#define CLI_TLS_REQUEST_H

#include "cli/args.h"
#include "cli/tls_make.h"

struct tls_line {
    bool server, client, cli; /* exactly one of them */
    const char *dc, *domain, *node;
    uint32_t days;
    struct args_list names, ips; /* -additional-... */
    const char *ca, *key;        /* files; NULL: by the domain's name */
};

/** The request, with the memory that it points to. */
struct tls_request {
    struct tls_cert_request cert;
    const char **names;
    const char **ips;
    char *own[2]; /* names that were put together */
};

/** What is wrong with the flags, as a sentence of the caller's; NULL: nothing.
 */
char *tls_line_fault(const struct tls_line *line);
/** "server", "client" or "cli". */
const char *tls_line_kind(const struct tls_line *line);
/** Of a line without fault; line stays alive. */
void tls_request_init(struct tls_request *request, const struct tls_line *line);
void tls_request_close(struct tls_request *request);

#endif
