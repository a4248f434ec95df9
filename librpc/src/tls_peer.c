/*
 * Names and dates out of a certificate. Only DNS names of the subject
 * alternative name count (RFC 9525 section 2); the common name never does.
 */
#include <openssl/x509v3.h>
#include <time.h>

#include "tls_priv.h"

void tls_peer_names(X509 *cert, struct rpc_peer *peer)
{
    GENERAL_NAMES *names =
        X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    int count = names != NULL ? sk_GENERAL_NAME_num(names) : 0;
    int i;

    for (i = 0; i < count; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type == GEN_DNS)
            rpc_peer_add_name(peer, ASN1_STRING_get0_data(name->d.dNSName),
                              (size_t)ASN1_STRING_length(name->d.dNSName));
    }
    GENERAL_NAMES_free(names);
}

int64_t tls_cert_not_after(const X509 *cert)
{
    struct tm when;

    if (ASN1_TIME_to_tm(X509_get0_notAfter(cert), &when) != 1)
        return 0;
    return (int64_t)timegm(&when);
}
