/*
 * What a peer sends on a multiplexed connection. The first byte chooses the
 * side that hears it; the rest is a list of frames to make, of any length and
 * with any mistake, so that long messages are reached by short inputs.
 * Property: what the mux says is frames, hello first, and no request has two
 * answers; a message that is told has the length that its head says; a head
 * that reads writes again as the same.
 * needs: rpc base
 * covers: librpc/src/frame.c
 * covers: librpc/src/mux.c
 * covers: librpc/src/mux_in.c
 * covers: librpc/src/mux_out.c
 */
#include "fuzz.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/sim.h"
#include "mux.h"
#include "rpc/error.h"

#define IDS 64u /* that are counted; others go uncounted */
#define MESSAGE_BYTES_MAX 300000u

/* ---- a stream that keeps what is written ---- */

struct wire {
    struct base_stream base; /* first */
    struct base_buf out;
    bool shut;
};

static struct wire *wire_of(const struct base_stream *stream)
{
    return (struct wire *)(uintptr_t)stream;
}

static int wire_write(struct base_stream *stream, const void *data, size_t len)
{
    struct wire *wire = wire_of(stream);

    if (wire->shut)
        return BASE_ECLOSED;
    base_buf_append(&wire->out, data, len);
    return 0;
}

static size_t wire_pending(const struct base_stream *stream)
{
    return base_buf_len(&wire_of(stream)->out);
}

static void wire_shutdown(struct base_stream *stream)
{
    wire_of(stream)->shut = true;
}

static void wire_ignore(struct base_stream *stream)
{
    (void)stream;
}

static void wire_close(struct base_stream *stream)
{
    base_buf_close(&wire_of(stream)->out);
    base_stream_fini(stream);
    base_free(stream);
}

static const struct base_stream_ops wire_ops = {
    .version = 1,
    .write = wire_write,
    .pending = wire_pending,
    .shutdown = wire_shutdown,
    .consumed = wire_ignore,
    .close = wire_close,
};

/* ---- who uses the mux ---- */

struct user {
    struct base_sim *sim;
    struct base_env *env;
    struct wire *wire;
    struct rpc_mux *mux; /* NULL when it has ended */
    bool server;
    bool greeted;            /* its hello has been seen */
    unsigned load;
    uint8_t answers[IDS];    /* of each request */
    uint32_t wanted[IDS];    /* bytes that on_begin was told of, plus one */
};

static int on_begin(void *arg, const struct frame_head *head)
{
    struct user *user = arg;

    if (head->id % 8 == 6) { /* a user may end it at any time */
        rpc_mux_free(user->mux);
        user->mux = NULL;
        return RPC_ECANCELLED;
    }
    if (head->id < IDS)
        user->wanted[head->id] = head->total + 1;
    return head->total > MESSAGE_BYTES_MAX || head->id % 8 == 7 ||
                   rpc_mux_partial_count(user->mux) >= 8
               ? RPC_EBUSY
               : 0;
}

static void answer(struct user *user, uint32_t id, size_t len)
{
    uint8_t *body = base_calloc(1, len + 1);
    struct frame_start start;

    frame_write_response(&start, id, len % 3 == 0 ? RPC_EDENIED : 0, "no\n",
                         (uint32_t)len);
    rpc_mux_send(user->mux, id, &start, body, len);
    base_free(body);
}

static void on_message(void *arg, const struct frame_head *head,
                       uint64_t arrived_ms, const void *body, size_t len,
                       struct base_buf *own)
{
    struct user *user = arg;

    (void)arrived_ms;
    FUZZ_REQUIRE(len == head->total);
    FUZZ_REQUIRE(head->id >= IDS || user->wanted[head->id] == len + 1);
    FUZZ_REQUIRE(own == NULL || base_buf_len(own) == len);
    FUZZ_REQUIRE(head->is_request == user->server);
    if (user->server)
        answer(user, head->id,
               len > 0 ? ((const uint8_t *)body)[len - 1] * 1024u : 0);
}

static void on_cancel(void *arg, uint32_t id)
{
    FUZZ_REQUIRE(((struct user *)arg)->server);
    (void)id;
}

static void on_goaway(void *arg, uint32_t last_id)
{
    struct user *user = arg;

    FUZZ_REQUIRE(!user->server);
    rpc_mux_cancel(user->mux, last_id);
}

static void on_idle(void *arg)
{
    struct user *user = arg;

    if (user->server)
        rpc_mux_goaway(user->mux);
}

static void on_end(void *arg, int err, const char *why)
{
    struct user *user = arg;

    FUZZ_REQUIRE(err < 0 && why[0] != '\0');
    rpc_mux_free(user->mux);
    user->mux = NULL;
    user->wire = NULL;
}

