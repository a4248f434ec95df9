/*
 * The entries of the daemon's net table, each in the file of its kind of
 * socket. All take a struct base_loop as ctx.
 */
#ifndef LIBBASE_NET_EVENT_H
#define LIBBASE_NET_EVENT_H

#include "loop_private.h"

/* dial_tcp.c */
int dial_tcp(void *ctx, const struct base_addr *to,
             const struct base_addr *from, uint32_t timeout_ms,
             base_dial_fn done, void *arg, struct base_dial **out);
void dial_tcp_cancel(struct base_dial *dial);

/* listen_tcp.c */
int listen_tcp(void *ctx, const struct base_addr *at, base_accept_fn accept,
               void *arg, struct base_listener **out);
void listen_tcp_addr(const struct base_listener *listener,
                     struct base_addr *out);
void listen_tcp_close(struct base_listener *listener);

/* packets_udp.c */
int packets_udp(void *ctx, const struct base_addr *at, base_packet_fn receive,
                void *arg, struct base_packets **out);
void packets_udp_addr(const struct base_packets *packets,
                      struct base_addr *out);
int packets_udp_send(struct base_packets *packets, const struct base_addr *to,
                     const void *data, size_t len);
void packets_udp_close(struct base_packets *packets);

#endif
