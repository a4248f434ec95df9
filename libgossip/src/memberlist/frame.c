/* See frame.h. */
#include "memberlist/frame.h"

#include <utlist.h>

#include "base/alloc.h"
#include "memberlist/stream_out.h"

/* Members that one turn encodes, under a millisecond's work. Smaller pools get
 * a frame of their own each time, made at once. */
#define FRAME_TURN 256u
#define SHARE_MS 100u     /* how old a shared frame may be */
#define FRAMES_MAX 2u     /* of either kind at once; past that, older is fine:
                             gossip brings what it misses */
#define WRAPPER_ROOM 32u  /* for the head of a compress message */

/* One member as it was when the frame was begun. */
struct frozen {
    struct ml_record *record; /* a reference */
    uint32_t incarnation;
    uint8_t state;
};

struct ml_frame {
    struct ml_frame *prev; /* in ml->frames, oldest first */
    struct ml_frame *next;
    struct gossip_memberlist *ml;
    unsigned refs;
    bool join;
    uint64_t begun_ns;
    struct base_timer step;
    struct frozen *members; /* NULL once encoded */
    size_t count;
    size_t encoded;
    struct base_buf user;
    struct lzw_encoder *encoder; /* NULL: not compressed */
    struct base_buf building;
    int status; /* ML_FRAME_BUSY until it is ready */
    uint8_t *bytes;
    size_t len;
};

static void thaw(struct ml_frame *frame)
{
    size_t i;

    for (i = 0; frame->members != NULL && i < frame->count; i++)
        ml_record_unref(frame->members[i].record);
    base_free(frame->members);
    frame->members = NULL;
    lzw_encoder_free(frame->encoder);
    frame->encoder = NULL;
    base_buf_close(&frame->user);
    base_buf_close(&frame->building);
}

void ml_frame_unref(struct ml_frame *frame)
{
    if (frame == NULL || --frame->refs > 0)
        return;
    DL_DELETE(frame->ml->frames, frame);
    base_timer_stop(&frame->step);
    thaw(frame);
    base_free(frame->bytes);
    base_free(frame);
}

/* Takes encoded bytes of the message. */
static void add(struct ml_frame *frame, const struct base_buf *piece)
{
    if (frame->encoder != NULL)
        lzw_encoder_feed(frame->encoder, base_buf_data(piece),
                         base_buf_len(piece), &frame->building);
    else
        base_buf_append(&frame->building, base_buf_data(piece),
                        base_buf_len(piece));
}

/* The length of what was compressed stands before it: its head goes into the
 * room that was left at the start. */
static void wrap_compressed(struct ml_frame *frame)
{
    struct base_buf head = BASE_BUF_INIT;
    size_t packed;

    lzw_encoder_end(frame->encoder, &frame->building);
    packed = base_buf_len(&frame->building) - WRAPPER_ROOM;
    ml_put_compress_head(&head, (uint32_t)packed);
    base_buf_consume(&frame->building, WRAPPER_ROOM - base_buf_len(&head));
    memcpy(frame->building.bytes + frame->building.start, base_buf_data(&head),
           base_buf_len(&head));
    base_buf_close(&head);
}

static void finish(struct ml_frame *frame)
{
    struct base_buf sealed = BASE_BUF_INIT;
    struct base_buf *whole = &frame->building;

    add(frame, &frame->user);
    if (frame->encoder != NULL)
        wrap_compressed(frame);
    frame->status = 0;
    if (ml_is_encrypting(frame->ml)) {
        frame->status = ml_stream_seal(frame->ml, &frame->building, &sealed);
        whole = &sealed;
    }
    frame->len = base_buf_len(whole);
    frame->bytes = base_memdup(base_buf_data(whole), frame->len);
    base_buf_close(&sealed);
    thaw(frame);
}

static void put_member(const struct frozen *member, struct base_buf *out)
{
    const struct ml_record *record = member->record;
    struct ml_push_node node = {0};

    node.name = ml_record_name_bytes(record);
    node.addr = mp_bytes_of(record->addr.ip, base_addr_ip_len(&record->addr));
    node.port = record->addr.port;
    if (record->has_meta)
        node.meta = mp_bytes_of(ml_record_meta(record), record->meta_len);
    node.incarnation = member->incarnation;
    node.state = member->state;
    node.vsn = mp_bytes_of(record->vsn, ML_VSN_BYTES);
    ml_put(out, ML_PUSH_NODE, &node);
}

