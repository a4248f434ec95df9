/*
 * Which agent a command talks to: flags before the environment, the project's
 * own variables before Consul's.
 */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/alloc.h"
#include "base/error.h"
#include "cli/http_client.h"

#define DEFAULT_ADDR "127.0.0.1:8500"
#define DEFAULT_PORT 8500
#define UNIX "unix://"

/* The flag, else the first variable that is set and not empty, else NULL. */
static const char *pick(const char *flag, const char *ours, const char *theirs)
{
    const char *value = flag;

    if (value == NULL || *value == '\0')
        value = getenv(ours);
    if (value == NULL || *value == '\0')
        value = getenv(theirs);
    return value != NULL && *value != '\0' ? value : NULL;
}

static int read_token(const char *path, char **out, char **why)
{
    char line[512];
    FILE *file = fopen(path, "re");

    if (file == NULL || fgets(line, sizeof(line), file) == NULL) {
        *why = base_asprintf("-token-file \"%s\": %s", path,
                             errno != 0 ? strerror(errno) : "empty");
        if (file != NULL)
            fclose(file);
        return BASE_EIO;
    }
    fclose(file);
    line[strcspn(line, "\r\n")] = '\0';
    *out = base_strdup(line);
    return 0;
}

static int find_token(struct http_target *target,
                      const struct http_options *options, char **why)
{
    const char *token = options->token;
    const char *file;

    /* -token-file before a variable's token: flags win. */
    if (token == NULL && options->token_file == NULL)
        token = pick(NULL, "ISTHMUS_HTTP_TOKEN", "CONSUL_HTTP_TOKEN");
    if (token != NULL) {
        target->token = base_strdup(token);
        return 0;
    }
    file = pick(options->token_file, "ISTHMUS_HTTP_TOKEN_FILE",
                "CONSUL_HTTP_TOKEN_FILE");
    errno = 0;
    if (file != NULL)
        return read_token(file, &target->token, why);
    target->token = base_strdup("");
    return 0;
}

/* Skips the scheme. */
static bool wants_tls(const char **authority)
{
    const char *ssl = pick(NULL, "ISTHMUS_HTTP_SSL", "CONSUL_HTTP_SSL");
    bool is_tls = false;

    if (strncmp(*authority, "https://", 8) == 0) {
        *authority += 8;
        return true;
    }
    if (strncmp(*authority, "http://", 7) == 0)
        *authority += 7;
    else if (ssl != NULL)
        args_parse_bool(ssl, &is_tls);
    return is_tls;
}

struct https_config http_tls_of(const struct http_options *options)
{
    struct https_config config = {
        .ca_file = pick(options->ca_file, "ISTHMUS_CACERT", "CONSUL_CACERT"),
        .cert_file = pick(options->client_cert, "ISTHMUS_CLIENT_CERT",
                          "CONSUL_CLIENT_CERT"),
        .key_file = pick(options->client_key, "ISTHMUS_CLIENT_KEY",
                         "CONSUL_CLIENT_KEY"),
        .server_name = pick(options->tls_server_name, "ISTHMUS_TLS_SERVER_NAME",
                            "CONSUL_TLS_SERVER_NAME"),
    };
    const char *verify =
        pick(NULL, "ISTHMUS_HTTP_SSL_VERIFY", "CONSUL_HTTP_SSL_VERIFY");
    bool is_verified = true;

    if (verify != NULL && args_parse_bool(verify, &is_verified) == 0)
        config.insecure = !is_verified;
    return config;
}

static int find_tls(struct http_target *target,
                    const struct http_options *options, char **why)
{
    struct https_config config = http_tls_of(options);

    return https_new(&config, &target->https, why);
}

static int take_path(struct http_target *target, const char *text, char **why)
{
    size_t room = sizeof(((struct sockaddr_un *)NULL)->sun_path);
    size_t len = strlen(text + strlen(UNIX));

    if (len == 0 || len >= room) {
        *why = base_asprintf("-http-addr: \"%s\" has no path, or one of over "
                             "%zu bytes",
                             text, room - 1);
        return BASE_EINVAL;
    }
    target->path = base_strdup(text + strlen(UNIX));
    return 0;
}

static int take_host(struct http_target *target, const char *text,
                     const struct http_options *options, char **why)
{
    const char *authority = text;
    bool is_tls = wants_tls(&authority);
    char *copy = base_strdup(authority);
    struct base_target parsed;
    int rv = 0;

    if (*copy != '\0' && copy[strlen(copy) - 1] == '/')
        copy[strlen(copy) - 1] = '\0';
    if (strchr(copy, '/') != NULL ||
        base_target_parse(&parsed, copy, DEFAULT_PORT) < 0) {
        *why = base_asprintf("-http-addr: \"%s\" is not host:port, "
                             "http://host:port, https://host:port or "
                             "unix:///path",
                             text);
        rv = BASE_EINVAL;
    } else {
        target->host = base_strdup(parsed.host);
        target->port = parsed.port;
        if (is_tls)
            rv = find_tls(target, options, why);
    }
    base_free(copy);
    return rv;
}

int http_target_init(struct http_target *target,
                     const struct http_options *options, char **why)
{
    const char *text =
        pick(options->addr, "ISTHMUS_HTTP_ADDR", "CONSUL_HTTP_ADDR");
    int rv;

    *target = (struct http_target){0};
    if (text == NULL)
        text = DEFAULT_ADDR;
    rv = strncmp(text, UNIX, strlen(UNIX)) == 0
             ? take_path(target, text, why)
             : take_host(target, text, options, why);
    if (rv == 0)
        rv = find_token(target, options, why);
    if (rv < 0)
        http_target_close(target);
    return rv;
}

void http_target_close(struct http_target *target)
{
    base_free(target->host);
    base_free(target->path);
    https_free(target->https);
    if (target->token != NULL)
        base_free_secret(target->token, strlen(target->token));
    *target = (struct http_target){0};
}

int http_target_addr(const struct http_target *target, struct base_addr *out,
                     char **why)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int rv;

    if (target->path) {
        *why = base_asprintf("-http-addr: wanted host:port here, found "
                             "\"unix://%s\"",
                             target->path);
        return BASE_EINVAL;
    }
    rv = getaddrinfo(target->host, NULL, &hints, &list);
    if (rv != 0 || base_addr_from_sockaddr(out, list->ai_addr) < 0) {
        *why = base_asprintf("-http-addr: \"%s\": %s", target->host,
                             rv != 0 ? gai_strerror(rv) : "no IP address");
        rv = BASE_ENOTFOUND;
    }
    if (list != NULL)
        freeaddrinfo(list);
    out->port = target->port;
    return rv;
}
