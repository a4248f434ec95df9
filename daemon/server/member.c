/*
 * Members as values, and the meaning of their tags. Tags come from the pool:
 * everything in them is checked before it is believed.
 */
#include "server/member.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static char *put(char **at, const char *text)
{
    size_t len = strlen(text) + 1;
    char *start = *at;

    memcpy(start, text, len);
    *at += len;
    return start;
}

struct member *member_copy(const struct gossip_member *from)
{
    size_t text_len = strlen(from->name) + 1;
    size_t tags_len = from->tag_count * sizeof(struct gossip_tag);
    struct gossip_tag *tags;
    struct member *member;
    char *at;
    size_t i;

    for (i = 0; i < from->tag_count; i++)
        text_len += strlen(from->tags[i].key) + strlen(from->tags[i].value) + 2;
    member = base_alloc(sizeof(*member) + tags_len + text_len);
    tags = (struct gossip_tag *)(void *)(member + 1);
    at = (char *)tags + tags_len;
    member->name = put(&at, from->name);
    member->addr = from->addr;
    member->status = from->status;
    member->tag_count = from->tag_count;
    member->tags = tags;
    memcpy(member->vsn, from->vsn, sizeof(member->vsn));
    for (i = 0; i < from->tag_count; i++) {
        tags[i].key = put(&at, from->tags[i].key);
        tags[i].value = put(&at, from->tags[i].value);
    }
    return member;
}

void member_free(struct member *member)
{
    base_free(member);
}

const char *member_tag(const struct member *member, const char *key)
{
    size_t i;

    for (i = 0; i < member->tag_count; i++)
        if (strcmp(member->tags[i].key, key) == 0)
            return member->tags[i].value;
    return NULL;
}

/* A decimal number of a tag; false if it is no number or over max. */
static bool tag_number(const struct member *member, const char *key,
                       unsigned long max, unsigned long *out)
{
    const char *text = member_tag(member, key);
    char *end;

    if (text == NULL || *text < '0' || *text > '9')
        return false;
    *out = strtoul(text, &end, 10);
    return *end == '\0' && *out <= max;
}

/* A name as configurations may give one: it becomes part of join targets and
 * of TLS server names, where other bytes would mean something else. */
static bool is_label(const char *text, size_t len)
{
    return len > 0 && len < 64 &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz"
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") >= len;
}

bool member_as_server(const struct member *member, struct member_server *out)
{
    const char *role = member_tag(member, "role");
    unsigned long port, number;
    const char *dot;
    size_t len;

    if (role == NULL || strcmp(role, MEMBER_ROLE) != 0)
        return false;
    memset(out, 0, sizeof(*out));
    out->dc = member_tag(member, "dc");
    out->id = member_tag(member, "id");
    if (out->dc == NULL || !is_label(out->dc, strlen(out->dc)) ||
        out->id == NULL || !is_label(out->id, strlen(out->id)) || !tag_number(member, "port", 65535, &port) ||
        port == 0)
        return false;
    /* In the WAN pool the name is node.dc; node names bear no dot. */
    dot = strchr(member->name, '.');
    len = dot ? (size_t)(dot - member->name) : strlen(member->name);
    if (!is_label(member->name, len) ||
        (dot && strcmp(dot + 1, out->dc) != 0))
        return false;
    memcpy(out->node, member->name, len);
    out->rpc = member->addr;
    out->rpc.port = (uint16_t)port;
    if (tag_number(member, "wan_join_port", 65535, &number))
        out->wan_join_port = (uint16_t)number;
    if (tag_number(member, "expect", MEMBER_EXPECT_MAX, &number))
        out->expect = (uint32_t)number;
    out->federation_states = member_tag(member, "fs") != NULL &&
                             strcmp(member_tag(member, "fs"), "1") == 0;
    return true;
}
