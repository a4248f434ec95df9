/*
 * Two TLS objects that shake hands over loopback, and the two streams that come
 * of it.
 */
#ifndef TESTS_LIBRPC_MEETING_H
#define TESTS_LIBRPC_MEETING_H

#include "world.h"

struct end {
    struct base_stream *stream;
    bool done;
    int status;
    char *why;
    struct rpc_peer peer;
};

struct meeting {
    struct world *world;
    struct rpc_tls *server_tls;
    struct rpc_tls *client_tls;
    const char *alpns[4];
    bool alpn_required;
    struct base_listener *listener;
    struct base_addr addr;
    struct end server;
    struct end client;
};

struct meeting *meeting_new(struct world *world, struct rpc_tls *server,
                            struct rpc_tls *client);
void meeting_free(struct meeting *meeting);
/** Connects to addr and shakes hands; both ends have a result afterwards. */
void meet_at(struct meeting *meeting, const struct base_addr *addr,
             const char *name, bool verify_name, const char *alpn);
/** The same, directly. */
void meet(struct meeting *meeting, const char *name, bool verify_name,
          const char *alpn);
/** done of a handshake; arg is a struct end. */
void end_on_secure(void *arg, int status, const char *why,
                   struct base_stream *stream, const struct rpc_peer *peer);
void end_close(struct end *end);

struct rpc_tls *meeting_open_tls(struct world *world, const char *ca_file,
                                 const struct certs_pair *pair, bool verify);
struct rpc_tls *meeting_tls(struct world *world, struct certs_ca *ca,
                            const char *const *names);

#endif
