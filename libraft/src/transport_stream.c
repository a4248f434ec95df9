/*
 * Connections by server id. A message goes on the connection there is, or a
 * dial starts and a little waits for it; more is dropped, and Raft sends again.
 */
#include "raft/transport_stream.h"

#include <string.h>
#include <sys/queue.h>

#include "base/alloc.h"
#include "base/error.h"
#include "configuration.h"

#define HELLO_BYTES 8u
#define FRAME_BYTES_MAX (4u << 20)
#define CONNECTIONS_MAX 64u
#define DIAL_TIMEOUT_MS 1000u
#define DIAL_PAUSE_MS 100u             /* after one that failed */
#define WAITING_BYTES_MAX (1u << 20)   /* for a dial under way */
#define PENDING_BYTES_MAX (16u << 20)  /* in a connection: two windows */

static const char hello_magic[HELLO_BYTES] = {'i', 's', 't', 'h',
                                              'r', 'f', 't', '1'};

struct connection {
    LIST_ENTRY(connection) link;
    struct raft_transport_stream *transport;
    char id[RAFT_ID_MAX]; /* "" until its hello */
    struct base_stream *stream; /* NULL while dialling */
    struct base_dial *dial;
    struct base_buf waiting;
};

/* A server that could not be reached, and when to try again. */
struct pause {
    LIST_ENTRY(pause) link;
    char id[RAFT_ID_MAX];
    uint64_t until_ms;
};

struct raft_transport_stream {
    struct base_net *net;
    struct base_listener *listener;
    struct raft_node *node;
    char id[RAFT_ID_MAX];
    LIST_HEAD(, connection) connections;
    size_t connection_count;
    LIST_HEAD(, pause) pauses;
};

static struct connection *connection_new(struct raft_transport_stream *t)
{
    struct connection *connection;

    BASE_NEW(connection);
    connection->transport = t;
    LIST_INSERT_HEAD(&t->connections, connection, link);
    t->connection_count++;
    return connection;
}

static void connection_free(struct connection *connection)
{
    struct raft_transport_stream *t = connection->transport;

    if (connection->dial != NULL)
        base_net_dial_cancel(t->net, connection->dial);
    if (connection->stream != NULL)
        base_stream_close(connection->stream);
    base_buf_close(&connection->waiting);
    LIST_REMOVE(connection, link);
    t->connection_count--;
    base_free(connection);
}

/* One that works, or else one that is being dialled. */
static struct connection *find(struct raft_transport_stream *t, const char *id)
{
    struct connection *connection;
    struct connection *dialling = NULL;

    LIST_FOREACH(connection, &t->connections, link) {
        if (strcmp(connection->id, id) != 0)
            continue;
        if (connection->stream != NULL)
            return connection;
        dialling = connection;
    }
    return dialling;
}

/* ---- reading ---- */

/* 1 when the hello is complete, 0 when more is needed, negative if it is
 * none. */
static int read_hello(struct connection *connection)
{
    struct base_cursor cursor =
        base_cursor_of(base_stream_data(connection->stream),
                       base_stream_len(connection->stream));
    const uint8_t *magic, *id;
    size_t len;

    magic = base_cursor_bytes(&cursor, HELLO_BYTES);
    len = base_cursor_u16be(&cursor);
    if (magic != NULL && memcmp(magic, hello_magic, HELLO_BYTES) != 0)
        return RAFT_EDECODE;
    if (cursor.failed)
        return 0;
    if (len == 0 || len >= RAFT_ID_MAX)
        return RAFT_EDECODE;
    id = base_cursor_bytes(&cursor, len);
    if (id == NULL)
        return 0;
    memcpy(connection->id, id, len);
    base_stream_consume(connection->stream, HELLO_BYTES + 2 + len);
    return 1;
}

/* The same for a frame, which goes to the node. */
static int read_frame(struct connection *connection)
{
    struct raft_transport_stream *t = connection->transport;
    struct base_cursor cursor =
        base_cursor_of(base_stream_data(connection->stream),
                       base_stream_len(connection->stream));
    size_t len = base_cursor_u32be(&cursor);
    const uint8_t *data;

    if (cursor.failed)
        return 0;
    if (len > FRAME_BYTES_MAX)
        return RAFT_ETOOBIG;
    data = base_cursor_bytes(&cursor, len);
    if (data == NULL)
        return 0;
    if (t->node != NULL)
        raft_node_receive(t->node, data, len);
    base_stream_consume(connection->stream, 4 + len);
    return 1;
}

static void on_readable(void *arg)
{
    struct connection *connection = arg;
    int rv = 1;

    while (rv > 0)
        rv = connection->id[0] == '\0' ? read_hello(connection)
                                       : read_frame(connection);
    if (rv < 0)
        connection_free(connection);
}

static void on_closed(void *arg, int err)
{
    (void)err;
    connection_free(arg);
}

static const struct base_stream_events stream_events = {
    .on_readable = on_readable, .on_closed = on_closed};

static void take_stream(struct connection *connection,
                        struct base_stream *stream)
{
    connection->stream = stream;
    base_stream_set_in_limit(stream, FRAME_BYTES_MAX + 4);
    base_stream_set_events(stream, &stream_events, connection);
}

static void on_accept(void *arg, struct base_stream *stream)
{
    struct raft_transport_stream *t = arg;

    if (t->connection_count >= CONNECTIONS_MAX)
        base_stream_close(stream);
    else
        take_stream(connection_new(t), stream);
}

/* ---- dialling and writing ---- */

