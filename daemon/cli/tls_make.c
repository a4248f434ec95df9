/* Certificates by OpenSSL 3: keys, names, extensions, signature. */
#include "cli/tls_make.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/addr.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"

/* Clocks of machines differ: a certificate is good a minute before it was
 * made. */
#define BACKDATE_S 60
#define COMMON_NAME_MAX 64 /* RFC 5280, ub-common-name */

static int fail(const char *what, char **why)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    *why = base_asprintf("cannot %s: %s", what,
                         reason != NULL ? reason : "OpenSSL failed");
    ERR_clear_error();
    return BASE_EIO;
}

void tls_pair_close(struct tls_pair *pair)
{
    X509_free(pair->cert);
    EVP_PKEY_free(pair->key);
    *pair = (struct tls_pair){NULL, NULL};
}

/* 127 random bits: positive, and as unique as RFC 5280 4.1.2.2 asks for. */
static int set_serial(X509 *cert, char text[33])
{
    uint8_t bytes[16];
    BIGNUM *number;
    size_t i;
    int ok;

    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return -1;
    bytes[0] = (uint8_t)((bytes[0] & 0x7f) | 0x40);
    for (i = 0; i < sizeof(bytes); i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    ok = number != NULL &&
         BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL;
    BN_free(number);
    return ok ? 0 : -1;
}

static int add_text(X509_NAME *name, const char *field, const char *text)
{
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                                      (const unsigned char *)text, -1, -1,
                                      0) == 1
               ? 0
               : -1;
}

/* A subject that is too long for a common name lives in the names alone. */
static int set_subject(X509 *cert, const char *common_name)
{
    X509_NAME *name = X509_get_subject_name(cert);

    if (add_text(name, "O", "Isthmus") < 0)
        return -1;
    if (strlen(common_name) > COMMON_NAME_MAX)
        return 0;
    return add_text(name, "CN", common_name);
}

static int begin(struct tls_pair *pair, uint32_t days, char serial[33])
{
    pair->key = EVP_EC_gen("P-256");
    pair->cert = X509_new();
    if (pair->key == NULL || pair->cert == NULL ||
        X509_set_version(pair->cert, X509_VERSION_3) != 1 ||
        X509_set_pubkey(pair->cert, pair->key) != 1 ||
        X509_gmtime_adj(X509_getm_notBefore(pair->cert), -BACKDATE_S) == NULL ||
        X509_time_adj_ex(X509_getm_notAfter(pair->cert), (int)days, 0, NULL) ==
            NULL)
        return -1;
    return set_serial(pair->cert, serial);
}

static int add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509_EXTENSION *extension;
    X509V3_CTX ctx;
    int ok;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    ok = extension != NULL && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok ? 0 : -1;
}

struct extension {
    int nid;
    const char *value; /* NULL: left out */
};

static int add_extensions(X509 *cert, X509 *issuer,
                          const struct extension *list, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        if (list[i].value != NULL &&
            add_extension(cert, issuer, list[i].nid, list[i].value) < 0)
            return -1;
    }
    return 0;
}

/* "critical,permitted;DNS:consul,permitted;DNS:localhost"; NULL if free. */
static char *constraints(const struct tls_ca_request *request)
{
    struct base_buf buf = BASE_BUF_INIT;
    size_t i;

    if (request->permitted_count == 0)
        return NULL;
    base_buf_printf(&buf, "critical");
    for (i = 0; i < request->permitted_count; i++)
        base_buf_printf(&buf, ",permitted;DNS:%s", request->permitted[i]);
    return base_buf_take_string(&buf);
}

