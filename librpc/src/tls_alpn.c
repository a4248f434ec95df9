/*
 * What a hello asks for: protocols by ALPN (RFC 7301), where the server takes
 * the first of ours that the client offers, and the server's name (RFC 6066),
 * which must be one of ours: who was sent to the wrong place hears it here.
 */
#include <openssl/x509v3.h>
#include <string.h>

#include "tls_handshake.h"

#define ALPN_LEN_MAX 63u /* what struct rpc_peer holds */

int tls_add_alpn(struct base_buf *list, const char *alpn)
{
    size_t len = strlen(alpn);

    if (len == 0 || len > ALPN_LEN_MAX)
        return RPC_EINVAL;
    base_buf_append_u8(list, (uint8_t)len);
    base_buf_append(list, alpn, len);
    return 0;
}

/* ---- what OpenSSL asks a server ---- */

static struct tls_handshake *handshake_of(const SSL *ssl)
{
    const struct tls_link *link = SSL_get_app_data(ssl);

    return link->handshake;
}

int tls_handshake_on_hello(SSL *ssl, int *alert, void *arg)
{
    const struct tls_handshake *hs = handshake_of(ssl);
    const unsigned char *data;
    size_t len;

    (void)arg;
    /* Refused before any signature is made for it. */
    if (hs != NULL && hs->alpn_required &&
        SSL_client_hello_get0_ext(
            ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &data,
            &len) != 1) {
        *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
        return SSL_CLIENT_HELLO_ERROR;
    }
    return SSL_CLIENT_HELLO_SUCCESS;
}

int tls_handshake_on_name(SSL *ssl, int *alert, void *arg)
{
    struct tls_handshake *hs = handshake_of(ssl);
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    (void)arg;
    /* After byte 3 the name says nothing: there was no gateway to read it. */
    if (hs == NULL || !hs->alpn_required || name == NULL)
        return SSL_TLSEXT_ERR_OK;
    if (X509_check_host(SSL_get_certificate(ssl), name, 0, TLS_NAME_FLAGS,
                        NULL) == 1)
        return SSL_TLSEXT_ERR_OK;
    hs->wrong_name = true;
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* True if the client's list (RFC 7301 section 3.1) holds the protocol. */
static bool offers(const unsigned char *in, unsigned in_len,
                   const uint8_t *name, size_t len)
{
    struct base_cursor cursor = base_cursor_of(in, in_len);

    while (base_cursor_left(&cursor) > 0) {
        size_t size = base_cursor_u8(&cursor);
        const uint8_t *bytes = base_cursor_bytes(&cursor, size);

        if (bytes == NULL)
            return false;
        if (size == len && memcmp(bytes, name, len) == 0)
            return true;
    }
    return false;
}

int tls_handshake_on_alpn(SSL *ssl, const unsigned char **out,
                          unsigned char *out_len, const unsigned char *in,
                          unsigned in_len, void *arg)
{
    const struct tls_handshake *hs = handshake_of(ssl);
    struct base_cursor ours;

    (void)arg;
    if (hs == NULL || base_buf_len(&hs->alpns) == 0)
        return SSL_TLSEXT_ERR_NOACK;
    ours = base_cursor_of(base_buf_data(&hs->alpns),
                          base_buf_len(&hs->alpns));
    while (base_cursor_left(&ours) > 0) {
        size_t len = base_cursor_u8(&ours);
        const uint8_t *name = base_cursor_bytes(&ours, len);

        if (offers(in, in_len, name, len)) {
            *out = name;
            *out_len = (unsigned char)len;
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}
