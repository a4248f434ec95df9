/*
 * See lossy_net.h. The operations of base_net carry no context of ours for a
 * packet that goes out, so the state is the process's; a peer has one listener
 * and one packet socket, each with one receiver.
 */
#include "lossy_net.h"

#include "base/error.h"

#define ACK 2
#define COMPOUND 7
#define CHECKSUM 12
#define CHECKSUM_BYTES 5

static struct {
    struct base_net net;
    struct base_net_ops ops;
    struct base_net *real;
    struct lossy_rules rules;
    base_accept_fn accept;
    void *accept_arg;
    base_packet_fn receive;
    void *receive_arg;
} lossy;

static bool is_lost(const struct base_addr *addr)
{
    for (size_t i = 0; i < lossy.rules.addr_count; i++)
        if (base_addr_ip_equal(&lossy.rules.addrs[i], addr))
            return true;
    return false;
}

/* It may be inside a checksum; in a compound the first part's type follows the
 * count and the lengths. */
static bool is_ack(const uint8_t *data, size_t len)
{
    if (len > CHECKSUM_BYTES && data[0] == CHECKSUM) {
        data += CHECKSUM_BYTES;
        len -= CHECKSUM_BYTES;
    }
    if (len > 2 && data[0] == COMPOUND && len > 2u + 2u * data[1])
        return data[2u + 2u * data[1]] == ACK;
    return len > 0 && data[0] == ACK;
}

static void on_accept(void *arg, struct base_stream *stream)
{
    (void)arg;
    if (lossy.rules.streams || is_lost(&stream->peer))
        base_stream_close(stream);
    else
        lossy.accept(lossy.accept_arg, stream);
}

static int listen_lossy(void *ctx, const struct base_addr *at,
                        base_accept_fn accept, void *arg,
                        struct base_listener **out)
{
    lossy.accept = accept;
    lossy.accept_arg = arg;
    return lossy.real->ops->listen(ctx, at, on_accept, NULL, out);
}

static int dial_lossy(void *ctx, const struct base_addr *to,
                      const struct base_addr *from, uint32_t timeout_ms,
                      base_dial_fn done, void *arg, struct base_dial **out)
{
    if (lossy.rules.streams || is_lost(to))
        return BASE_EUNREACH;
    return lossy.real->ops->dial(ctx, to, from, timeout_ms, done, arg, out);
}

static void on_packet(void *arg, const struct base_addr *from,
                      const void *data, size_t len)
{
    (void)arg;
    if (!is_lost(from))
        lossy.receive(lossy.receive_arg, from, data, len);
}

static int packets_lossy(void *ctx, const struct base_addr *at,
                         base_packet_fn receive, void *arg,
                         struct base_packets **out)
{
    lossy.receive = receive;
    lossy.receive_arg = arg;
    return lossy.real->ops->packets(ctx, at, on_packet, NULL, out);
}

static int send_lossy(struct base_packets *packets, const struct base_addr *to,
                      const void *data, size_t len)
{
    if (is_lost(to) || (lossy.rules.acks && is_ack(data, len)))
        return 0;
    return lossy.real->ops->packets_send(packets, to, data, len);
}

struct base_net *lossy_net(struct base_net *real)
{
    lossy.real = real;
    lossy.net = *real;
    lossy.ops = *real->ops;
    lossy.ops.listen = listen_lossy;
    lossy.ops.dial = dial_lossy;
    lossy.ops.packets = packets_lossy;
    lossy.ops.packets_send = send_lossy;
    lossy.net.ops = &lossy.ops;
    return &lossy.net;
}

void lossy_net_rules(const struct lossy_rules *rules)
{
    lossy.rules = *rules;
}
