/*
 * The members that serf knows: more than memberlist does, since those that
 * failed or left stay for hours. A record is compact (gossip.md 6.3: pools of
 * many thousands): the meta stays encoded, and tags are decoded when shown.
 */
#ifndef SERF_MEMBERS_H
#define SERF_MEMBERS_H

#include "gossip/serf.h"
#include "serf/coordinate.h"
#include "serf/name_table.h"
#include "serf/tags.h"

/* memberlist takes as many nodes in one push/pull (gossip.md 6.1). */
#define SERF_MEMBERS_MAX 1048576u

struct serf_member {
    struct serf_named named; /* first: the table's part */
    uint64_t status_ltime;
    uint64_t gone_ms; /* monotonic; when it failed, left, began to leave */
    uint8_t *meta;
    uint16_t meta_len;
    uint8_t status; /* enum gossip_member_status */
    uint8_t vsn[6];
    bool pruning; /* a prune waits for it to be gone */
    struct base_addr addr;
    struct serf_place *place; /* its coordinate; NULL until one came */
    char name[];
};

struct serf_members {
    struct serf_name_table table;
    size_t failed_count;
    size_t left_count;
};

/** A member with its tags decoded, as callbacks are shown it. */
struct serf_member_view {
    struct gossip_member member;
    struct serf_tags tags;
};

void serf_members_init(struct serf_members *members, uint64_t key);
void serf_members_close(struct serf_members *members);
struct serf_member *serf_members_find(const struct serf_members *members,
                                      const char *name);
/** NULL if there are too many. The name must be new. */
struct serf_member *serf_members_add(struct serf_members *members,
                                     const char *name);
void serf_members_remove(struct serf_members *members,
                         struct serf_member *member);
/** Takes over address, meta and versions from memberlist. */
void serf_member_refresh(struct serf_member *member,
                         const struct gossip_node *node);
/** Changes the status and the counts of failed and left. */
void serf_members_set_status(struct serf_members *members,
                             struct serf_member *member,
                             enum gossip_member_status status, uint64_t now_ms);
static inline size_t serf_members_count(const struct serf_members *members)
{
    return members->table.count;
}
static inline struct serf_member *
serf_members_at(const struct serf_members *members, size_t index)
{
    return (struct serf_member *)(void *)members->table.all[index];
}

/** A copy for later: name, meta, status; not in any table, without a place. */
struct serf_member *serf_member_copy(const struct serf_member *member);
/** For copies. */
void serf_member_free(struct serf_member *member);
/** The rule for names where they are validated: letters, digits, - and ., at
 * most 128 (gossip.md 3.5). */
bool serf_name_valid(const char *name);

/** Fills *view; serf_member_view_close() when shown. */
void serf_member_view_of(struct serf_member_view *view,
                         const struct serf_member *member);
/** The same of a node that is not a member (yet). */
void serf_member_view_of_node(struct serf_member_view *view,
                              const struct gossip_node *node);
void serf_member_view_close(struct serf_member_view *view);

#endif
