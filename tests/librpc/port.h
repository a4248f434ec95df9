/*
 * A server port that takes everything and keeps what it got, and a client that
 * does TLS by hand.
 */
#ifndef TESTS_LIBRPC_PORT_H
#define TESTS_LIBRPC_PORT_H

#include "rpc/listener.h"
#include "world.h"

#define GOT_MAX 256

struct got {
    struct port *port;
    enum rpc_protocol protocol;
    struct base_stream *stream;
    struct rpc_peer peer;
};

struct port {
    struct world *world;
    struct identity *id;
    struct rpc_listener *listener;
    struct base_addr addr;
    struct got got[GOT_MAX];
    unsigned got_count;
    struct port_arg {
        struct port *port;
        enum rpc_protocol protocol;
    } args[RPC_PROTOCOL_COUNT];
};

struct port *port_new(struct world *world, struct rpc_listener_config config,
                      bool tls);
/** One that demands certificates, with federation on. */
struct port *mtls_port(struct world *world);
void port_free(struct port *port);
/** Waits until it has got so many, and no more. */
void await_got(struct port *port, unsigned count);

struct client {
    struct identity *id;
    struct raw *raw;
    struct base_stream *stream;
    struct rpc_handshake *handshake;
    bool done;
    int status;
    char *why;
    struct rpc_peer peer;
};

/** byte < 0: native TLS with alpn; otherwise byte 3, TLS, then byte. */
struct client *client_start_for(struct port *port, struct identity *id,
                                const char *name, const char *alpn, int byte);
/** The same, for the port's own name. */
struct client *client_start(struct port *port, struct identity *id,
                            const char *alpn, int byte);
void client_await(struct port *port, struct client *client, int byte);
struct client *client_open(struct port *port, struct identity *id,
                           const char *alpn, int byte);
void client_free(struct client *client);

#endif
