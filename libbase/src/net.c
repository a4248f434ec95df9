/*
 * The calls of base/net.h, which only pass on to the table of the net.
 */
#include "base/net.h"

int base_net_dial(struct base_net *net, const struct base_addr *to,
                  const struct base_addr *from, uint32_t timeout_ms,
                  base_dial_fn done, void *arg, struct base_dial **out)
{
    return net->ops->dial(net->ctx, to, from, timeout_ms, done, arg, out);
}

void base_net_dial_cancel(struct base_net *net, struct base_dial *dial)
{
    net->ops->dial_cancel(dial);
}

int base_net_listen(struct base_net *net, const struct base_addr *at,
                    base_accept_fn accept, void *arg,
                    struct base_listener **out)
{
    return net->ops->listen(net->ctx, at, accept, arg, out);
}

void base_net_listener_addr(struct base_net *net,
                            const struct base_listener *listener,
                            struct base_addr *out)
{
    net->ops->listener_addr(listener, out);
}

void base_net_listener_close(struct base_net *net,
                             struct base_listener *listener)
{
    net->ops->listener_close(listener);
}

int base_net_packets(struct base_net *net, const struct base_addr *at,
                     base_packet_fn receive, void *arg,
                     struct base_packets **out)
{
    return net->ops->packets(net->ctx, at, receive, arg, out);
}

void base_net_packets_addr(struct base_net *net,
                           const struct base_packets *packets,
                           struct base_addr *out)
{
    net->ops->packets_addr(packets, out);
}

int base_net_packets_send(struct base_net *net, struct base_packets *packets,
                          const struct base_addr *to, const void *data,
                          size_t len)
{
    return net->ops->packets_send(packets, to, data, len);
}

void base_net_packets_close(struct base_net *net, struct base_packets *packets)
{
    net->ops->packets_close(packets);
}
