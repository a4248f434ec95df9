#include "cli/path_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/alloc.h"
#include "base/error.h"
#include "rpc/protocol.h"

#define GATEWAY_PORT 8443
#define LISTEN_MS 300 /* for a refusal of our certificate, which comes late */

struct walk {
    const struct path_config *config;
    struct path_result *result;
    SSL_CTX *tls;
    SSL *ssl;
    int fd;
    int verify_error; /* the first; X509_V_OK: none */
};

const char *path_step_word(enum path_step step)
{
    static const char *const words[PATH_STEPS] = {
        "name", "tcp", "sni", "alpn", "certificate", "clock"};

    return step < PATH_STEPS ? words[step] : "done";
}

/* Ends the walk there; text is given. */
static bool stop(struct walk *walk, enum path_step step, char *text)
{
    walk->result->failed = step;
    walk->result->why = text;
    return false;
}

/* ---- name and TCP --------------------------------------------------------- */

static bool connect_in_time(int fd, const struct addrinfo *to,
                            uint32_t timeout_ms)
{
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    int error = 0;
    socklen_t len = sizeof(error);

    if (connect(fd, to->ai_addr, to->ai_addrlen) == 0)
        return true;
    if (errno != EINPROGRESS)
        return false;
    if (poll(&ready, 1, (int)timeout_ms) != 1) {
        errno = ETIMEDOUT;
        return false;
    }
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
    errno = error;
    return error == 0;
}