/* Encodes the next members; true when all is done. */
static bool encode_some(struct ml_frame *frame)
{
    struct base_buf piece = BASE_BUF_INIT;
    size_t end = frame->encoded + FRAME_TURN;

    if (end > frame->count)
        end = frame->count;
    for (; frame->encoded < end; frame->encoded++)
        put_member(&frame->members[frame->encoded], &piece);
    add(frame, &piece);
    base_buf_close(&piece);
    if (frame->encoded < frame->count)
        return false;
    finish(frame);
    return true;
}

static void on_step(void *arg)
{
    struct ml_frame *frame = arg;

    if (!encode_some(frame)) {
        base_timer_start_ns(&frame->step, 0);
        return;
    }
    frame->refs++; /* those who wait may all be gone after this */
    ml_exchanges_frame_ready(frame->ml, frame);
    ml_frame_unref(frame);
}

static void freeze(struct ml_frame *frame)
{
    const struct ml_members *members = &frame->ml->members;
    size_t i;

    frame->count = members->count;
    frame->members = base_calloc(frame->count, sizeof(*frame->members));
    for (i = 0; i < frame->count; i++) {
        const struct ml_member *member = ml_members_at(members, i);

        frame->members[i].record = ml_record_ref(member->record);
        frame->members[i].incarnation = member->incarnation;
        frame->members[i].state = member->state;
    }
}

static void begin(struct ml_frame *frame)
{
    static const uint8_t room[WRAPPER_ROOM];
    struct gossip_memberlist *ml = frame->ml;
    struct base_buf head = BASE_BUF_INIT;
    struct ml_push_pull header = {0};

    if (ml->delegate != NULL && ml->delegate->local_state != NULL)
        ml->delegate->local_state(ml->delegate_ctx, frame->join, &frame->user);
    freeze(frame);
    header.nodes = (int64_t)frame->count;
    header.user_state_len = (int64_t)base_buf_len(&frame->user);
    header.join = frame->join;
    if (ml->params.compression) {
        frame->encoder = lzw_encoder_new();
        base_buf_append(&frame->building, room, sizeof(room));
        lzw_encoder_begin(frame->encoder, &frame->building);
    }
    ml_put(&head, ML_PUSH_PULL, &header);
    add(frame, &head);
    base_buf_close(&head);
}

/* A frame that will do; NULL if there is none. */
static struct ml_frame *shareable(const struct gossip_memberlist *ml,
                                  bool join)
{
    uint64_t now_ns = base_env_now_ns(ml->env);
    struct ml_frame *frame, *newest = NULL;
    unsigned count = 0;

    if (ml->members.count <= FRAME_TURN)
        return NULL;
    DL_FOREACH(ml->frames, frame) {
        if (frame->join != join)
            continue;
        newest = frame;
        count++;
    }
    if (count < FRAMES_MAX && newest != NULL &&
        now_ns - newest->begun_ns > ml_ms(SHARE_MS))
        return NULL;
    return newest;
}

struct ml_frame *ml_frame_get(struct gossip_memberlist *ml, bool join)
{
    struct ml_frame *frame = shareable(ml, join);

    if (frame != NULL) {
        frame->refs++;
        return frame;
    }
    BASE_NEW(frame);
    frame->ml = ml;
    frame->refs = 1;
    frame->join = join;
    frame->begun_ns = base_env_now_ns(ml->env);
    frame->status = ML_FRAME_BUSY;
    base_timer_init(&frame->step, ml->env, "frame", on_step, frame);
    DL_APPEND(ml->frames, frame);
    begin(frame);
    if (!encode_some(frame))
        base_timer_start_ns(&frame->step, 0);
    return frame;
}

size_t ml_frames_count(const struct gossip_memberlist *ml)
{
    const struct ml_frame *frame;
    size_t count = 0;

    for (frame = ml->frames; frame != NULL; frame = frame->next)
        count++;
    return count;
}

int ml_frame_bytes(const struct ml_frame *frame, const uint8_t **data,
                   size_t *len)
{
    *data = frame->bytes;
    *len = frame->len;
    return frame->status;
}
