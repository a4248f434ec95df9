/*
 * A stream over TLS: a kind of base_stream whose carrier is another one.
 *
 * Writes gather as plaintext until the loop turns or a record is full, so that
 * many small messages share a record. Ciphertext goes to the carrier only up to
 * OUT_WINDOW_BYTES at a time; the rest waits here, unencrypted and uncopied.
 * Reads decrypt only as far as the input limit allows; then the carrier's own
 * buffer fills and the peer feels it. OpenSSL is never on the stack when the
 * user is told something, so he may close the stream in any callback.
 */
#include <openssl/err.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "tls_priv.h"

#define RECORD_BYTES 16384u
#define OUT_WINDOW_BYTES (256u * 1024u)

struct tls_stream {
    struct base_stream base;
    struct tls_link *link;
    struct base_buf out;      /* plaintext that waits for a record */
    struct base_timer turn;   /* does what a call left for the loop */
    bool stalled;             /* decrypting stopped at the input limit */
    bool ending;              /* shutdown was asked for */
    bool ended;               /* close_notify has gone to the carrier */
    bool owes_drained;        /* something was written since the last telling */
};

static struct tls_stream *tls_stream_of(const struct base_stream *stream)
{
    return (struct tls_stream *)(uintptr_t)stream;
}

/* ---- writing ---- */

/* Encrypts of data what makes records of at least so many bytes, as long as the
 * carrier takes it; returns how much that was. */
static size_t encrypt(struct tls_stream *ts, const uint8_t *data, size_t len,
                      size_t least)
{
    size_t done = 0;

    while (!ts->link->broken && len - done >= least &&
           base_stream_pending(ts->link->inner) < OUT_WINDOW_BYTES) {
        size_t left = len - done;
        int count;

        ERR_clear_error();
        count = SSL_write(ts->link->ssl, data + done,
                          (int)(left < RECORD_BYTES ? left : RECORD_BYTES));
        if (count <= 0)
            ts->link->broken = true;
        else
            done += (size_t)count;
    }
    return done;
}

/* Encrypts what waits: whole records only, or everything. */
static void flush(struct tls_stream *ts, bool all)
{
    base_buf_consume(&ts->out,
                     encrypt(ts, base_buf_data(&ts->out),
                             base_buf_len(&ts->out), all ? 1 : RECORD_BYTES));
}

/* Our direction's end, once everything before it is encrypted. */
static void end_output(struct tls_stream *ts)
{
    if (!ts->ending || ts->ended || base_buf_len(&ts->out) > 0)
        return;
    ts->ended = true;
    if (!ts->link->broken) {
        ERR_clear_error();
        SSL_shutdown(ts->link->ssl);
    }
    base_stream_shutdown(ts->link->inner);
}

static int tls_write(struct base_stream *stream, const void *data, size_t len)
{
    struct tls_stream *ts = tls_stream_of(stream);
    size_t done = 0;

    if (ts->ending || ts->link->broken)
        return BASE_ECLOSED;
    if (len == 0)
        return 0;
    ts->owes_drained = true;
    if (base_buf_len(&ts->out) == 0)
        done = encrypt(ts, data, len, RECORD_BYTES);
    base_buf_append(&ts->out, (const uint8_t *)data + done, len - done);
    flush(ts, false);
    if (!base_timer_is_running(&ts->turn))
        base_timer_start_ns(&ts->turn, 0);
    return 0;
}

/* A broken link is the turn's to tell: no callback runs inside this call. */
static void tls_flush(struct base_stream *stream)
{
    struct tls_stream *ts = tls_stream_of(stream);

    flush(ts, true);
    base_stream_flush(ts->link->inner);
}

static size_t tls_pending(const struct base_stream *stream)
{
    const struct tls_stream *ts = tls_stream_of(stream);

    return base_buf_len(&ts->out) + base_stream_pending(ts->link->inner);
}

static void tls_shutdown(struct base_stream *stream)
{
    struct tls_stream *ts = tls_stream_of(stream);

    ts->ending = true;
    flush(ts, true);
    end_output(ts);
}

/* ---- reading ---- */

/* Why there is nothing more to read for now. */
enum read_end { READ_WAITS, READ_STALLED, READ_ENDED };

/* Asks OpenSSL why it read nothing; *err is set for READ_ENDED. */
static enum read_end judge_read(struct tls_stream *ts, int count, int *err)
{
    struct base_stream *inner = ts->link->inner;

    switch (SSL_get_error(ts->link->ssl, count)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        if (!inner->closed_in)
            return READ_WAITS;
        /* The carrier ended before the peer said that it would: someone may
         * have cut the end off (RFC 8446 section 6.1). */
        *err = inner->close_err != 0 ? inner->close_err : BASE_ERESET;
        return READ_ENDED;
    case SSL_ERROR_ZERO_RETURN:
        *err = 0;
        return READ_ENDED;
    default:
        ts->link->broken = true;
        *err = inner->closed_in && inner->close_err != 0 ? inner->close_err
                                                         : RPC_ETLS;
        base_log(&ts->base.env->log, BASE_LOG_DEBUG, "TLS stream ended",
                 kv_addr("peer", &ts->base.peer),
                 kv_str("why", tls_error_words()));
        return READ_ENDED;
    }
}

/* Decrypts what there is room for. Returns how it ended; *got: any bytes. */
static enum read_end read_records(struct tls_stream *ts, bool *got, int *err)
{
    struct base_buf *in = &ts->base.in;
    enum read_end end = READ_STALLED;

