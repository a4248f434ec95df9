/*
 * Certificates for tests, made in a temporary folder: a CA, and leaves with the
 * DNS names and dates that a test wants.
 */
#ifndef TESTS_LIBRPC_CERTS_H
#define TESTS_LIBRPC_CERTS_H

#include <stdbool.h>

struct certs;    /* the folder */
struct certs_ca;

struct certs *certs_new(void);
/** Removes the folder. */
void certs_free(struct certs *certs);

struct certs_ca *certs_ca_new(struct certs *certs, const char *name);
/** PEM of the CA; lives as long as certs. */
const char *certs_ca_file(const struct certs_ca *ca);

struct certs_pair {
    const char *cert_file; /* live as long as certs */
    const char *key_file;
};
/** A leaf with the names (NULL at the end). days < 0: it ended then. */
struct certs_pair certs_leaf(struct certs_ca *ca, const char *const *names,
                             int days);
/** A leaf with a common name and no other names. */
struct certs_pair certs_leaf_cn(struct certs_ca *ca, const char *name);
/** A file with that content. */
const char *certs_file(struct certs *certs, const char *name,
                       const char *content);
/** Both CAs in one file. */
const char *certs_bundle(struct certs *certs, const struct certs_ca *a,
                         const struct certs_ca *b);

#endif
