/*
 * A blocking client of an agent's HTTP API, for commands: one request after
 * the other, each on its own connection.
 *
 * The agent is -http-addr, else ISTHMUS_HTTP_ADDR, else CONSUL_HTTP_ADDR, else
 * 127.0.0.1:8500; the token -token, else -token-file, else the variables
 * ISTHMUS_HTTP_TOKEN, CONSUL_HTTP_TOKEN, and the same with _FILE. An address
 * that begins with https://, or the variable ..._HTTP_SSL, asks for TLS; one
 * that begins with unix:// is the path of a Unix socket.
 * Threads: one at a time per object.
 */
#ifndef CLI_HTTP_CLIENT_H
#define CLI_HTTP_CLIENT_H

#include <jansson.h>
#include <stddef.h>

#include "base/addr.h"
#include "cli/args.h"
#include "https/https.h"

/** What the flags said; NULL where there was none. */
struct http_options {
    const char *addr;
    const char *token;
    const char *token_file;
    const char *ca_file, *client_cert, *client_key, *tls_server_name;
};

/** Rows for a command's table of flags. */
#define HTTP_FLAGS(options)                                                    \
    {"http-addr", ARGS_TEXT, &(options).addr, "ADDRESS",                       \
     "the agent's HTTP API; default: 127.0.0.1:8500, or the environment's "    \
     "ISTHMUS_HTTP_ADDR or CONSUL_HTTP_ADDR"},                                 \
        {"token", ARGS_TEXT, &(options).token, "TOKEN",                        \
         "access token; default: the environment's ISTHMUS_HTTP_TOKEN or "     \
         "CONSUL_HTTP_TOKEN"},                                                 \
        {"token-file", ARGS_TEXT, &(options).token_file, "FILE",               \
         "file that holds the access token"},                                  \
        {"ca-file", ARGS_TEXT, &(options).ca_file, "FILE",                     \
         "authority that signed the certificate of an https agent; default: "  \
         "ISTHMUS_CACERT or CONSUL_CACERT"},                                   \
        {"client-cert", ARGS_TEXT, &(options).client_cert, "FILE",             \
         "certificate to show; default: ISTHMUS_CLIENT_CERT or "               \
         "CONSUL_CLIENT_CERT"},                                                \
        {"client-key", ARGS_TEXT, &(options).client_key, "FILE",               \
         "its key; default: ISTHMUS_CLIENT_KEY or CONSUL_CLIENT_KEY"},         \
    {                                                                          \
        "tls-server-name", ARGS_TEXT, &(options).tls_server_name, "NAME",      \
            "name that the certificate must have; default: "                   \
            "ISTHMUS_TLS_SERVER_NAME or CONSUL_TLS_SERVER_NAME, or the host"   \
    }

/** Where to go and as whom. All is owned. */
struct http_target {
    char *host;    /* NULL: a Unix socket at path */
    uint16_t port;
    char *path;
    char *token; /* "" if none */
    struct https *https; /* NULL: plain */
};

/** The files that the flags or the environment name; borrowed from them. */
struct https_config http_tls_of(const struct http_options *options);
/** Resolves options against the environment. BASE_EINVAL or BASE_EIO with a
 * sentence in *why, the caller's. */
int http_target_init(struct http_target *target,
                     const struct http_options *options, char **why);
void http_target_close(struct http_target *target);
/** The first address of its host. BASE_ENOTFOUND with *why, BASE_EINVAL for a
 * Unix socket. */
int http_target_addr(const struct http_target *target, struct base_addr *out,
                     char **why);

/** What the agent answered, whatever its status. */
struct http_reply {
    int status;
    uint64_t index; /* of a blocking query (X-Consul-Index); 0: none */
    char *body;     /* NUL-terminated, owned */
    size_t len;
};
void http_reply_close(struct http_reply *reply);

#define HTTP_TIMEOUT_S 60 /* leaving takes as long as its broadcasts do */
#define HTTP_BODY_BYTES_MAX (1u << 30) /* a snapshot */

/** method is "GET", "PUT", "POST" or "DELETE"; path begins with "/" and is escaped already.
 * A negative base_error with *why if there was no answer. */
int http_call(const struct http_target *target, const char *method,
              const char *path, struct http_reply *out, char **why);
/** The same, and anything but status 200 is an error too: BASE_ENOTFOUND for
 * 404, BASE_EACCESS for 401 and 403, else BASE_EIO; *why says what the agent
 * said. out may be NULL if the body does not matter; else it is JSON, the
 * caller's (json_decref). */
int http_json(const struct http_target *target, const char *method,
              const char *path, json_t **out, char **why);
/** As http_json(), with a body, JSON or not; len bytes, borrowed. */
int http_json_body(const struct http_target *target, const char *method,
                   const char *path, const void *body, size_t len,
                   json_t **out, char **why);

#define HTTP_LINE_BYTES_MAX (1u << 20)
/** Hands out an answer of status 200 line by line, as it comes (no newline),
 * until it ends, or for limit_ms (0: no limit); a longer line than
 * HTTP_LINE_BYTES_MAX is an error. Other statuses and *why as for http_json().
 */
int http_lines(const struct http_target *target, const char *method,
               const char *path, const void *body, size_t len,
               uint32_t limit_ms,
               void (*on_line)(void *ctx, const char *line), void *ctx,
               char **why);
/** text as one segment of a path or one value of a query; the caller's. */
char *http_escape(const char *text);

#endif