static int fill_ca(const struct tls_ca_request *request, struct tls_pair *ca)
{
    char *names = constraints(request);
    const struct extension extensions[] = {
        {NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
        {NID_key_usage, "critical,keyCertSign,cRLSign"},
        {NID_name_constraints, names},
        {NID_subject_key_identifier, "hash"},
        {NID_authority_key_identifier, "keyid:always"},
    };
    char serial[33], common_name[COMMON_NAME_MAX + 1];
    int rv = begin(ca, request->days, serial);

    if (rv == 0) {
        snprintf(common_name, sizeof(common_name), "Isthmus Agent CA %s",
                 serial);
        rv = set_subject(ca->cert, common_name);
    }
    if (rv == 0 &&
        X509_set_issuer_name(ca->cert, X509_get_subject_name(ca->cert)) != 1)
        rv = -1;
    if (rv == 0)
        rv = add_extensions(ca->cert, ca->cert, extensions,
                            BASE_COUNT_OF(extensions));
    if (rv == 0 && X509_sign(ca->cert, ca->key, EVP_sha256()) == 0)
        rv = -1;
    base_free(names);
    return rv;
}

int tls_make_ca(const struct tls_ca_request *request, struct tls_pair *out,
                char **why)
{
    struct tls_pair ca = {NULL, NULL};

    if (fill_ca(request, &ca) < 0) {
        tls_pair_close(&ca);
        return fail("make the authority", why);
    }
    *out = ca;
    return 0;
}

static int add_name(GENERAL_NAMES *list, int type, const void *data, size_t len)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_STRING *text =
        type == GEN_DNS ? ASN1_IA5STRING_new() : ASN1_OCTET_STRING_new();

    ASN1_STRING_set(text, data, (int)len);
    GENERAL_NAME_set0_value(name, type, text);
    return sk_GENERAL_NAME_push(list, name) > 0 ? 0 : -1;
}

static int add_names(X509 *cert, const struct tls_cert_request *request,
                     char **why)
{
    GENERAL_NAMES *list = sk_GENERAL_NAME_new_null();
    struct base_addr addr;
    size_t i;
    int rv = 0;

    for (i = 0; i < request->name_count; i++)
        add_name(list, GEN_DNS, request->names[i], strlen(request->names[i]));
    for (i = 0; i < request->ip_count && rv == 0; i++) {
        if (base_addr_parse_ip(&addr, request->ips[i]) < 0) {
            *why = base_asprintf("\"%s\" is no IP address", request->ips[i]);
            rv = BASE_EINVAL;
        } else {
            add_name(list, GEN_IPADD, addr.ip, base_addr_ip_len(&addr));
        }
    }
    if (rv == 0 && X509_add1_ext_i2d(cert, NID_subject_alt_name, list, 0,
                                     X509V3_ADD_APPEND) != 1)
        rv = fail("add the names", why);
    sk_GENERAL_NAME_pop_free(list, GENERAL_NAME_free);
    return rv;
}

static int fill_cert(const struct tls_pair *ca,
                     const struct tls_cert_request *request,
                     struct tls_pair *pair, char **why)
{
    const struct extension extensions[] = {
        {NID_basic_constraints, "critical,CA:FALSE"},
        {NID_key_usage, "critical,digitalSignature,keyEncipherment"},
        {NID_ext_key_usage, request->for_servers && request->for_clients
                                ? "serverAuth,clientAuth"
                            : request->for_servers ? "serverAuth"
                                                   : "clientAuth"},
        {NID_subject_key_identifier, "hash"},
        {NID_authority_key_identifier, "keyid:always"},
    };
    char serial[33];
    int rv;

    if (begin(pair, request->days, serial) < 0 ||
        set_subject(pair->cert, request->names[0]) < 0 ||
        X509_set_issuer_name(pair->cert, X509_get_subject_name(ca->cert)) !=
            1 ||
        add_extensions(pair->cert, ca->cert, extensions,
                       BASE_COUNT_OF(extensions)) < 0)
        return fail("make the certificate", why);
    rv = add_names(pair->cert, request, why);
    if (rv == 0 && X509_sign(pair->cert, ca->key, EVP_sha256()) == 0)
        rv = fail("sign the certificate", why);
    return rv;
}

static int verify(X509 *ca, X509 *cert, char **why)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    int rv = 0;

    X509_STORE_add_cert(store, ca);
    X509_STORE_CTX_init(ctx, store, cert, NULL);
    if (X509_verify_cert(ctx) != 1) {
        *why = base_asprintf(
            "this authority cannot sign it: %s",
            X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
        rv = BASE_EINVAL;
    }
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    ERR_clear_error();
    return rv;
}

int tls_make_cert(const struct tls_pair *ca,
                  const struct tls_cert_request *request, struct tls_pair *out,
                  char **why)
{
    struct tls_pair pair = {NULL, NULL};
    int rv = fill_cert(ca, request, &pair, why);

    if (rv == 0)
        rv = verify(ca->cert, pair.cert, why);
    if (rv < 0) {
        tls_pair_close(&pair);
        return rv;
    }
    *out = pair;
    return 0;
}