static const struct rpc_mux_events events = {
    .on_begin = on_begin,
    .on_message = on_message,
    .on_cancel = on_cancel,
    .on_goaway = on_goaway,
    .on_idle = on_idle,
    .on_end = on_end,
};

/* ---- what it says ---- */

static void same_head(const struct frame *frame, bool ours)
{
    struct frame_head head, again;
    struct frame_start start;
    struct frame copy = *frame;
    struct base_buf payload = BASE_BUF_INIT;
    const uint8_t *part;
    size_t part_len;

    if (frame_read_head(frame, &head, &part, &part_len) < 0) {
        FUZZ_REQUIRE(!ours);
        return;
    }
    if (head.is_request)
        frame_write_request(&start, head.id, head.method, head.token,
                            head.timeout_ms, head.hops, head.total);
    else
        frame_write_response(&start, head.id, head.status, head.text,
                             head.total);
    FUZZ_REQUIRE(start.len + part_len == FRAME_HEADER_BYTES + frame->len);
    base_buf_append(&payload, start.bytes + FRAME_HEADER_BYTES,
                    start.len - FRAME_HEADER_BYTES);
    base_buf_append(&payload, part, part_len);
    copy.payload = base_buf_data(&payload);
    memset(&again, 0, sizeof(again));
    FUZZ_REQUIRE(frame_read_head(&copy, &again, &part, &part_len) == 0);
    FUZZ_REQUIRE(again.total == head.total && again.status == head.status &&
                 again.hops == head.hops &&
                 again.timeout_ms == head.timeout_ms &&
                 strcmp(again.method, head.method) == 0 &&
                 strcmp(again.token, head.token) == 0 &&
                 strcmp(again.text, head.text) == 0);
    base_buf_close(&payload);
}

static void check_said(struct user *user, const struct frame *frame)
{
    FUZZ_REQUIRE(user->greeted == (frame->type != FRAME_HELLO));
    user->greeted = true;
    if (frame->type == FRAME_REQUEST || frame->type == FRAME_RESPONSE)
        same_head(frame, true);
    FUZZ_REQUIRE(frame->type != FRAME_RESPONSE || frame->id >= IDS ||
                 user->answers[frame->id]++ == 0);
}

static void take_said(struct user *user)
{
    struct frame frame;
    int64_t used;

    while (user->mux != NULL && base_buf_len(&user->wire->out) > 0) {
        struct base_buf *out = &user->wire->out;

        used = frame_read(base_buf_data(out), base_buf_len(out), &frame);
        FUZZ_REQUIRE(used > 0);
        check_said(user, &frame);
        base_buf_consume(out, (size_t)used);
        if (base_buf_len(out) == 0)
            base_stream_tell_drained(&user->wire->base);
    }
}

/* ---- what it hears ---- */

static uint32_t number(struct base_cursor *cursor)
{
    uint8_t byte = base_cursor_u8(cursor);

    return byte < 250 ? byte : base_cursor_u32be(cursor);
}

/* The head of a message, in its order; the rest of its first part follows. */
static void make_head(struct base_cursor *cursor, bool request,
                      struct base_buf *payload)
{
    uint32_t total = number(cursor) << base_cursor_u8(cursor) % 16;
    uint8_t m = base_cursor_u8(cursor), t = base_cursor_u8(cursor);
    size_t part;

    base_buf_append_u32be(payload, total);
    base_buf_append_u32be(payload, number(cursor) << (request ? 0 : 24));
    if (request) {
        base_buf_append_u8(payload, base_cursor_u8(cursor));
        base_buf_append_u8(payload, m);
        base_buf_append_u16be(payload, (uint16_t)(t * 8));
    } else {
        m = 0;
        base_buf_append_u16be(payload, (uint16_t)(t * 8));
        base_buf_append_u16be(payload, base_cursor_u8(cursor) == 255);
    }
    part = m + t * 8u + frame_first_part(total);
    memset(base_buf_reserve(payload, part),
           base_cursor_u8(cursor) % 2 == 0 ? 'a' : base_cursor_u8(cursor),
           part);
    base_buf_commit(payload, part);
}

