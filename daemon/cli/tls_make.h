/*
 * Making certificates: an authority, and what it signs. ECDSA on P-256, SHA-256
 * (federation.md section 12). Objects only; files are tls_files.h.
 * Errors: BASE_EINVAL or BASE_EIO with one sentence in *why, the caller's.
 * Threads: any.
 */
#ifndef CLI_TLS_MAKE_H
#define CLI_TLS_MAKE_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLS_DAYS_MAX 36500

/** A certificate and its private key. Zero-initialise it. */
struct tls_pair {
    X509 *cert;
    EVP_PKEY *key;
};
void tls_pair_close(struct tls_pair *pair);

struct tls_ca_request {
    uint32_t days; /* 1 to TLS_DAYS_MAX */
    /** Domains below which it may sign DNS names, each a valid domain; none:
     * any name. */
    const char *const *permitted;
    size_t permitted_count;
};
int tls_make_ca(const struct tls_ca_request *request, struct tls_pair *out,
                char **why);

struct tls_cert_request {
    uint32_t days;
    bool for_servers;         /* extended key usage serverAuth */
    bool for_clients;         /* clientAuth */
    const char *const *names; /* DNS, valid; the first is the subject too */
    size_t name_count;
    const char *const *ips; /* as text */
    size_t ip_count;
};
/** Also verifies the outcome: an authority that has ended, is none, or may not
 * sign one of the names is an error here, not at the first handshake. */
int tls_make_cert(const struct tls_pair *ca,
                  const struct tls_cert_request *request, struct tls_pair *out,
                  char **why);

#endif
