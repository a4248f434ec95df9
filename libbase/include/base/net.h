/*
 * Sockets as a table: dial, listen, datagrams. libevent and the kernel behind
 * it in the daemon (base_loop_net()), virtual hosts in the simulator
 * (base_sim_host_net()). Cores do not see it; net transports, the server port
 * and the gateway do.
 *
 * Threads: the loop of the env that the net belongs to.
 */
#ifndef BASE_NET_H
#define BASE_NET_H

#include "base/addr.h"
#include "base/env.h"
#include "base/stream.h"

struct base_dial;     /* a dial under way */
struct base_listener; /* a listening socket */
struct base_packets;  /* a datagram socket */

/** status 0 and a stream (given), or an error and NULL. */
typedef void (*base_dial_fn)(void *arg, int status, struct base_stream *stream);
/** A new connection, given: keep or close it. */
typedef void (*base_accept_fn)(void *arg, struct base_stream *stream);
/** One datagram, borrowed for the call. */
typedef void (*base_packet_fn)(void *arg, const struct base_addr *from,
                               const void *data, size_t len);

struct base_net_ops {
    uint32_t version; /* 1 */
    int (*dial)(void *ctx, const struct base_addr *to,
                const struct base_addr *from, uint32_t timeout_ms,
                base_dial_fn done, void *arg, struct base_dial **out);
    void (*dial_cancel)(struct base_dial *dial);
    int (*listen)(void *ctx, const struct base_addr *at, base_accept_fn accept,
                  void *arg, struct base_listener **out);
    void (*listener_addr)(const struct base_listener *listener,
                          struct base_addr *out);
    void (*listener_close)(struct base_listener *listener);
    int (*packets)(void *ctx, const struct base_addr *at, base_packet_fn receive,
                   void *arg, struct base_packets **out);
    void (*packets_addr)(const struct base_packets *packets,
                         struct base_addr *out);
    int (*packets_send)(struct base_packets *packets, const struct base_addr *to,
                        const void *data, size_t len);
    void (*packets_close)(struct base_packets *packets);
};

struct base_net {
    const struct base_net_ops *ops;
    void *ctx;
    struct base_env *env;
};

/**
 * Starts to connect. done comes once, unless cancelled.
 * from     the local address to use (its port is ignored); NULL: any. Servers
 *          give their bind address, so that peers see one address a node.
 * *out     the dial, until done or base_net_dial_cancel(); may be NULL.
 * Returns 0, or an error found at once (done never comes).
 */
int base_net_dial(struct base_net *net, const struct base_addr *to,
                  const struct base_addr *from, uint32_t timeout_ms,
                  base_dial_fn done, void *arg, struct base_dial **out);
/** done will not come. */
void base_net_dial_cancel(struct base_net *net, struct base_dial *dial);

/** Listens; port 0 takes any. BASE_EINUSE, BASE_EADDR, BASE_EACCESS tell why
 * not. A full descriptor table pauses accepting, 5 ms doubling to 1 s. */
int base_net_listen(struct base_net *net, const struct base_addr *at,
                    base_accept_fn accept, void *arg,
                    struct base_listener **out);
void base_net_listener_addr(struct base_net *net,
                            const struct base_listener *listener,
                            struct base_addr *out);
void base_net_listener_close(struct base_net *net,
                             struct base_listener *listener);

/** Binds a datagram socket with a receive buffer of up to 2 MiB (halved until
 * the kernel accepts). Datagrams of up to 65,507 bytes; empty ones are dropped. */
int base_net_packets(struct base_net *net, const struct base_addr *at,
                     base_packet_fn receive, void *arg,
                     struct base_packets **out);
void base_net_packets_addr(struct base_net *net,
                           const struct base_packets *packets,
                           struct base_addr *out);
/** Sends one datagram now; never waits. BASE_EFULL if the kernel has no room. */
int base_net_packets_send(struct base_net *net, struct base_packets *packets,
                          const struct base_addr *to, const void *data,
                          size_t len);
void base_net_packets_close(struct base_net *net, struct base_packets *packets);

#endif
