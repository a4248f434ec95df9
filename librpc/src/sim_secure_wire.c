/*
 * The records of the simulator's stand-in for TLS: a real ClientHello (RFC 8446
 * section 4.1.2), application data that carries a card, and alerts.
 */
#include "sim_secure_wire.h"

#include <string.h>

#include "peer.h"
#include "rpc/error.h"

#define RECORD_ALERT 0x15
#define RECORD_HANDSHAKE 0x16
#define RECORD_DATA 0x17
#define TLS12 0x0303
#define TLS13 0x0304

static void append_text(struct base_buf *out, const char *text)
{
    size_t len = strlen(text);

    base_buf_append_u8(out, (uint8_t)len);
    base_buf_append(out, text, len);
}

static void append_extension(struct base_buf *out, uint16_t type,
                             const struct base_buf *body)
{
    base_buf_append_u16be(out, type);
    base_buf_append_u16be(out, (uint16_t)base_buf_len(body));
    base_buf_append(out, base_buf_data(body), base_buf_len(body));
}

static void append_server_name(struct base_buf *out, const char *name)
{
    struct base_buf body = BASE_BUF_INIT;
    size_t len = strlen(name);

    base_buf_append_u16be(&body, (uint16_t)(len + 3));
    base_buf_append_u8(&body, 0); /* host_name */
    base_buf_append_u16be(&body, (uint16_t)len);
    base_buf_append(&body, name, len);
    append_extension(out, 0, &body);
    base_buf_close(&body);
}

static void append_alpn(struct base_buf *out, const char *alpn)
{
    struct base_buf body = BASE_BUF_INIT;

    base_buf_append_u16be(&body, (uint16_t)(strlen(alpn) + 1));
    append_text(&body, alpn);
    append_extension(out, 16, &body);
    base_buf_close(&body);
}

static void append_versions(struct base_buf *out)
{
    struct base_buf body = BASE_BUF_INIT;

    base_buf_append_u8(&body, 4);
    base_buf_append_u16be(&body, TLS13);
    base_buf_append_u16be(&body, TLS12);
    append_extension(out, 43, &body);
    base_buf_close(&body);
}

static void append_record(struct base_buf *out, uint8_t type,
                          const struct base_buf *payload)
{
    base_buf_append_u8(out, type);
    base_buf_append_u16be(out, TLS12);
    base_buf_append_u16be(out, (uint16_t)base_buf_len(payload));
    base_buf_append(out, base_buf_data(payload), base_buf_len(payload));
}

void sim_write_hello(struct base_buf *out, const char *server_name,
                     const char *alpn)
{
    struct base_buf extensions = BASE_BUF_INIT;
    struct base_buf message = BASE_BUF_INIT;
    size_t body_len;

    append_server_name(&extensions, server_name);
    if (alpn != NULL)
        append_alpn(&extensions, alpn);
    append_versions(&extensions);
    body_len = 2 + 32 + 1 + 4 + 2 + 2 + base_buf_len(&extensions);
    base_buf_append_u8(&message, 1); /* client_hello */
    base_buf_append_u8(&message, 0);
    base_buf_append_u16be(&message, (uint16_t)body_len);
    base_buf_append_u16be(&message, TLS12);
    base_buf_append(&message, "simulated: no secret, no proof..", 32);
    base_buf_append_u8(&message, 0);      /* session id */
    base_buf_append_u16be(&message, 2);   /* cipher suites */
    base_buf_append_u16be(&message, 0x1301);
    base_buf_append_u16be(&message, 0x0100); /* one compression: none */
    base_buf_append_u16be(&message, (uint16_t)base_buf_len(&extensions));
    base_buf_append(&message, base_buf_data(&extensions),
                    base_buf_len(&extensions));
    append_record(out, RECORD_HANDSHAKE, &message);
    base_buf_close(&extensions);
    base_buf_close(&message);
}

void sim_write_card(struct base_buf *out, const struct sim_card *card)
{
    struct base_buf payload = BASE_BUF_INIT;
    unsigned i;

    append_text(&payload, card->alpn);
    append_text(&payload, card->ca);
    base_buf_append_u8(&payload, (uint8_t)card->names.name_count);
    for (i = 0; i < card->names.name_count; i++)
        append_text(&payload, card->names.names[i]);
    append_record(out, RECORD_DATA, &payload);
    base_buf_close(&payload);
}

void sim_write_alert(struct base_buf *out, uint8_t alert)
{
    struct base_buf payload = BASE_BUF_INIT;

    base_buf_append_u8(&payload, 2); /* fatal */
    base_buf_append_u8(&payload, alert);
    append_record(out, RECORD_ALERT, &payload);
    base_buf_close(&payload);
}

static void read_text(struct base_cursor *cursor, char *out, size_t size)
{
    size_t len = base_cursor_u8(cursor);
    const uint8_t *bytes = base_cursor_bytes(cursor, len);

    if (bytes == NULL || len >= size || memchr(bytes, 0, len) != NULL) {
        cursor->failed = true;
        return;
    }
    memcpy(out, bytes, len);
    out[len] = '\0';
}

static int read_payload(struct base_cursor *cursor, struct sim_card *out)
{
    unsigned count;
    unsigned i;

    memset(out, 0, sizeof(*out));
    read_text(cursor, out->alpn, sizeof(out->alpn));
    read_text(cursor, out->ca, sizeof(out->ca));
    count = base_cursor_u8(cursor);
    for (i = 0; i < count && !cursor->failed; i++) {
        char name[254];

        read_text(cursor, name, sizeof(name));
        if (!cursor->failed)
            rpc_peer_add_name(&out->names, name, strlen(name));
    }
    return cursor->failed || base_cursor_left(cursor) > 0 ? RPC_EPEER : 0;
}

int64_t sim_read_card(const void *data, size_t len, struct sim_card *out,
                      int *alert)
{
    struct base_cursor cursor = base_cursor_of(data, len);
    uint8_t type = base_cursor_u8(&cursor);
    uint16_t version = base_cursor_u16be(&cursor);
    size_t payload_len = base_cursor_u16be(&cursor);
    const uint8_t *payload;

    *alert = -1;
    if (cursor.failed)
        return 0;
    if ((type != RECORD_DATA && type != RECORD_ALERT) || version != TLS12 ||
        payload_len > 8192)
        return RPC_EPEER;
    payload = base_cursor_bytes(&cursor, payload_len);
    if (payload == NULL)
        return 0;
    if (type == RECORD_ALERT) {
        if (payload_len != 2)
            return RPC_EPEER;
        *alert = payload[1];
        return 7;
    }
    cursor = base_cursor_of(payload, payload_len);
    return read_payload(&cursor, out) < 0 ? RPC_EPEER
                                          : (int64_t)(5 + payload_len);
}