/* Blocking from here on, with the step's time as limit. */
static void set_blocking(const struct walk *walk)
{
    uint32_t ms = walk->config->timeout_ms;
    struct timeval limit = {ms / 1000, (suseconds_t)(ms % 1000) * 1000};

    fcntl(walk->fd, F_SETFL, fcntl(walk->fd, F_GETFL) & ~O_NONBLOCK);
    setsockopt(walk->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(walk->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

static bool go_to(struct walk *walk, const struct base_target *gateway)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list, *at;
    char port[8];
    int rv;

    snprintf(port, sizeof(port), "%u", gateway->port);
    rv = getaddrinfo(gateway->host, port, &hints, &list);
    if (rv != 0)
        return stop(walk, PATH_NAME, base_strdup(gai_strerror(rv)));
    for (at = list; at != NULL && walk->fd < 0; at = at->ai_next) {
        walk->fd = socket(at->ai_family,
                          SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (walk->fd >= 0 &&
            !connect_in_time(walk->fd, at, walk->config->timeout_ms)) {
            rv = errno;
            close(walk->fd);
            walk->fd = -1;
        }
    }
    freeaddrinfo(list);
    if (walk->fd < 0)
        return stop(walk, PATH_TCP, base_strdup(strerror(rv)));
    set_blocking(walk);
    return true;
}

/* ---- TLS ------------------------------------------------------------------ */

/* Goes on whatever is wrong, so that later steps can be told apart. */
static int on_certificate(int is_well, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(
        store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct walk *walk = SSL_get_app_data(ssl);

    if (!is_well && walk->verify_error == X509_V_OK)
        walk->verify_error = X509_STORE_CTX_get_error(store);
    return 1;
}

static bool is_silence(int error)
{
    return error == SSL_ERROR_WANT_READ ||
           (error == SSL_ERROR_SYSCALL && (errno == EAGAIN || errno == 0));
}

/* What the other said against us. */
static bool refused(struct walk *walk, int returned)
{
    int error = SSL_get_error(walk->ssl, returned);
    unsigned long said = ERR_peek_error();
    const char *words = ERR_reason_error_string(said);
    const char *name = walk->config->server_name;

    switch (ERR_GET_REASON(said)) {
    case SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL:
        return stop(walk, PATH_ALPN,
                    base_asprintf("who answers for %s does not speak %s", name,
                                  rpc_protocol_row(RPC_PROTOCOL_MULTI)->alpn));
    case SSL_R_TLSV1_UNRECOGNIZED_NAME:
        return stop(walk, PATH_SNI,
                    base_asprintf("who answers is not %s", name));
    }
    if (error == SSL_ERROR_SSL && words != NULL && strstr(words, "alert"))
        return stop(walk, PATH_CERTIFICATE,
                    base_asprintf("the server refuses ours: %s", words));
    if (error != SSL_ERROR_SSL && is_silence(error) && errno == EAGAIN)
        return stop(walk, PATH_SNI, base_strdup("no answer to the TLS hello"));
    return stop(walk, PATH_SNI,
                base_asprintf("closed after the TLS hello: no route for %s at "
                              "this gateway, or no server behind it",
                              name));
}

static bool shake_hands(struct walk *walk)
{
    const char *alpn = rpc_protocol_row(RPC_PROTOCOL_MULTI)->alpn;
    unsigned char list[64];
    size_t len = strlen(alpn);
    int rv;

    walk->ssl = SSL_new(walk->tls);
    list[0] = (unsigned char)len;
    memcpy(list + 1, alpn, len);
    SSL_set_alpn_protos(walk->ssl, list, (unsigned)len + 1);
    SSL_set_tlsext_host_name(walk->ssl, walk->config->server_name);
    SSL_set_app_data(walk->ssl, walk);
    SSL_set_verify(walk->ssl, SSL_VERIFY_PEER, on_certificate);
    SSL_set_fd(walk->ssl, walk->fd);
    ERR_clear_error();
    rv = SSL_connect(walk->ssl);
    return rv == 1 || refused(walk, rv);
}

static bool check_alpn(struct walk *walk)
{
    const unsigned char *got;
    unsigned len;

    SSL_get0_alpn_selected(walk->ssl, &got, &len);
    if (len > 0)
        return true;
    return stop(walk, PATH_ALPN,
                base_asprintf("who answers for %s knows no ALPN: no server of "
                              "Isthmus",
                              walk->config->server_name));
}

static bool is_of_time(int error)
{
    return error == X509_V_ERR_CERT_NOT_YET_VALID ||
           error == X509_V_ERR_CERT_HAS_EXPIRED;
}

static bool check_certificate(struct walk *walk)
{
    const char *name = walk->config->server_name;
    X509 *theirs = SSL_get0_peer_certificate(walk->ssl);
    const char *words = X509_verify_cert_error_string(walk->verify_error);

    if (walk->verify_error != X509_V_OK && !is_of_time(walk->verify_error))
        return stop(walk, PATH_CERTIFICATE, base_strdup(words));
    if (X509_check_host(theirs, name, 0, 0, NULL) != 1)
        return stop(walk, PATH_CERTIFICATE,
                    base_asprintf("it does not have the name %s", name));
    if (walk->verify_error != X509_V_OK)
        return stop(walk, PATH_CLOCK,
                    base_asprintf("%s: it, or the clock here, is wrong",
                                  words));
    return true;
}

/* TLS 1.3 lets us finish before the server has looked at our certificate. */
static bool hear_refusal(struct walk *walk)
{
    struct timeval limit = {0, LISTEN_MS * 1000};
    char byte;
    int rv;

    setsockopt(walk->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    ERR_clear_error();
    errno = 0;
    rv = SSL_peek(walk->ssl, &byte, 1);
    if (rv > 0 || is_silence(SSL_get_error(walk->ssl, rv)))
        return true;
    if (ERR_peek_error() != 0)
        return refused(walk, rv);
    return stop(walk, PATH_CERTIFICATE,
                base_strdup("the server hung up on ours"));
}

/* ---- the walk ------------------------------------------------------------- */

static int load(struct walk *walk, char **why)
{
    const struct path_config *config = walk->config;
    const char *file = config->ca_file;

    ERR_clear_error();
    if (SSL_CTX_load_verify_locations(walk->tls, file, NULL) == 1) {
        file = config->cert_file;
        if (file == NULL ||
            SSL_CTX_use_certificate_chain_file(walk->tls, file) == 1) {
            file = config->key_file;
            if (file == NULL ||
                SSL_CTX_use_PrivateKey_file(walk->tls, file,
                                            SSL_FILETYPE_PEM) == 1)
                return 0;
        }
    }
    *why = base_asprintf("\"%s\": %s", file,
                         ERR_reason_error_string(ERR_peek_last_error()));
    return BASE_EINVAL;
}

int path_walk(const struct path_config *config, const char *gateway,
              struct path_result *out, char **why)
{
    struct walk walk = {.config = config, .result = out, .fd = -1};
    struct base_target target;
    int rv = BASE_EINVAL;

    *out = (struct path_result){PATH_STEPS, NULL};
    if (base_target_parse(&target, gateway, GATEWAY_PORT) != 0) {
        *why = base_asprintf("\"%s\" is not host:port", gateway);
        return BASE_EINVAL;
    }
    walk.tls = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(walk.tls, TLS1_2_VERSION);
    rv = load(&walk, why);
    if (rv == 0 && go_to(&walk, &target) && shake_hands(&walk) &&
        check_alpn(&walk) && check_certificate(&walk))
        hear_refusal(&walk);
    SSL_free(walk.ssl);
    SSL_CTX_free(walk.tls);
    if (walk.fd >= 0)
        close(walk.fd);
    return rv;
}
