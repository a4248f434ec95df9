/*
 * What a handshake's end is worth, in words that say what to mend: whose
 * certificate, which name, which protocol. The chain is OpenSSL's to judge;
 * here are the DNS name asked for (X509_check_host, subject alternative names
 * only, no wildcards), the dates on resumption too, and the exact ALPN value.
 * Source: federation.md section 3.
 */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/alloc.h"
#include "tls_handshake.h"

#define ALERT_REASONS 1000 /* OpenSSL: reason of a received alert, less this   \
                            */

/* An alert that the peer sent, in words a person can act on. */
static void end_on_alert(struct tls_handshake *hs, int alert)
{
    int status = RPC_ETLS;

    if (alert == SSL_AD_NO_APPLICATION_PROTOCOL)
        status = RPC_EALPN;
    else if (alert == SSL_AD_UNRECOGNIZED_NAME)
        status = RPC_ENAME;
    tls_handshake_end(hs, status,
                      base_asprintf("peer refused the handshake: alert %d, %s",
                                    alert, SSL_alert_desc_string_long(alert)));
}

static void end_on_verify(struct tls_handshake *hs, long verdict)
{
    hs->local_alert = true;
    if (verdict == X509_V_ERR_HOSTNAME_MISMATCH) {
        tls_handshake_end(
            hs, RPC_ENAME,
            base_asprintf("certificate of the server does not bear the name "
                          "%s",
                          hs->name));
        return;
    }
    tls_handshake_end(hs, RPC_ETLS,
                      base_asprintf("certificate of the %s is not accepted: %s",
                                    hs->is_server ? "client" : "server",
                                    X509_verify_cert_error_string(verdict)));
}

void tls_end_on_error(struct tls_handshake *hs)
{
    unsigned long code = ERR_peek_error();
    int reason = ERR_GET_REASON(code);
    long verdict = SSL_get_verify_result(hs->ssl_link->ssl);

    hs->ssl_link->broken = true;
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED && verdict != X509_V_OK) {
        end_on_verify(hs, verdict);
    } else if (ERR_GET_LIB(code) == ERR_LIB_SSL && reason > ALERT_REASONS) {
        end_on_alert(hs, reason - ALERT_REASONS);
    } else if (hs->wrong_name) {
        hs->local_alert = true;
        tls_handshake_end(
            hs, RPC_ENAME,
            base_strdup("client asked for a server name that our certificate "
                        "does not bear"));
    } else if (hs->is_server && (reason == SSL_R_NO_APPLICATION_PROTOCOL ||
                                 reason == SSL_R_CLIENTHELLO_TLSEXT ||
                                 reason == SSL_R_CALLBACK_FAILED)) {
        hs->local_alert = true;
        tls_handshake_end(
            hs, RPC_EALPN,
            base_strdup("client asked for no protocol that is served here"));
    } else {
        hs->local_alert = true;
        tls_handshake_end(
            hs, RPC_ETLS,
            base_asprintf("TLS handshake failed: %s", tls_error_words()));
    }
    ERR_clear_error();
}

static void refuse(struct tls_handshake *hs, int status, char *why)
{
    hs->local_alert = true;
    SSL_shutdown(hs->ssl_link->ssl);
    hs->ssl_link->broken = true;
    tls_handshake_end(hs, status, why);
}

/* Checks again at the end what OpenSSL skips when it resumes a session. */
static bool check_certificate(struct tls_handshake *hs, X509 *cert)
{
    if (hs->verify_name &&
        X509_check_host(cert, hs->name, 0, TLS_NAME_FLAGS, NULL) != 1) {
        refuse(hs, RPC_ENAME,
               base_asprintf("certificate of the server does not bear the "
                             "name %s",
                             hs->name));
        return false;
    }
    if (X509_cmp_current_time(X509_get0_notAfter(cert)) <= 0 &&
        (hs->is_server || hs->tls->verify_outgoing)) {
        refuse(hs, RPC_ETLS,
               base_asprintf("certificate of the %s has expired",
                             hs->is_server ? "client" : "server"));
        return false;
    }
    tls_peer_names(cert, &hs->peer);
    return true;
}

static bool check_alpn(struct tls_handshake *hs)
{
    const unsigned char *alpn = NULL;
    unsigned len = 0;
    const uint8_t *want = base_buf_data(&hs->alpns);

    SSL_get0_alpn_selected(hs->ssl_link->ssl, &alpn, &len);
    if (len < sizeof(hs->peer.alpn) && len > 0)
        memcpy(hs->peer.alpn, alpn, len);
    if (hs->is_server) {
        if (len > 0 || !hs->alpn_required)
            return true;
    } else if (base_buf_len(&hs->alpns) == 0) {
        if (len == 0)
            return true;
    } else if (len == want[0] && memcmp(alpn, want + 1, len) == 0) {
        return true;
    }
    refuse(hs, RPC_EALPN,
           len > 0 ? base_asprintf("server took the protocol \"%s\", which "
                                   "was not asked for",
                                   hs->peer.alpn)
                   : base_strdup("peer did not agree to a protocol by ALPN"));
    return false;
}

void tls_judge(struct tls_handshake *hs)
{
    X509 *cert = SSL_get1_peer_certificate(hs->ssl_link->ssl);
    bool good = true;

    hs->peer.secure = true;
    if (cert != NULL)
        good = check_certificate(hs, cert);
    else if (!hs->is_server) {
        refuse(hs, RPC_ENAME, base_strdup("server gave no certificate"));
        good = false;
    }
    X509_free(cert);
    if (!good || !check_alpn(hs))
        return;
    if (!hs->is_server)
        base_counter_add(
            base_metrics_counter(hs->tls->env->metrics,
                                 "isthmus.rpc.handshakes", "session",
                                 SSL_session_reused(hs->ssl_link->ssl) == 1
                                     ? "resumed"
                                     : "new"),
            1);
    tls_handshake_end(hs, 0, NULL);
}
