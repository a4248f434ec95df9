#include "port.h"

/* ---- a port that takes everything and keeps what it got ---- */

static void on_accept(void *arg, struct base_stream *stream,
                      const struct rpc_peer *peer)
{
    const struct port_arg *which = arg;
    struct port *port = which->port;

    ck_assert_uint_lt(port->got_count, GOT_MAX);
    /* What is handed over may move to another loop at once. */
    base_stream_detach(stream);
    base_stream_attach(stream, port->world->server.env);
    port->got[port->got_count++] =
        (struct got){port, which->protocol, stream, *peer};
}

struct port *port_new(struct world *world,
                             struct rpc_listener_config config, bool tls)
{
    struct port *port;
    int i;

    BASE_NEW(port);
    port->world = world;
    config.addr = world->server.addr;
    config.datacenter = "dc1";
    config.domain = "consul";
    if (tls) {
        port->id = identity_new(world, &world->server,
                                SERVER_NAMES("s1", "dc1"),
                                config.verify_incoming ? 0 : ID_NOT_VERIFYING);
        config.secure = &port->id->secure;
    }
    ck_assert_int_eq(rpc_listener_new(world->server.env, world->server.net,
                                      &config, &port->listener),
                     0);
    for (i = 0; i < RPC_PROTOCOL_COUNT; i++) {
        port->args[i].port = port;
        port->args[i].protocol = (enum rpc_protocol)i;
        rpc_listener_handle(port->listener, (enum rpc_protocol)i, on_accept,
                            &port->args[i]);
    }
    rpc_listener_addr(port->listener, &port->addr);
    return port;
}

struct port *mtls_port(struct world *world)
{
    return port_new(world,
                    (struct rpc_listener_config){.verify_incoming = true,
                                                 .federation = true},
                    true);
}

void port_free(struct port *port)
{
    rpc_listener_free(port->listener);
    while (port->got_count > 0)
        base_stream_close(port->got[--port->got_count].stream);
    if (port->id != NULL)
        identity_free(port->id);
    base_free(port);
}

struct got_wait {
    struct port *port;
    unsigned count;
};

static bool has_got(void *arg)
{
    struct got_wait *wait = arg;

    return wait->port->got_count >= wait->count;
}

void await_got(struct port *port, unsigned count)
{
    struct got_wait wait = {port, count};

    world_await(port->world, has_got, &wait);
    ck_assert_uint_eq(port->got_count, count);
}

/* ---- a client that does TLS by hand ---- */

static void on_secure(void *arg, int status, const char *why,
                      struct base_stream *stream, const struct rpc_peer *peer)
{
    struct client *client = arg;

    client->done = true;
    client->status = status;
    client->why = base_strdup(why);
    client->stream = stream;
    if (peer != NULL)
        client->peer = *peer;
}

struct client *client_start_for(struct port *port, struct identity *id,
                                       const char *name, const char *alpn,
                                       int byte)
{
    struct client *client;

    BASE_NEW(client);
    client->id = id;
    client->raw = raw_dial(port->world, &port->addr);
    base_stream_set_events(client->raw->stream, NULL, NULL);
    if (byte >= 0)
        raw_write(client->raw, "\x03", 1);
    ck_assert_int_eq(
        id->secure.ops->client(id->secure.ctx, client->raw->stream,
                               name, true, alpn, 15000, on_secure, client,
                               &client->handshake),
        0);
    client->raw->stream = NULL;
    return client;
}

struct client *client_start(struct port *port, struct identity *id,
                                   const char *alpn, int byte)
{
    return client_start_for(port, id, "server.dc1.consul", alpn, byte);
}

void client_await(struct port *port, struct client *client, int byte)
{
    uint8_t type = (uint8_t)byte;

    world_await_flag(port->world, &client->done);
    if (client->status == 0 && byte >= 0)
        ck_assert_int_eq(base_stream_write(client->stream, &type, 1), 0);
}

struct client *client_open(struct port *port, struct identity *id,
                                  const char *alpn, int byte)
{
    struct client *client = client_start(port, id, alpn, byte);

    client_await(port, client, byte);
    return client;
}

void client_free(struct client *client)
{
    if (!client->done)
        client->id->secure.ops->cancel(client->handshake);
    if (client->stream != NULL)
        base_stream_close(client->stream);
    raw_free(client->raw);
    base_free(client->why);
    base_free(client);
}