    *got = false;
    while (base_buf_len(in) < ts->base.in_limit_bytes) {
        size_t room = ts->base.in_limit_bytes - base_buf_len(in);
        uint8_t spare[RECORD_BYTES];
        int count;

        if (room > RECORD_BYTES)
            room = RECORD_BYTES;
        ERR_clear_error();
        /* What an idle stream reads first goes by the stack, so that it holds
         * no more than it got. */
        count = SSL_read(ts->link->ssl,
                         *got ? base_buf_reserve(in, room) : spare, (int)room);
        if (count <= 0) {
            end = judge_read(ts, count, err);
            break;
        }
        if (*got)
            base_buf_commit(in, (size_t)count);
        else
            base_buf_append(in, spare, (size_t)count);
        *got = true;
    }
    tls_link_consume(ts->link);
    return end;
}

/* Returns false if the user closed the stream. */
static bool pump(struct tls_stream *ts)
{
    bool got = false;
    int err = 0;
    enum read_end end;

    if (ts->base.closed_in)
        return true;
    if (ts->link->broken)
        return base_stream_tell_closed(&ts->base, BASE_ERESET);
    end = read_records(ts, &got, &err);
    ts->stalled = end == READ_STALLED;
    if (got && !base_stream_tell_readable(&ts->base))
        return false;
    if (end == READ_ENDED)
        return base_stream_tell_closed(&ts->base, err);
    return true;
}

static void tls_consumed(struct base_stream *stream)
{
    struct tls_stream *ts = tls_stream_of(stream);

    if (!ts->stalled || base_stream_len(stream) >= stream->in_limit_bytes)
        return;
    if (!base_timer_is_running(&ts->turn))
        base_timer_start_ns(&ts->turn, 0);
}

/* ---- the carrier and the loop ---- */

static void on_inner_readable(void *arg)
{
    pump(arg);
}

static void on_inner_closed(void *arg, int err)
{
    struct tls_stream *ts = arg;

    (void)err; /* pump() sees it after the records that came before */
    pump(ts);
}

static bool tell_drained(struct tls_stream *ts)
{
    if (!ts->owes_drained || tls_pending(&ts->base) > 0 || ts->link->broken)
        return true;
    ts->owes_drained = false;
    return base_stream_tell_drained(&ts->base);
}

static void on_inner_drained(void *arg)
{
    struct tls_stream *ts = arg;

    flush(ts, true);
    end_output(ts);
    if (ts->link->broken)
        pump(ts);
    else
        tell_drained(ts);
}

static void on_turn(void *arg)
{
    struct tls_stream *ts = arg;

    flush(ts, true);
    end_output(ts);
    if (ts->stalled || ts->link->broken)
        pump(ts);
}

static const struct base_stream_events inner_events = {
    .on_readable = on_inner_readable,
    .on_drained = on_inner_drained,
    .on_closed = on_inner_closed,
};

/* ---- moving and ending ---- */

static void tls_detach(struct base_stream *stream)
{
    struct tls_stream *ts = tls_stream_of(stream);

    base_timer_stop(&ts->turn);
    ts->link->tls = NULL; /* its session table belongs to the old loop */
    base_stream_detach(ts->link->inner);
}

static void tls_attach(struct base_stream *stream, struct base_env *env)
{
    struct tls_stream *ts = tls_stream_of(stream);

    base_timer_init(&ts->turn, env, "tls-turn", on_turn, ts);
    base_stream_attach(ts->link->inner, env);
    base_stream_set_events(ts->link->inner, &inner_events, ts);
    base_timer_start_ns(&ts->turn, 0);
}

static void tls_close(struct base_stream *stream)
{
    struct tls_stream *ts = tls_stream_of(stream);
    struct base_stream *inner = ts->link->inner;

    base_timer_stop(&ts->turn);
    if (!ts->ended && !ts->link->broken && base_buf_len(&ts->out) == 0) {
        ERR_clear_error();
        SSL_shutdown(ts->link->ssl);
    }
    tls_link_free(ts->link);
    base_stream_close(inner);
    base_buf_close(&ts->out);
    base_stream_fini(stream);
    base_free(ts);
}

static const struct base_stream_ops tls_stream_ops = {
    .version = 3,
    .write = tls_write,
    .pending = tls_pending,
    .shutdown = tls_shutdown,
    .consumed = tls_consumed,
    .detach = tls_detach,
    .attach = tls_attach,
    .close = tls_close,
    .flush = tls_flush,
};

struct base_stream *tls_stream_new(struct tls_link *link)
{
    struct tls_stream *ts;

    BASE_NEW(ts);
    base_stream_init(&ts->base, &tls_stream_ops, link->inner->env);
    ts->base.local = link->inner->local;
    ts->base.peer = link->inner->peer;
    ts->link = link;
    /* The handshake's last bytes may wait still: who sees that something is
     * pending must hear when it has left. */
    ts->owes_drained = base_stream_pending(link->inner) > 0;
    base_timer_init(&ts->turn, ts->base.env, "tls-turn", on_turn, ts);
    base_stream_set_events(link->inner, &inner_events, ts);
    return &ts->base;
}

bool tls_stream_resumed(const struct base_stream *stream)
{
    return SSL_session_reused(tls_stream_of(stream)->link->ssl) == 1;
}
