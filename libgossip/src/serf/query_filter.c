/* Query filters, both ways. The expressions are regex.c's. */
#include "serf/query_filter.h"

#include "base/alloc.h"
#include "serf/regex.h"

enum filter_type { FILTER_NODES = 0, FILTER_TAG = 1 };

struct tag_filter {
    struct mp_bytes expr;
    struct mp_bytes tag;
};
static const struct mp_field tag_fields[] = {
    MP_FIELD(struct tag_filter, expr, "Expr", MP_STR),
    MP_FIELD(struct tag_filter, tag, "Tag", MP_STR),
};

static bool match_nodes(struct base_cursor *in, const char *name)
{
    uint32_t count = mp_get_array(in);
    bool found = false;

    for (; count > 0 && !in->failed; count--) {
        struct mp_bytes node = mp_get_str(in);

        found |= !in->failed && mp_is(node, name);
    }
    return found && !in->failed;
}

/* A tag that is not there reads as empty: an expression may match that. */
static bool match_tag(struct base_cursor *in, const struct serf_tags *tags,
                      uint32_t *budget)
{
    struct tag_filter filter = {{NULL, 0}, {NULL, 0}};
    const char *value = "";
    size_t i;

    filter.expr = filter.tag = mp_bytes_of("", 0);
    if (!mp_get_struct(in, tag_fields, BASE_COUNT_OF(tag_fields), &filter,
                       NULL))
        return false;
    for (i = 0; i < tags->count; i++)
        if (mp_is(filter.tag, tags->tags[i].key))
            value = tags->tags[i].value;
    return serf_regex_search(filter.expr.data, filter.expr.len, value,
                             strlen(value), budget) == 1;
}

bool serf_filter_match(struct mp_bytes filter, const char *name,
                       const struct serf_tags *tags, uint32_t *budget)
{
    struct base_cursor in = base_cursor_of(filter.data, filter.len);

    switch (filter.len == 0 ? -1 : base_cursor_u8(&in)) {
    case FILTER_NODES:
        return match_nodes(&in, name);
    case FILTER_TAG:
        return match_tag(&in, tags, budget);
    default:
        return false;
    }
}

bool serf_filters_match(const struct gossip_serf *serf,
                        const struct serf_msg_query *msg)
{
    uint32_t budget = SERF_REGEX_BUDGET;
    struct serf_tags tags;
    bool match = true;
    uint32_t i;

    serf_tags_decode(&tags, base_buf_data(&serf->meta),
                     base_buf_len(&serf->meta));
    for (i = 0; i < msg->filter_count && match; i++)
        match = serf_filter_match(msg->filters[i], serf->cfg.name, &tags,
                                  &budget);
    serf_tags_close(&tags);
    return match;
}

void serf_filter_put_nodes(struct base_buf *out, const char *const *nodes,
                           size_t count)
{
    size_t i;

    base_buf_append_u8(out, FILTER_NODES);
    mp_put_array(out, (uint32_t)count);
    for (i = 0; i < count; i++)
        mp_put_text(out, nodes[i]);
}

void serf_filter_put_tag(struct base_buf *out, const struct gossip_tag *tag)
{
    struct tag_filter filter = {.expr = mp_str_of(tag->value),
                                .tag = mp_str_of(tag->key)};

    base_buf_append_u8(out, FILTER_TAG);
    mp_put_struct(out, tag_fields, BASE_COUNT_OF(tag_fields), &filter);
}