static void make_frame(struct base_cursor *cursor, struct base_buf *out)
{
    struct base_buf payload = BASE_BUF_INIT;
    uint8_t header[FRAME_HEADER_BYTES];
    uint8_t type = base_cursor_u8(cursor);
    uint32_t id = number(cursor);
    uint32_t cut;

    if (type % 16 == FRAME_REQUEST || type % 16 == FRAME_RESPONSE) {
        type %= 16;
        make_head(cursor, type == FRAME_REQUEST, &payload);
    } else if (type % 16 == FRAME_HELLO) {
        type %= 16;
        base_buf_append_u16be(&payload, base_cursor_u8(cursor));
        base_buf_append_u16be(&payload, base_cursor_u8(cursor));
        base_buf_append_u32be(&payload, number(cursor) * 1024u);
    } else if (type % 16 == FRAME_DATA) {
        size_t len = number(cursor) * 1024u % (FRAME_PART_BYTES + 2048u);

        type %= 16;
        memset(base_buf_reserve(&payload, len), 1, len);
        base_buf_commit(&payload, len);
    }
    cut = base_cursor_u8(cursor);
    if (cut >= 240) /* something is left over, or missing */
        base_buf_append(&payload, "0123456789abcdef", cut - 240);
    if (base_buf_len(&payload) > FRAME_PAYLOAD_BYTES_MAX)
        base_buf_reset(&payload);
    frame_write_header(header, type, id, base_buf_len(&payload));
    if (cut == 239)
        header[base_cursor_u8(cursor) % sizeof(header)] ^= 1;
    base_buf_append(out, header, sizeof(header));
    base_buf_append(out, base_buf_data(&payload), base_buf_len(&payload));
    base_buf_close(&payload);
}

static void hear(struct user *user, const void *data, size_t len)
{
    struct base_stream *stream;

    if (user->mux == NULL)
        return;
    stream = &user->wire->base;
    base_buf_append(&stream->in, data, len);
    base_stream_tell_readable(stream);
}

static void hear_frame(struct user *user, struct base_cursor *cursor)
{
    struct base_buf out = BASE_BUF_INIT;
    struct frame frame;
    size_t half;

    make_frame(cursor, &out);
    if (frame_read(base_buf_data(&out), base_buf_len(&out), &frame) > 0 &&
        (frame.type == FRAME_REQUEST || frame.type == FRAME_RESPONSE))
        same_head(&frame, false);
    half = base_buf_len(&out) / 2;
    hear(user, base_buf_data(&out), half);
    hear(user, base_buf_data(&out) + half, base_buf_len(&out) - half);
    base_buf_close(&out);
}

/* ---- one run ---- */

static void ask(struct user *user, uint32_t id, size_t len)
{
    uint8_t *body = base_calloc(1, len + 1);
    struct frame_start start;

    frame_write_request(&start, id, "Test.Echo", "secret", 1000, 0,
                        (uint32_t)len);
    rpc_mux_send(user->mux, id, &start, body, len);
    rpc_mux_set_load(user->mux, ++user->load);
    base_free(body);
}

static void act(struct user *user, struct base_cursor *cursor)
{
    uint8_t what = base_cursor_u8(cursor);

    if (what == 255 && user->server)
        rpc_mux_finish(user->mux);
    else if (what == 254 && user->server)
        rpc_mux_goaway(user->mux);
    else if (what == 253)
        rpc_mux_cancel(user->mux, base_cursor_u8(cursor));
    else if (what == 252)
        base_stream_tell_closed(&user->wire->base,
                                base_cursor_u8(cursor) % 2 == 0 ? 0
                                                                : BASE_ERESET);
    else if (what == 251)
        base_sim_run_for_ms(user->sim, base_cursor_u8(cursor) * 1000u);
    else if (what >= 244)
        take_said(user);
    else
        hear_frame(user, cursor);
}

static void open_user(struct user *user, bool server)
{
    const struct rpc_mux_limits limits = {MESSAGE_BYTES_MAX, 8, 120000};
    struct base_sim_host *host;
    struct base_addr addr;
    uint32_t id;

    user->sim = base_sim_new(1);
    base_addr_parse_ip(&addr, "10.0.0.1");
    host = base_sim_host_new(user->sim, "host", &addr, 1);
    user->env = base_sim_host_env(host, "main");
    user->server = server;
    BASE_NEW(user->wire);
    base_stream_init(&user->wire->base, &wire_ops, user->env);
    user->mux = rpc_mux_new(user->env, &user->wire->base, server, &limits,
                            &events, user);
    for (id = 1; !server && id <= 5; id++)
        ask(user, id, id * 40000u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const uint8_t hello[] = {0, 0, 0, 8, 1, 0, 0, 0, 0, 0,
                                    0, 0, 0, 1, 0, 8, 0, 4, 0, 0};
    struct base_cursor cursor = base_cursor_of(data, len);
    uint8_t mode = base_cursor_u8(&cursor);
    struct user user = {0};

    open_user(&user, mode % 2 == 0);
    if (mode % 4 < 2)
        hear(&user, hello, sizeof(hello));
    if (mode % 8 >= 6) {
        hear(&user, cursor.at, base_cursor_left(&cursor));
        cursor = base_cursor_of(NULL, 0);
    }
    while (user.mux != NULL && base_cursor_left(&cursor) > 0)
        act(&user, &cursor);
    take_said(&user);
    if (user.mux != NULL)
        rpc_mux_free(user.mux);
    base_sim_free(user.sim);
    return 0;
}
