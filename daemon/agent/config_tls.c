/*
 * The TLS files, tried before anything starts: a certificate that does not fit
 * its key, its CA or its purpose would otherwise show as handshakes that fail
 * on other machines. The names that a server needs are those of federation.md
 * section 2: every dialler through a gateway asks for exactly one of them.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "agent/config.h"
#include "base/alloc.h"
#include "base/error.h"
#include "rpc/protocol.h"

struct files {
    STACK_OF(X509) * cas;
    STACK_OF(X509) * chain; /* leaf first */
    EVP_PKEY *key;
};

static int refuse(const struct config *config, const char *key,
                  const char *file, const char *fault, char **why)
{
    char *where = config_where(config, key);

    *why = base_asprintf("%s: \"%s\" %s", where, file, fault);
    base_free(where);
    return BASE_EINVAL;
}

static BIO *open_file(const struct config *config, const char *key,
                      const char *file, char **why)
{
    FILE *from = fopen(file, "re");
    char text[160];

    if (from == NULL) {
        snprintf(text, sizeof(text), "cannot be read: %s", strerror(errno));
        refuse(config, key, file, text, why);
        return NULL;
    }
    return BIO_new_fp(from, BIO_CLOSE);
}

/* 0 with at least one certificate in out, which is there and empty. */
static int read_certificates(const struct config *config, const char *key,
                             const char *file, STACK_OF(X509) * out, char **why)
{
    BIO *bio = open_file(config, key, file, why);
    X509 *cert;

    if (bio == NULL)
        return BASE_EINVAL;
    while ((cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
        sk_X509_push(out, cert);
    ERR_clear_error(); /* the end of the file is an error to PEM */
    BIO_free(bio);
    if (sk_X509_num(out) == 0)
        return refuse(config, key, file, "holds no certificate in PEM", why);
    return 0;
}

/* No terminal to ask at: a key with a passphrase fails instead of hanging. */
static int no_passphrase(char *buf, int size, int rwflag, void *arg)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    (void)arg;
    return -1;
}

static EVP_PKEY *read_key(const struct config *config, char **why)
{
    BIO *bio = open_file(config, "key_file", config->key_file, why);
    EVP_PKEY *key;

    if (bio == NULL)
        return NULL;
    key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    ERR_clear_error();
    if (key == NULL)
        refuse(config, "key_file", config->key_file,
               "holds no private key in PEM without a passphrase", why);
    return key;
}

static int check_purpose(const struct config *config, X509 *leaf, char **why)
{
    if (X509_check_purpose(leaf, X509_PURPOSE_SSL_CLIENT, 0) != 1)
        return refuse(config, "cert_file", config->cert_file,
                      "is not for TLS clients (extended key usage "
                      "clientAuth)",
                      why);
    if (config->server &&
        X509_check_purpose(leaf, X509_PURPOSE_SSL_SERVER, 0) != 1)
        return refuse(config, "cert_file", config->cert_file,
                      "is not for TLS servers (extended key usage "
                      "serverAuth)",
                      why);
    return 0;
}

static int check_chain(const struct config *config, const struct files *files,
                       char **why)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    char text[200];
    int i, rv = 0;

    for (i = 0; i < sk_X509_num(files->cas); i++)
        X509_STORE_add_cert(store, sk_X509_value(files->cas, i));
    X509_STORE_CTX_init(ctx, store, sk_X509_value(files->chain, 0),
                        files->chain);
    if (X509_verify_cert(ctx) != 1) {
        snprintf(text, sizeof(text),
                 "does not verify with the CA of \"%.80s\""
                 ": %s",
                 config->ca_file,
                 X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
        rv = refuse(config, "cert_file", config->cert_file, text, why);
    }
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    ERR_clear_error();
    return rv;
}

static int check_name(const struct config *config, X509 *leaf, const char *node,
                      char **why)
{
    char name[254], text[400];

    if (rpc_server_name(name, node, config->datacenter, config->domain) == 0 &&
        X509_check_host(leaf, name, 0,
                        X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                            X509_CHECK_FLAG_NO_WILDCARDS,
                        NULL) == 1)
        return 0;
    snprintf(text, sizeof(text), "lacks the DNS name \"%s\"", name);
    return refuse(config, "cert_file", config->cert_file, text, why);
}

static int check_names(const struct config *config, X509 *leaf, char **why)
{
    int rv = 0;

    if (!config->server)
        return 0;
    if (config->federation || config->verify_server_hostname)
        rv = check_name(config, leaf, "", why);
    /* Through a gateway a server is asked for by its own name (section 4). */
    if (rv == 0 && config->federation)
        rv = check_name(config, leaf, config->node_name, why);
    return rv;
}

static int read_own(const struct config *config, struct files *files,
                    char **why)
{
    int rv = read_certificates(config, "cert_file", config->cert_file,
                               files->chain, why);

    if (rv < 0)
        return rv;
    files->key = read_key(config, why);
    if (files->key == NULL)
        return BASE_EINVAL;
    if (X509_check_private_key(sk_X509_value(files->chain, 0), files->key) !=
        1) {
        ERR_clear_error();
        return refuse(config, "key_file", config->key_file,
                      "is not the key of the certificate of cert_file", why);
    }
    return 0;
}

static int check_files(const struct config *config, struct files *files,
                       char **why)
{
    X509 *leaf;
    int rv;

    if (config->ca_file != NULL) {
        rv = read_certificates(config, "ca_file", config->ca_file, files->cas,
                               why);
        if (rv < 0)
            return rv;
    }
    if (config->cert_file == NULL || config->key_file == NULL)
        return 0;
    rv = read_own(config, files, why);
    if (rv < 0)
        return rv;
    leaf = sk_X509_value(files->chain, 0);
    rv = check_purpose(config, leaf, why);
    if (rv == 0 && sk_X509_num(files->cas) > 0)
        rv = check_chain(config, files, why);
    if (rv == 0)
        rv = check_names(config, leaf, why);
    return rv;
}

int config_check_tls(const struct config *config, char **why)
{
    struct files files = {sk_X509_new_null(), sk_X509_new_null(), NULL};
    int rv = check_files(config, &files, why);

    sk_X509_pop_free(files.cas, X509_free);
    sk_X509_pop_free(files.chain, X509_free);
    EVP_PKEY_free(files.key);
    return rv;
}
