/*
 * HTTPS shows the agent's own certificate. Files were checked together by
 * config_check_tls() when the agent started; a reload may find others.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/alloc.h"
#include "base/error.h"
#include "http/internal.h"

static int fail(SSL_CTX *tls, const char *file, char **why)
{
    const char *words = ERR_reason_error_string(ERR_peek_last_error());

    *why = base_asprintf("HTTPS: \"%s\": %s", file,
                         words ? words : "cannot be used");
    ERR_clear_error();
    SSL_CTX_free(tls);
    return BASE_EINVAL;
}

int http_tls_new(const struct config *config, SSL_CTX **out, char **why)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());

    ERR_clear_error();
    if (tls == NULL)
        return fail(tls, "OpenSSL", why);
    SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
    SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION);
    if (SSL_CTX_use_certificate_chain_file(tls, config->cert_file) != 1)
        return fail(tls, config->cert_file, why);
    if (SSL_CTX_use_PrivateKey_file(tls, config->key_file, SSL_FILETYPE_PEM) !=
            1 ||
        SSL_CTX_check_private_key(tls) != 1)
        return fail(tls, config->key_file, why);
    if (config->verify_incoming_https) {
        if (SSL_CTX_load_verify_locations(tls, config->ca_file, NULL) != 1)
            return fail(tls, config->ca_file, why);
        SSL_CTX_set_verify(
            tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        SSL_CTX_set_session_id_context(tls, (const unsigned char *)"http", 4);
    }
    *out = tls;
    return 0;
}
