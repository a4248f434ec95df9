/*
 * UDP and TCP on one port: the transport of plain pools. Works on any
 * base_net, so on virtual networks too.
 * Threads: the loop of net.
 */
#ifndef GOSSIP_NET_TRANSPORT_H
#define GOSSIP_NET_TRANSPORT_H

#include "base/net.h"
#include "gossip/transport.h"

struct gossip_net_transport;
struct gossip_memberlist;

/** Binds TCP and UDP at the address; port 0 takes one that is free for both
 * (up to 10 tries). Errors as base_net_listen() has them. */
int gossip_net_transport_new(struct base_net *net, const struct base_addr *bind,
                             struct gossip_net_transport **out);
/** Where packets and streams go in; set it before the loop runs. */
void gossip_net_transport_attach(struct gossip_net_transport *transport,
                                 struct gossip_memberlist *memberlist);
struct gossip_transport
gossip_net_transport_ops(struct gossip_net_transport *transport);
void gossip_net_transport_addr(const struct gossip_net_transport *transport,
                               struct base_addr *out);
/** What to tell others where nobody said it: the bound address; of a wildcard,
 * a private address of an interface that is up, else a public one, loopback
 * last, and of each kind first that of the default route. The other candidates
 * are logged. BASE_ENOTFOUND if this host has none. */
int gossip_net_transport_advertise(const struct gossip_net_transport *transport,
                                   struct base_addr *out);
void gossip_net_transport_free(struct gossip_net_transport *transport);

#endif
