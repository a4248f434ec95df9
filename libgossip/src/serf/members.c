/*
 * The member table. It keeps the records and the counts of those gone; the
 * rules that change them are in member_rules.c.
 */
#include "serf/members.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"

const char *gossip_member_status_name(enum gossip_member_status status)
{
    static const char *const names[] = {"none", "alive", "leaving", "left",
                                        "failed"};

    return (size_t)status < BASE_COUNT_OF(names) ? names[status] : "none";
}

const char *gossip_member_tag(const struct gossip_member *member,
                              const char *key)
{
    size_t i;

    for (i = 0; i < member->tag_count; i++)
        if (strcmp(member->tags[i].key, key) == 0)
            return member->tags[i].value;
    return NULL;
}

void serf_members_init(struct serf_members *members, uint64_t key)
{
    memset(members, 0, sizeof(*members));
    serf_name_table_init(&members->table, key);
}

static struct serf_member *new_member(const char *name)
{
    size_t name_bytes = strlen(name) + 1;
    struct serf_member *member =
        base_calloc(1, sizeof(*member) + name_bytes);

    memcpy(member->name, name, name_bytes);
    member->named.name = member->name;
    return member;
}

struct serf_member *serf_member_copy(const struct serf_member *member)
{
    struct serf_member *copy = new_member(member->name);

    copy->status_ltime = member->status_ltime;
    copy->status = member->status;
    copy->addr = member->addr;
    memcpy(copy->vsn, member->vsn, sizeof(copy->vsn));
    copy->meta_len = member->meta_len;
    if (member->meta_len > 0)
        copy->meta = base_memdup(member->meta, member->meta_len);
    return copy;
}

void serf_member_free(struct serf_member *member)
{
    base_free(member->meta);
    base_free(member->place);
    base_free(member);
}

bool serf_name_valid(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.");

    return len > 0 && len <= 128 && name[len] == '\0';
}

void serf_members_close(struct serf_members *members)
{
    size_t i;

    for (i = 0; i < serf_members_count(members); i++)
        serf_member_free(serf_members_at(members, i));
    serf_name_table_close(&members->table);
}

struct serf_member *serf_members_find(const struct serf_members *members,
                                      const char *name)
{
    return (struct serf_member *)(void *)serf_name_table_find(&members->table,
                                                              name);
}

struct serf_member *serf_members_add(struct serf_members *members,
                                     const char *name)
{
    struct serf_member *member;

    if (serf_members_count(members) >= SERF_MEMBERS_MAX)
        return NULL;
    member = new_member(name);
    serf_name_table_add(&members->table, &member->named);
    return member;
}

static size_t *count_of(struct serf_members *members, uint8_t status)
{
    switch (status) {
    case GOSSIP_MEMBER_FAILED:
        return &members->failed_count;
    case GOSSIP_MEMBER_LEFT:
        return &members->left_count;
    default:
        return NULL;
    }
}

void serf_members_set_status(struct serf_members *members,
                             struct serf_member *member,
                             enum gossip_member_status status, uint64_t now_ms)
{
    size_t *before = count_of(members, member->status);
    size_t *after = count_of(members, (uint8_t)status);

    if (before != NULL) {
        assert(*before > 0);
        (*before)--;
    }
    if (after != NULL) {
        (*after)++;
        /* A failed member that is declared left keeps the time of its end
         * (gossip.md 3.4: it moves from one list to the other). */
        if (before == NULL)
            member->gone_ms = now_ms;
    }
    if (status == GOSSIP_MEMBER_LEAVING)
        member->gone_ms = now_ms;
    member->status = (uint8_t)status;
}

void serf_members_remove(struct serf_members *members,
                         struct serf_member *member)
{
    serf_members_set_status(members, member, GOSSIP_MEMBER_NONE, 0);
    serf_name_table_remove(&members->table, &member->named);
    serf_member_free(member);
}

void serf_member_refresh(struct serf_member *member,
                         const struct gossip_node *node)
{
    assert(node->meta_len <= UINT16_MAX);
    member->addr = node->addr;
    memcpy(member->vsn, node->vsn, sizeof(member->vsn));
    if (member->meta != NULL && member->meta_len == node->meta_len &&
        memcmp(member->meta, node->meta, node->meta_len) == 0)
        return;
    base_free(member->meta);
    member->meta = NULL;
    member->meta_len = (uint16_t)node->meta_len;
    if (node->meta_len > 0)
        member->meta = base_memdup(node->meta, node->meta_len);
}

void serf_member_view_of(struct serf_member_view *view,
                         const struct serf_member *member)
{
    serf_tags_decode(&view->tags, member->meta, member->meta_len);
    view->member = (struct gossip_member){
        .name = member->name,
        .addr = member->addr,
        .status = (enum gossip_member_status)member->status,
        .tags = view->tags.tags,
        .tag_count = view->tags.count,
        .status_ltime = member->status_ltime,
    };
    memcpy(view->member.vsn, member->vsn, sizeof(member->vsn));
}

void serf_member_view_of_node(struct serf_member_view *view,
                              const struct gossip_node *node)
{
    static const enum gossip_member_status statuses[] = {
        [GOSSIP_ALIVE] = GOSSIP_MEMBER_ALIVE,
        [GOSSIP_SUSPECT] = GOSSIP_MEMBER_ALIVE,
        [GOSSIP_DEAD] = GOSSIP_MEMBER_FAILED,
        [GOSSIP_LEFT] = GOSSIP_MEMBER_LEFT,
    };

    serf_tags_decode(&view->tags, node->meta, node->meta_len);
    view->member = (struct gossip_member){
        .name = node->name,
        .addr = node->addr,
        .status = statuses[node->state],
        .tags = view->tags.tags,
        .tag_count = view->tags.count,
    };
    memcpy(view->member.vsn, node->vsn, sizeof(node->vsn));
}

void serf_member_view_close(struct serf_member_view *view)
{
    serf_tags_close(&view->tags);
}
