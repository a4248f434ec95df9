#include "certs.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "suite.h"

#define PATHS_MAX 64

struct certs {
    char dir[64];
    char *paths[PATHS_MAX];
    unsigned path_count;
    struct certs_ca *cas[8];
    unsigned ca_count;
};

struct certs_ca {
    struct certs *certs;
    EVP_PKEY *key;
    X509 *cert;
    const char *file;
    long serial;
};

static const char *new_path(struct certs *certs, const char *name)
{
    ck_assert_uint_lt(certs->path_count, PATHS_MAX);
    certs->paths[certs->path_count] = base_asprintf(
        "%s/%u-%s", certs->dir, certs->path_count, name);
    return certs->paths[certs->path_count++];
}

struct certs *certs_new(void)
{
    struct certs *certs;

    BASE_NEW(certs);
    snprintf(certs->dir, sizeof(certs->dir), "/tmp/rpc-certs-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(certs->dir));
    return certs;
}

void certs_free(struct certs *certs)
{
    unsigned i;

    for (i = 0; i < certs->ca_count; i++) {
        EVP_PKEY_free(certs->cas[i]->key);
        X509_free(certs->cas[i]->cert);
        base_free(certs->cas[i]);
    }
    for (i = 0; i < certs->path_count; i++) {
        unlink(certs->paths[i]);
        base_free(certs->paths[i]);
    }
    rmdir(certs->dir);
    base_free(certs);
}

const char *certs_file(struct certs *certs, const char *name,
                       const char *content)
{
    const char *path = new_path(certs, name);
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    fputs(content, file);
    fclose(file);
    return path;
}

static const char *write_cert(struct certs *certs, X509 *cert)
{
    const char *path = new_path(certs, "cert.pem");
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(PEM_write_X509(file, cert), 1);
    fclose(file);
    return path;
}

static const char *write_key(struct certs *certs, EVP_PKEY *key)
{
    const char *path = new_path(certs, "key.pem");
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(
        PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
    return path;
}

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509_EXTENSION *extension;
    X509V3_CTX ctx;

    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    ck_assert_ptr_nonnull(extension);
    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
}

static X509 *new_cert(EVP_PKEY *key, const char *name, long serial, int days)
{
    const long day_s = 24 * 3600;
    X509 *cert = X509_new();
    X509_NAME *subject;

    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial);
    X509_gmtime_adj(X509_getm_notBefore(cert), -1000 * day_s);
    X509_gmtime_adj(X509_getm_notAfter(cert), days * day_s);
    subject = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_pubkey(cert, key);
    return cert;
}

struct certs_ca *certs_ca_new(struct certs *certs, const char *name)
{
    struct certs_ca *ca;

    BASE_NEW(ca);
    ca->certs = certs;
    ca->serial = 1;
    ca->key = EVP_EC_gen("P-256");
    ca->cert = new_cert(ca->key, name, ca->serial++, 3650);
    X509_set_issuer_name(ca->cert, X509_get_subject_name(ca->cert));
    add_extension(ca->cert, ca->cert, NID_basic_constraints,
                  "critical,CA:TRUE");
    add_extension(ca->cert, ca->cert, NID_key_usage,
                  "critical,keyCertSign,cRLSign");
    ck_assert_int_gt(X509_sign(ca->cert, ca->key, EVP_sha256()), 0);
    ca->file = write_cert(certs, ca->cert);
    certs->cas[certs->ca_count++] = ca;
    return ca;
}

const char *certs_ca_file(const struct certs_ca *ca)
{
    return ca->file;
}

static void add_names(X509 *cert, X509 *issuer, const char *const *names)
{
    char text[2048] = "";
    unsigned i;

    for (i = 0; names[i] != NULL; i++) {
        size_t used = strlen(text);

        snprintf(text + used, sizeof(text) - used, "%sDNS:%s",
                 i > 0 ? "," : "", names[i]);
    }
    if (i > 0)
        add_extension(cert, issuer, NID_subject_alt_name, text);
}

static struct certs_pair new_leaf(struct certs_ca *ca, const char *cn,
                                  const char *const *names, int days)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = new_cert(key, cn, ca->serial++, days);
    struct certs_pair pair;

    X509_set_issuer_name(cert, X509_get_subject_name(ca->cert));
    add_extension(cert, ca->cert, NID_ext_key_usage, "serverAuth,clientAuth");
    add_names(cert, ca->cert, names);
    ck_assert_int_gt(X509_sign(cert, ca->key, EVP_sha256()), 0);
    pair.cert_file = write_cert(ca->certs, cert);
    pair.key_file = write_key(ca->certs, key);
    X509_free(cert);
    EVP_PKEY_free(key);
    return pair;
}

struct certs_pair certs_leaf(struct certs_ca *ca, const char *const *names,
                             int days)
{
    return new_leaf(ca, names[0], names, days);
}

struct certs_pair certs_leaf_cn(struct certs_ca *ca, const char *name)
{
    const char *none = NULL;

    return new_leaf(ca, name, &none, 30);
}

const char *certs_bundle(struct certs *certs, const struct certs_ca *a,
                         const struct certs_ca *b)
{
    const char *path = new_path(certs, "bundle.pem");
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(PEM_write_X509(file, a->cert), 1);
    ck_assert_int_eq(PEM_write_X509(file, b->cert), 1);
    fclose(file);
    return path;
}
