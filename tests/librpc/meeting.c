#include "meeting.h"

void end_on_secure(void *arg, int status, const char *why,
                   struct base_stream *stream, const struct rpc_peer *peer)
{
    struct end *end = arg;

    ck_assert_int_eq(status == 0, stream != NULL);
    ck_assert_int_eq(status != 0, why != NULL);
    end->done = true;
    end->status = status;
    end->why = base_strdup(why);
    end->stream = stream;
    if (peer != NULL)
        end->peer = *peer;
}

static void on_accept(void *arg, struct base_stream *stream)
{
    struct meeting *meeting = arg;
    struct rpc_secure secure = rpc_tls_secure(meeting->server_tls);

    ck_assert_int_eq(secure.ops->server(secure.ctx, stream, meeting->alpns,
                                        meeting->alpn_required, 5000,
                                        end_on_secure, &meeting->server, NULL),
                     0);
}

struct meeting *meeting_new(struct world *world, struct rpc_tls *server,
                            struct rpc_tls *client)
{
    struct meeting *meeting;

    BASE_NEW(meeting);
    meeting->world = world;
    meeting->server_tls = server;
    meeting->client_tls = client;
    ck_assert_int_eq(base_net_listen(world->server.net, &world->server.addr,
                                     on_accept, meeting, &meeting->listener),
                     0);
    base_net_listener_addr(world->server.net, meeting->listener,
                           &meeting->addr);
    return meeting;
}

void end_close(struct end *end)
{
    if (end->stream != NULL)
        base_stream_close(end->stream);
    base_free(end->why);
    *end = (struct end){0};
}

static void meeting_part(struct meeting *meeting)
{
    end_close(&meeting->server);
    end_close(&meeting->client);
}

void meeting_free(struct meeting *meeting)
{
    meeting_part(meeting);
    base_net_listener_close(meeting->world->server.net, meeting->listener);
    base_free(meeting);
}

void meet_at(struct meeting *meeting, const struct base_addr *addr,
             const char *name, bool verify_name, const char *alpn)
{
    struct rpc_secure secure = rpc_tls_secure(meeting->client_tls);
    struct raw *raw;

    meeting_part(meeting);
    raw = raw_dial(meeting->world, addr);
    base_stream_set_events(raw->stream, NULL, NULL);
    ck_assert_int_eq(secure.ops->client(secure.ctx, raw->stream, name,
                                        verify_name, alpn, 5000, end_on_secure,
                                        &meeting->client, NULL),
                     0);
    raw->stream = NULL;
    raw_free(raw);
    world_await_flag(meeting->world, &meeting->client.done);
    world_await_flag(meeting->world, &meeting->server.done);
}

void meet(struct meeting *meeting, const char *name, bool verify_name,
          const char *alpn)
{
    meet_at(meeting, &meeting->addr, name, verify_name, alpn);
}

struct rpc_tls *meeting_open_tls(struct world *world, const char *ca_file,
                                 const struct certs_pair *pair, bool verify)
{
    struct rpc_tls_config config = {.ca_file = ca_file,
                                    .verify_incoming = verify,
                                    .verify_outgoing = verify};
    struct rpc_tls *tls;
    char *why = NULL;

    if (pair != NULL) {
        config.cert_file = pair->cert_file;
        config.key_file = pair->key_file;
    }
    ck_assert_msg(rpc_tls_new(&config, world->client.env, &tls, &why) == 0,
                  "%s", why);
    return tls;
}

struct rpc_tls *meeting_tls(struct world *world, struct certs_ca *ca,
                            const char *const *names)
{
    struct certs_pair pair = certs_leaf(ca, names, 30);

    return meeting_open_tls(world, certs_ca_file(ca), &pair, true);
}
