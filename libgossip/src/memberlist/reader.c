/*
 * The message at the heart of a stream: type, header, members, body. Where its
 * bytes come from is reader_source.c's business. See reader.h.
 */
#include "memberlist/reader.h"

#include <assert.h>

#include "gossip/error.h"
#include "memberlist/reader_source.h"

/* Plaintext that one call works through before it lets the loop go on: a
 * fraction of a millisecond, since hundreds of streams may be ready at once
 * and pings wait for all of them. */
#define TURN_BYTES (32u * 1024)

void ml_reader_init(struct ml_reader *reader,
                    const struct ml_reader_config *config)
{
    memset(reader, 0, sizeof(*reader));
    reader->config = *config;
    reader->source = config->accepting ? ML_SRC_LABEL : ML_SRC_OUTER;
}

void ml_reader_close(struct ml_reader *reader)
{
    ml_chunks_close(&reader->sealed);
    base_buf_close(&reader->plain);
    base_buf_close(&reader->body);
    lzw_decoder_free(reader->lzw);
    reader->lzw = NULL;
    mp_scratch_close(&reader->scratch);
}

bool ml_reader_is_fresh(const struct ml_reader *reader)
{
    return reader->source <= ML_SRC_OUTER;
}

/* 0 and *len, the length of the whole value at the start of plain; or
 * ML_READER_MORE; or an error. */
static int whole_value(const struct ml_reader *reader, size_t *len)
{
    size_t have = base_buf_len(&reader->plain);

    *len = mp_value_len(base_buf_data(&reader->plain), have);
    if (*len == 0 || *len > ML_VALUE_BYTES_MAX)
        return GOSSIP_EDECODE;
    return *len > have ? ML_READER_MORE : 0;
}

static int read_type(struct ml_reader *reader)
{
    if (base_buf_len(&reader->plain) == 0)
        return ML_READER_MORE;
    reader->type = *base_buf_data(&reader->plain);
    reader->type_known = true;
    base_buf_consume(&reader->plain, 1);
    reader->part = ML_PART_HEADER;
    return reader->config.ops->on_type(reader->config.arg, reader->type);
}

static int check_push_pull(struct ml_reader *reader)
{
    const struct ml_push_pull *header = &reader->header.push_pull;

    if (header->nodes < 0 || header->nodes > ML_PUSH_NODES_MAX ||
        header->user_state_len < 0 ||
        header->user_state_len > ML_USER_BYTES_MAX)
        return GOSSIP_ETOOBIG;
    reader->nodes_left = (uint64_t)header->nodes;
    reader->body_left = (uint64_t)header->user_state_len;
    return reader->config.ops->on_push_pull(reader->config.arg, header);
}

static int check_user(struct ml_reader *reader)
{
    const struct ml_user_header *header = &reader->header.user;

    if (header->len < 0 || header->len > ML_USER_BYTES_MAX)
        return GOSSIP_ETOOBIG;
    reader->body_left = (uint64_t)header->len;
    return 0;
}

static bool has_header(unsigned type)
{
    return type == ML_PING || type == ML_ACK || type == ML_ERR ||
           type == ML_PUSH_PULL || type == ML_USER;
}

static int read_header(struct ml_reader *reader)
{
    struct base_cursor in;
    size_t len;
    int rv;

    if (!has_header(reader->type))
        return GOSSIP_EDECODE;
    rv = whole_value(reader, &len);
    if (rv != 0)
        return rv;
    in = base_cursor_of(base_buf_data(&reader->plain), len);
    if (!ml_get(&in, (enum ml_type)reader->type, &reader->header,
                &reader->scratch))
        return GOSSIP_EDECODE;
    reader->part = ML_PART_DONE;
    if (reader->type == ML_PUSH_PULL)
        rv = check_push_pull(reader);
    else if (reader->type == ML_USER)
        rv = check_user(reader);
    else
        return 0; /* the strings of the header stay in plain */
    base_buf_consume(&reader->plain, len);
    reader->part = reader->nodes_left > 0 ? ML_PART_NODES : ML_PART_BODY;
    return rv;
}

static int read_node(struct ml_reader *reader)
{
    struct mp_scratch scratch = {NULL};
    struct ml_push_node node;
    struct base_cursor in;
    size_t len;
    int rv;

    if (reader->nodes_left == 0) {
        reader->part = ML_PART_BODY;
        return 0;
    }
    rv = whole_value(reader, &len);
    if (rv != 0)
        return rv;
    in = base_cursor_of(base_buf_data(&reader->plain), len);
    if (!ml_get(&in, ML_PUSH_NODE, &node, &scratch))
        rv = GOSSIP_EDECODE;
    else
        rv = reader->config.ops->on_push_node(reader->config.arg, &node);
    mp_scratch_close(&scratch);
    if (rv != 0)
        return rv;
    base_buf_consume(&reader->plain, len);
    reader->nodes_left--;
    return 0;
}

static int read_body(struct ml_reader *reader)
{
    size_t have = base_buf_len(&reader->plain);
    int rv;

    if (reader->body_left == 0) {
        reader->part = ML_PART_DONE;
        return 0;
    }
    if (have == 0)
        return ML_READER_MORE;
    if (have > reader->body_left)
        have = (size_t)reader->body_left;
    /* A growing buffer takes up to twice what is in it. */
    rv = reader->config.ops->reserve(reader->config.arg, 2 * have);
    if (rv != 0)
        return rv;
    base_buf_append(&reader->body, base_buf_data(&reader->plain), have);
    base_buf_consume(&reader->plain, have);
    reader->body_left -= have;
    return 0;
}

/* Parses what is in plain: 0 (progress), ML_READER_DONE, or why not. */
static int parse(struct ml_reader *reader)
{
    switch (reader->part) {
    case ML_PART_TYPE: return read_type(reader);
    case ML_PART_HEADER: return read_header(reader);
    case ML_PART_NODES: return read_node(reader);
    case ML_PART_BODY: return read_body(reader);
    case ML_PART_DONE: return ML_READER_DONE;
    }
    return GOSSIP_EDECODE;
}

int ml_reader_feed(struct ml_reader *reader, const void *data, size_t len,
                   size_t *used)
{
    size_t turn_end = reader->plain_total + TURN_BYTES;
    int rv;

    *used = 0;
    for (;;) {
        rv = 0;
        while (rv == 0)
            rv = parse(reader);
        if (rv != ML_READER_MORE)
            return rv;
        if (reader->plain_total >= turn_end)
            return ML_READER_AGAIN;
        rv = ml_reader_refill(reader, (const uint8_t *)data + *used,
                              len - *used, used);
        if (rv != 0)
            return rv;
    }
}