static struct pause *find_pause(struct raft_transport_stream *t,
                                const char *id)
{
    struct pause *pause;

    LIST_FOREACH(pause, &t->pauses, link) {
        if (strcmp(pause->id, id) == 0)
            return pause;
    }
    return NULL;
}

static void set_pause(struct raft_transport_stream *t, const char *id)
{
    struct pause *pause = find_pause(t, id);

    if (pause == NULL) {
        BASE_NEW(pause);
        text_copy(pause->id, sizeof(pause->id), id);
        LIST_INSERT_HEAD(&t->pauses, pause, link);
    }
    pause->until_ms = base_env_now_ms(t->net->env) + DIAL_PAUSE_MS;
}

static void on_dialled(void *arg, int status, struct base_stream *stream)
{
    struct connection *connection = arg;
    struct raft_transport_stream *t = connection->transport;
    struct base_buf hello = BASE_BUF_INIT;

    connection->dial = NULL;
    if (status < 0) {
        set_pause(t, connection->id);
        connection_free(connection);
        return;
    }
    take_stream(connection, stream);
    base_buf_append(&hello, hello_magic, HELLO_BYTES);
    base_buf_append_u16be(&hello, (uint16_t)strlen(t->id));
    base_buf_append(&hello, t->id, strlen(t->id));
    base_buf_append(&hello, base_buf_data(&connection->waiting),
                    base_buf_len(&connection->waiting));
    base_buf_close(&connection->waiting);
    /* An error shows as the end of the stream. */
    (void)base_stream_write(stream, base_buf_data(&hello),
                            base_buf_len(&hello));
    base_buf_close(&hello);
}

static int start_dial(struct raft_transport_stream *t,
                      const struct raft_server *to, struct connection **out)
{
    struct pause *pause = find_pause(t, to->id);
    struct connection *connection;
    struct base_addr addr;
    int rv;

    if (base_addr_parse(&addr, to->address, 0) < 0)
        return BASE_EUNREACH;
    if (t->connection_count >= CONNECTIONS_MAX ||
        (pause != NULL && base_env_now_ms(t->net->env) < pause->until_ms))
        return BASE_EFULL;
    connection = connection_new(t);
    text_copy(connection->id, sizeof(connection->id), to->id);
    rv = base_net_dial(t->net, &addr, NULL, DIAL_TIMEOUT_MS, on_dialled,
                       connection, &connection->dial);
    if (rv < 0) {
        connection_free(connection);
        return rv;
    }
    *out = connection;
    return 0;
}

static int transport_send(void *ctx, const struct raft_server *to,
                          const void *data, size_t len)
{
    struct raft_transport_stream *t = ctx;
    struct connection *connection = find(t, to->id);
    uint8_t head[4] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16),
                       (uint8_t)(len >> 8), (uint8_t)len};
    int rv;

    if (len > FRAME_BYTES_MAX)
        return BASE_ETOOBIG;
    if (connection == NULL) {
        rv = start_dial(t, to, &connection);
        if (rv < 0)
            return rv;
    }
    if (connection->stream == NULL) {
        if (base_buf_len(&connection->waiting) + len > WAITING_BYTES_MAX)
            return BASE_EFULL;
        base_buf_append(&connection->waiting, head, sizeof(head));
        base_buf_append(&connection->waiting, data, len);
        return 0;
    }
    if (base_stream_pending(connection->stream) + len > PENDING_BYTES_MAX)
        return BASE_EFULL;
    rv = base_stream_write(connection->stream, head, sizeof(head));
    return rv < 0 ? rv : base_stream_write(connection->stream, data, len);
}

static void transport_flush(void *ctx)
{
    struct raft_transport_stream *t = ctx;
    struct connection *connection;

    LIST_FOREACH(connection, &t->connections, link) {
        if (connection->stream != NULL)
            base_stream_flush(connection->stream);
    }
}

/* ---- life ---- */

int raft_transport_stream_new(struct base_net *net, const char *id,
                              const struct base_addr *at,
                              struct raft_transport_stream **out)
{
    struct raft_transport_stream *t;
    int rv;

    *out = NULL;
    BASE_NEW(t);
    t->net = net;
    LIST_INIT(&t->connections);
    LIST_INIT(&t->pauses);
    rv = text_copy(t->id, sizeof(t->id), id) && id[0] != '\0' ? 0
                                                              : RAFT_EINVAL;
    if (rv == 0)
        rv = base_net_listen(net, at, on_accept, t, &t->listener);
    if (rv < 0) {
        base_free(t);
        return rv;
    }
    *out = t;
    return 0;
}

void raft_transport_stream_free(struct raft_transport_stream *t)
{
    struct pause *pause;

    if (t == NULL)
        return;
    base_net_listener_close(t->net, t->listener);
    while (!LIST_EMPTY(&t->connections))
        connection_free(LIST_FIRST(&t->connections));
    while ((pause = LIST_FIRST(&t->pauses)) != NULL) {
        LIST_REMOVE(pause, link);
        base_free(pause);
    }
    base_free(t);
}

void raft_transport_stream_addr(const struct raft_transport_stream *t,
                                struct base_addr *out)
{
    base_net_listener_addr(t->net, t->listener, out);
}

void raft_transport_stream_set_node(struct raft_transport_stream *t,
                                    struct raft_node *node)
{
    t->node = node;
}

struct raft_transport
raft_transport_stream_table(struct raft_transport_stream *t)
{
    static const struct raft_transport_ops ops = {.version = 2,
                                                  .send = transport_send,
                                                  .flush = transport_flush};

    return (struct raft_transport){&ops, t};
}
