/*
 * OpenSSL's view of a base_stream: a BIO that reads straight from the stream's
 * input buffer and writes straight to its output queue, so that no bytes wait
 * in a third place and back-pressure is the stream's own.
 */
#include <limits.h>
#include <openssl/err.h>
#include <string.h>

#include "base/alloc.h"
#include "tls_priv.h"

static int on_bio_read(BIO *bio, char *out, int len)
{
    struct tls_link *link = BIO_get_data(bio);
    size_t left = base_stream_len(link->inner) - link->taken;
    size_t count;

    BIO_clear_retry_flags(bio);
    if (left == 0 || len <= 0) {
        /* An end of the stream is told to tls_stream.c, not to OpenSSL. */
        BIO_set_retry_read(bio);
        return -1;
    }
    count = left < (size_t)len ? left : (size_t)len;
    memcpy(out, base_stream_data(link->inner) + link->taken, count);
    link->taken += count;
    return (int)count;
}

static int on_bio_write(BIO *bio, const char *data, int len)
{
    struct tls_link *link = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (len <= 0)
        return 0;
    if (base_stream_write(link->inner, data, (size_t)len) != 0) {
        link->broken = true;
        return -1;
    }
    return len;
}

static long on_bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD *tls_link_method(void)
{
    BIO_METHOD *method = BIO_meth_new(
        BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "isthmus stream");

    if (method == NULL)
        return NULL;
    BIO_meth_set_read(method, on_bio_read);
    BIO_meth_set_write(method, on_bio_write);
    BIO_meth_set_ctrl(method, on_bio_ctrl);
    return method;
}

struct tls_link *tls_link_new(struct rpc_tls *tls, SSL_CTX *context,
                              struct base_stream *inner)
{
    struct tls_link *link;
    SSL *ssl = SSL_new(context);
    BIO *bio = BIO_new(tls->bio_method);

    if (ssl == NULL || bio == NULL) {
        SSL_free(ssl);
        BIO_free(bio);
        return NULL;
    }
    BASE_NEW(link);
    link->inner = inner;
    link->ssl = ssl;
    link->tls = tls;
    BIO_set_data(bio, link);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_app_data(ssl, link);
    return link;
}

void tls_link_consume(struct tls_link *link)
{
    size_t taken = link->taken;

    link->taken = 0;
    if (taken > 0)
        base_stream_consume(link->inner, taken);
}

void tls_link_free(struct tls_link *link)
{
    /* Freeing an SSL with an unfinished end marks its session unusable, which
     * is right for a failed handshake and wrong for an idle close. */
    if (!link->broken && link->handshake == NULL)
        SSL_set_shutdown(link->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(link->ssl);
    base_free(link->session_key);
    base_free(link);
}

const char *tls_error_words(void)
{
    unsigned long code = ERR_peek_error();
    const char *words = ERR_reason_error_string(code);

    if (code != 0 && ERR_SYSTEM_ERROR(code))
        words = strerror(ERR_GET_REASON(code));
    ERR_clear_error();
    return words != NULL ? words : "refused by OpenSSL";
}
