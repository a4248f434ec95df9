/*
 * Datagrams: received in batches with recvmmsg(2), a bounded number in a turn
 * of the loop, sent one by one.
 */
#include "packets_udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "net_event.h"
#include "socket.h"

#define DATAGRAM_BYTES_MAX 65536u
#define BATCH_COUNT 16u
#define BATCHES_PER_TURN 8
#define RECEIVE_BUFFER_BYTES (2 * 1024 * 1024) /* gossip.md 1.12 */

struct packet_batch {
    struct mmsghdr headers[BATCH_COUNT];
    struct iovec parts[BATCH_COUNT];
    struct sockaddr_storage from[BATCH_COUNT];
    uint8_t bytes[BATCH_COUNT][DATAGRAM_BYTES_MAX];
};

struct base_packets {
    struct base_loop *loop;
    int fd;
    int family; /* 4 or 6: of the socket */
    struct event event;
    base_packet_fn receive;
    void *arg;
    bool receiving; /* within a callback: close leaves freeing to us */
    bool closed;
    struct base_counter *empty;
};

static struct packet_batch *batch_new(void)
{
    struct packet_batch *batch = base_alloc(sizeof(*batch));
    size_t i;

    for (i = 0; i < BATCH_COUNT; i++) {
        batch->parts[i] =
            (struct iovec){batch->bytes[i], sizeof(batch->bytes[i])};
        batch->headers[i] =
            (struct mmsghdr){.msg_hdr = {.msg_name = &batch->from[i],
                                         .msg_iov = &batch->parts[i],
                                         .msg_iovlen = 1}};
    }
    return batch;
}

void packet_batch_free(struct packet_batch *batch)
{
    base_free(batch);
}

static void deliver_one(struct base_packets *packets,
                        const struct packet_batch *batch, size_t i)
{
    size_t len = batch->headers[i].msg_len;
    struct base_addr from;

    if (len == 0)
        base_counter_add(packets->empty, 1);
    else if (base_addr_from_sockaddr(
                 &from, (const struct sockaddr *)&batch->from[i]) == 0)
        packets->receive(packets->arg, &from, batch->bytes[i], len);
}

/* False if the user closed the socket. */
static bool deliver(struct base_packets *packets,
                    const struct packet_batch *batch, size_t count)
{
    size_t i;

    packets->receiving = true;
    for (i = 0; i < count && !packets->closed; i++)
        deliver_one(packets, batch, i);
    packets->receiving = false;
    if (!packets->closed)
        return true;
    base_free(packets);
    return false;
}

static void on_packets(evutil_socket_t fd, short what, void *arg)
{
    struct base_packets *packets = arg;
    struct packet_batch *batch = packets->loop->batch;
    int left = BATCHES_PER_TURN;

    (void)what;
    while (left-- > 0) {
        size_t i;
        int got;

        for (i = 0; i < BATCH_COUNT; i++)
            batch->headers[i].msg_hdr.msg_namelen = sizeof(batch->from[i]);
        got = recvmmsg(fd, batch->headers, BATCH_COUNT, MSG_DONTWAIT, NULL);
        /* Errors here are news about packets sent before (ICMP): the socket
         * itself stays good. */
        if (got <= 0 || !deliver(packets, batch, (size_t)got) ||
            (unsigned)got < BATCH_COUNT)
            return;
    }
}

static void set_receive_buffer(int fd)
{
    int bytes;

    for (bytes = RECEIVE_BUFFER_BYTES; bytes > 0; bytes /= 2)
        if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) == 0)
            return;
}

int packets_udp(void *ctx, const struct base_addr *at, base_packet_fn receive,
                void *arg, struct base_packets **out)
{
    struct base_loop *loop = ctx;
    struct base_packets *packets;
    int fd = socket_open(at, SOCK_DGRAM);
    int rv;

    if (fd < 0)
        return fd;
    set_receive_buffer(fd);
    rv = socket_bind(fd, at);
    if (rv < 0) {
        close(fd);
        return rv;
    }
    if (loop->batch == NULL)
        loop->batch = batch_new();
    BASE_NEW(packets);
    *packets = (struct base_packets){.loop = loop,
                                     .fd = fd,
                                     .family = at->family,
                                     .receive = receive,
                                     .arg = arg};
    packets->empty = base_metrics_counter(
        loop->env.metrics, "isthmus.net.packets_empty", NULL, NULL);
    event_assign(&packets->event, loop->base, fd, EV_READ | EV_PERSIST,
                 on_packets, packets);
    event_add(&packets->event, NULL);
    *out = packets;
    return 0;
}

void packets_udp_addr(const struct base_packets *packets, struct base_addr *out)
{
    socket_local_addr(packets->fd, out);
}

/* The destination in the socket's own family; 0 if it has no such form. */
static unsigned destination(const struct base_packets *packets,
                            const struct base_addr *to,
                            struct sockaddr_storage *out)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
                               .sin6_port = htons(to->port)};

    if (to->family == packets->family)
        return base_addr_to_sockaddr(to, out);
    if (to->family != 4)
        return 0;
    in6.sin6_addr.s6_addr[10] = 0xff;
    in6.sin6_addr.s6_addr[11] = 0xff;
    memcpy(&in6.sin6_addr.s6_addr[12], to->ip, 4);
    memcpy(out, &in6, sizeof(in6));
    return sizeof(in6);
}

int packets_udp_send(struct base_packets *packets, const struct base_addr *to,
                     const void *data, size_t len)
{
    struct sockaddr_storage sa;
    unsigned sa_len = destination(packets, to, &sa);
    ssize_t sent;

    if (to->family == 0 || len == 0)
        return BASE_EINVAL;
    if (sa_len == 0)
        return BASE_EUNREACH;
    do {
        sent = sendto(packets->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL,
                      (struct sockaddr *)&sa, sa_len);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? base_error_from_errno(errno) : 0;
}

void packets_udp_close(struct base_packets *packets)
{
    event_del(&packets->event);
    close(packets->fd);
    packets->closed = true;
    if (!packets->receiving)
        base_free(packets);
}
