#include "https/https.h"

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/http.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/addr.h"
#include "base/alloc.h"
#include "base/error.h"

struct https {
    SSL_CTX *tls;
    char *server_name; /* NULL: the host that is asked */
};

static int fail(struct https *https, const char *file, char **why)
{
    const char *words = ERR_reason_error_string(ERR_peek_last_error());

    *why = base_asprintf("\"%s\": %s", file, words ? words : "cannot be used");
    ERR_clear_error();
    https_free(https);
    return BASE_EINVAL;
}

int https_new(const struct https_config *config, struct https **out, char **why)
{
    struct https *https;

    BASE_NEW(https);
    ERR_clear_error();
    https->tls = SSL_CTX_new(TLS_client_method());
    if (https->tls == NULL)
        return fail(https, "OpenSSL", why);
    SSL_CTX_set_min_proto_version(https->tls, TLS1_2_VERSION);
    if (!config->insecure)
        SSL_CTX_set_verify(https->tls, SSL_VERIFY_PEER, NULL);
    if (config->ca_file == NULL)
        SSL_CTX_set_default_verify_paths(https->tls);
    else if (SSL_CTX_load_verify_locations(https->tls, config->ca_file, NULL) !=
             1)
        return fail(https, config->ca_file, why);
    if (config->cert_file &&
        SSL_CTX_use_certificate_chain_file(https->tls, config->cert_file) != 1)
        return fail(https, config->cert_file, why);
    if (config->key_file &&
        SSL_CTX_use_PrivateKey_file(https->tls, config->key_file,
                                    SSL_FILETYPE_PEM) != 1)
        return fail(https, config->key_file, why);
    if (config->server_name)
        https->server_name = base_strdup(config->server_name);
    *out = https;
    return 0;
}

void https_free(struct https *https)
{
    if (https == NULL)
        return;
    SSL_CTX_free(https->tls);
    base_free(https->server_name);
    base_free(https);
}

/* Whom the certificate must name: an address is another kind of name. */
static void expect(SSL *ssl, const char *name)
{
    struct base_addr ip;

    if (base_addr_parse_ip(&ip, name) == 0) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name);
    } else {
        SSL_set_tlsext_host_name(ssl, name);
        SSL_set1_host(ssl, name);
    }
}

SSL *https_session(const struct https *https, const char *host)
{
    SSL *ssl = SSL_new(https->tls);

    if (ssl)
        expect(ssl, https->server_name ? https->server_name : host);
    return ssl;
}

struct evhttp_connection *https_connection(const struct https *https,
                                           struct event_base *loop,
                                           const char *host, uint16_t port)
{
    struct bufferevent *bev;
    SSL *ssl;

    if (https == NULL)
        return evhttp_connection_base_new(loop, NULL, host, port);
    ssl = https_session(https, host);
    if (ssl == NULL)
        return NULL;
    bev = bufferevent_openssl_socket_new(
        loop, -1, ssl, BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE);
    if (bev == NULL) {
        SSL_free(ssl);
        return NULL;
    }
    /* An agent may close without a TLS goodbye; HTTP says how long it is. */
    bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
    return evhttp_connection_base_bufferevent_new(loop, NULL, bev, host, port);
}
