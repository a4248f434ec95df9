/*
 * Datagrams: lost, doubled and overtaking one another as their link says.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "sim_internal.h"

#define PACKET_BYTES_MAX 65507u /* what IPv4 carries in one UDP datagram */
#define MILLION 1000000u

struct base_packets {
    struct sim_socket socket; /* first */
    base_packet_fn receive;
    void *arg;
};

/* A datagram on its way. */
struct packet {
    struct sim_event event;
    struct base_sim_host *host;
    struct base_addr from;
    struct base_addr to;
    size_t len;
    uint8_t data[];
};

int sim_packets_open(void *ctx, const struct base_addr *at,
                     base_packet_fn receive, void *arg,
                     struct base_packets **out)
{
    struct sim_env *env = ctx;
    struct base_packets *packets;
    int rv;

    BASE_NEW(packets);
    packets->receive = receive;
    packets->arg = arg;
    rv = sim_socket_bind(&packets->socket, env, &env->host->packets, at);
    if (rv < 0) {
        base_free(packets);
        return rv;
    }
    *out = packets;
    return 0;
}

void sim_packets_addr(const struct base_packets *packets, struct base_addr *out)
{
    *out = packets->socket.addr;
}

void sim_packets_close(struct base_packets *packets)
{
    LIST_REMOVE(&packets->socket, link);
    base_free(packets);
}

void sim_packets_free_all(struct base_sim_host *host)
{
    while (!LIST_EMPTY(&host->packets)) {
        struct sim_socket *socket = LIST_FIRST(&host->packets);

        sim_packets_close(
            BASE_CONTAINER_OF(socket, struct base_packets, socket));
    }
}

static void lose(struct base_sim *sim, const char *label,
                 const struct base_addr *from, const struct base_addr *to,
                 size_t len)
{
    sim->stats.packets_lost++;
    sim_log_traffic(sim, label, "lost", from, to, len);
}

static void packet_fire(void *arg)
{
    struct packet *packet = arg;
    struct base_sim *sim = packet->event.sim;
    struct sim_socket *socket =
        sim_socket_find(&packet->host->packets, &packet->to);

    if (socket == NULL) {
        lose(sim, packet->host->name, &packet->from, &packet->to, packet->len);
    } else {
        struct base_packets *packets =
            BASE_CONTAINER_OF(socket, struct base_packets, socket);

        sim->stats.packets++;
        sim->stats.packet_bytes += packet->len;
        sim_log_traffic(sim, socket->env->label, "packet", &packet->from,
                        &packet->to, packet->len);
        packets->receive(packets->arg, &packet->from, packet->data,
                         packet->len); /* it may close packets */
    }
    sim_event_free(&packet->event);
}

static void put_on_wire(struct base_sim_host *host,
                        const struct base_sim_link *link,
                        const struct base_addr *from,
                        const struct base_addr *to, const void *data,
                        size_t len)
{
    struct base_sim *sim = host->sim;
    struct packet *packet =
        sim_event_new(sim, sizeof(*packet) + len, packet_fire, NULL);

    packet->host = host;
    packet->from = *from;
    packet->to = *to;
    packet->len = len;
    memcpy(packet->data, data, len);
    sim_event_start(&packet->event, sim->now_ns + sim_link_delay_ns(sim, link));
}

/* One in a million times ppm. Draws nothing for never. */
static bool chance(struct base_sim *sim, uint32_t ppm)
{
    return ppm > 0 && sim_rng_below(&sim->network_random, MILLION) < ppm;
}

int sim_packets_send(struct base_packets *packets, const struct base_addr *to,
                     const void *data, size_t len)
{
    struct sim_env *env = packets->socket.env;
    struct base_sim *sim = env->sim;
    struct base_sim_host *host;
    struct base_sim_link link;
    struct base_addr from;
    int rv;

    if (packets->socket.dead)
        return BASE_ECLOSED;
    if (len > PACKET_BYTES_MAX)
        return BASE_ETOOBIG;
    rv = sim_source_addr(env->host, &packets->socket.addr, to, &from);
    if (rv < 0 || len == 0)
        return rv;
    from.port = packets->socket.addr.port;
    host = sim_route(env->host, to);
    if (host != NULL)
        link = sim_link_ask(sim, env->host, host);
    if (host == NULL || !link.up || chance(sim, link.loss_ppm)) {
        lose(sim, env->label, &from, to, len);
        return 0;
    }
    if (chance(sim, link.duplicate_ppm))
        put_on_wire(host, &link, &from, to, data, len);
    put_on_wire(host, &link, &from, to, data, len);
    return 0;
}
