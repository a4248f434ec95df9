/*
 * Two OpenSSL contexts, for dialling and for accepting, out of a CA file, a
 * certificate and its key. Every refusal names the file. Source: federation.md
 * section 3: TLS 1.2 at least, session-id context set, no early data.
 */
#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/alloc.h"
#include "tls_priv.h"

/* Forward secrecy and AEAD only. Of TLS 1.3 the same suites as OpenSSL's, but
 * 128-bit AES first: as strong as the P-256 keys beside it, as Go prefers too,
 * and a quarter less work a byte. */
#define CIPHERS_TLS12 "ECDHE+AESGCM:ECDHE+CHACHA20"
#define CIPHERS_TLS13                                                          \
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"                           \
    "TLS_CHACHA20_POLY1305_SHA256"
#define SESSION_LIFE_S 3600

static const unsigned char session_id_context[] = "isthmus-rpc";

static int refuse(char **why, const char *what, const char *file)
{
    const char *words = tls_error_words();

    if (why != NULL)
        *why = base_asprintf("%s %s: %s", what, file, words);
    return RPC_ECERT;
}

/* A key with a passphrase would make OpenSSL ask on the terminal: give none. */
static int no_passphrase(char *buf, int size, int rw, void *arg)
{
    (void)buf;
    (void)size;
    (void)rw;
    (void)arg;
    return 0;
}

static void set_common(SSL_CTX *context)
{
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(context, CIPHERS_TLS12);
    SSL_CTX_set_ciphersuites(context, CIPHERS_TLS13);
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION |
                                     SSL_OP_NO_RENEGOTIATION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE);
    /* An idle connection gives its 34 KiB of record buffers back. */
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_ENABLE_PARTIAL_WRITE);
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    SSL_CTX_set_timeout(context, SESSION_LIFE_S);
    SSL_CTX_set_session_id_context(context, session_id_context,
                                   sizeof(session_id_context) - 1);
}

static int load_files(const struct rpc_tls *tls, SSL_CTX *context, char **why)
{
    ERR_clear_error();
    if (tls->ca_file != NULL &&
        SSL_CTX_load_verify_locations(context, tls->ca_file, NULL) != 1)
        return refuse(why, "CA file", tls->ca_file);
    if (tls->cert_file == NULL)
        return 0;
    if (SSL_CTX_use_certificate_chain_file(context, tls->cert_file) != 1)
        return refuse(why, "certificate file", tls->cert_file);
    if (SSL_CTX_use_PrivateKey_file(context, tls->key_file,
                                    SSL_FILETYPE_PEM) == 1 &&
        SSL_CTX_check_private_key(context) == 1)
        return 0;
    if (ERR_GET_REASON(ERR_peek_error()) == X509_R_KEY_VALUES_MISMATCH ||
        ERR_GET_REASON(ERR_peek_error()) == X509_R_KEY_TYPE_MISMATCH) {
        ERR_clear_error();
        if (why != NULL)
            *why = base_asprintf("key file %s: does not match the "
                                 "certificate in %s",
                                 tls->key_file, tls->cert_file);
        return RPC_ECERT;
    }
    return refuse(why, "key file", tls->key_file);
}

static void set_client(const struct rpc_tls *tls, SSL_CTX *context)
{
    set_common(context);
    SSL_CTX_set_verify(context,
                       tls->verify_outgoing ? SSL_VERIFY_PEER
                                            : SSL_VERIFY_NONE,
                       NULL);
    SSL_CTX_set_session_cache_mode(context,
                                   SSL_SESS_CACHE_CLIENT |
                                       SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, tls_session_on_new);
}

static void set_server(const struct rpc_tls *tls, SSL_CTX *context)
{
    int mode = SSL_VERIFY_NONE;

    set_common(context);
    if (tls->ca_file != NULL) {
        /* A certificate that is given is checked even where none is needed:
         * its names decide what the peer may speak. */
        mode = SSL_VERIFY_PEER;
        if (tls->verify_incoming)
            mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
        SSL_CTX_set_client_CA_list(context,
                                   SSL_load_client_CA_file(tls->ca_file));
    }
    SSL_CTX_set_verify(context, mode, NULL);
    SSL_CTX_set_num_tickets(context, 1);
    SSL_CTX_set_client_hello_cb(context, tls_handshake_on_hello, NULL);
    SSL_CTX_set_tlsext_servername_callback(context, tls_handshake_on_name);
    SSL_CTX_set_alpn_select_cb(context, tls_handshake_on_alpn, NULL);
}

int tls_contexts_make(const struct rpc_tls *tls, struct tls_contexts *out,
                      char **why)
{
    struct tls_contexts made = {SSL_CTX_new(TLS_client_method()),
                                SSL_CTX_new(TLS_server_method()), NULL};
    int rv = RPC_ETLS;

    if (made.client == NULL || made.server == NULL) {
        if (why != NULL)
            *why = base_strdup("OpenSSL gives no context");
        goto err;
    }
    set_client(tls, made.client);
    set_server(tls, made.server);
    rv = load_files(tls, made.client, why);
    if (rv == 0)
        rv = load_files(tls, made.server, why);
    if (rv < 0)
        goto err;
    made.leaf = SSL_CTX_get0_certificate(made.server);
    if (made.leaf != NULL)
        X509_up_ref(made.leaf);
    *out = made;
    return 0;

err:
    tls_contexts_close(&made);
    return rv;
}

void tls_contexts_close(struct tls_contexts *contexts)
{
    SSL_CTX_free(contexts->client);
    SSL_CTX_free(contexts->server);
    X509_free(contexts->leaf);
    *contexts = (struct tls_contexts){NULL, NULL, NULL};
}
