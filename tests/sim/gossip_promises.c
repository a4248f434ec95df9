/*
 * What must hold of a pool: at every moment nothing goes back, neither clocks
 * nor incarnations; and once faults have ended all agree on who is there.
 */
#include "sim/gossip_world.h"

#include <stdlib.h>
#include <string.h>

/* A node that is gone for longer than this may be forgotten, and then met anew
 * with a lower incarnation; a little less, for the time between two looks. */
#define REMEMBERED_MS (30000u - 1000u)

static bool may_be_forgotten(const struct gossip_world *world,
                             const struct gossip_seen *before)
{
    uint64_t now_ms = base_sim_now_ns(world->sim) / 1000000;

    return (before->state == GOSSIP_DEAD || before->state == GOSSIP_LEFT) &&
           now_ms - before->change_ms > REMEMBERED_MS;
}

static void check_view(struct gossip_world *world,
                       struct gossip_world_node *node, size_t target)
{
    const char *name = world->nodes[target].name;
    struct gossip_seen *before = &node->seen[target];
    struct gossip_node now;
    bool known =
        gossip_memberlist_find(gossip_serf_memberlist(node->serf), name, &now);

    if (before->known && !may_be_forgotten(world, before)) {
        if (!known)
            gossip_world_break(world, "%s forgot %s too early", node->name,
                               name);
        else if (now.incarnation < before->incarnation)
            gossip_world_break(world,
                               "at %s the incarnation of %s fell from "
                               "%u to %u",
                               node->name, name, before->incarnation,
                               now.incarnation);
        else if (now.incarnation == before->incarnation &&
                 now.state < before->state && before->state != GOSSIP_LEFT)
            gossip_world_break(world,
                               "at %s %s went from state %d to %d of "
                               "one incarnation",
                               node->name, name, (int)before->state,
                               (int)now.state);
    }
    before->known = known;
    if (known) {
        before->state = now.state;
        before->incarnation = now.incarnation;
        before->change_ms = now.state_change_ms;
    }
}

static void check_clocks(struct gossip_world *world,
                         struct gossip_world_node *node)
{
    struct gossip_serf_stats stats = gossip_serf_stats(node->serf);
    const uint64_t now[3] = {stats.member_time, stats.event_time,
                             stats.query_time};
    size_t i;

    for (i = 0; i < 3; i++) {
        if (now[i] < node->times[i])
            gossip_world_break(
                world, "clock %zu of %s fell from %llu to %llu", i, node->name,
                (unsigned long long)node->times[i], (unsigned long long)now[i]);
        node->times[i] = now[i];
    }
}

void gossip_world_check(struct gossip_world *world)
{
    size_t a, b;

    for (a = 0; a < world->count; a++) {
        struct gossip_world_node *node = &world->nodes[a];

        if (node->serf == NULL)
            continue;
        check_clocks(world, node);
        for (b = 0; b < world->count; b++)
            check_view(world, node, b);
    }
}

/* A member as the node that lists it sees it. */
struct listed {
    enum gossip_member_status status;
    char tag[16];
};

static void note(void *arg, const struct gossip_member *member)
{
    struct listed *listed = arg;
    const char *value = gossip_member_tag(member, "v");

    listed->status = member->status;
    snprintf(listed->tag, sizeof(listed->tag), "%s",
             value == NULL ? "" : value);
}

static struct listed look(const struct gossip_world *world, size_t a, size_t b)
{
    struct listed listed = {GOSSIP_MEMBER_NONE, ""};

    (void)gossip_serf_find(world->nodes[a].serf, world->nodes[b].name, note,
                           &listed);
    return listed;
}

static int state_of(const struct gossip_world *world, size_t a, size_t b)
{
    struct gossip_node node;

    return gossip_memberlist_find(gossip_serf_memberlist(world->nodes[a].serf),
                                  world->nodes[b].name, &node)
               ? (int)node.state
               : -1;
}

/* The truth about b, seen by a. */
static bool sees_truth(const struct gossip_world *world, size_t a, size_t b)
{
    struct listed listed = look(world, a, b);
    int state = state_of(world, a, b);

    if (gossip_world_runs(world, b))
        return listed.status == GOSSIP_MEMBER_ALIVE && state == GOSSIP_ALIVE &&
               strtoul(listed.tag, NULL, 10) == world->nodes[b].tag;
    if (state == GOSSIP_ALIVE || state == GOSSIP_SUSPECT)
        return false;
    return listed.status == GOSSIP_MEMBER_NONE ||
           listed.status == GOSSIP_MEMBER_FAILED ||
           listed.status == GOSSIP_MEMBER_LEFT;
}

/* Do all who list b, which is gone, say the same of its end? */
static bool one_end(const struct gossip_world *world, size_t b)
{
    enum gossip_member_status end = GOSSIP_MEMBER_NONE;
    size_t a;

    for (a = 0; a < world->count; a++) {
        struct listed listed;

        if (!gossip_world_runs(world, a))
            continue;
        listed = look(world, a, b);
        if (listed.status == GOSSIP_MEMBER_NONE)
            continue;
        if (end != GOSSIP_MEMBER_NONE && listed.status != end)
            return false;
        end = listed.status;
    }
    return true;
}

bool gossip_world_agrees(const struct gossip_world *world, bool tell)
{
    size_t a, b;

    for (a = 0; a < world->count; a++)
        for (b = 0; b < world->count; b++) {
            if (!gossip_world_runs(world, a) || sees_truth(world, a, b))
                continue;
            if (tell)
                fprintf(stderr, "  %s, %s, is %s (%d, tag %s) to %s\n",
                        world->nodes[b].name,
                        gossip_world_runs(world, b) ? "alive" : "gone",
                        gossip_member_status_name(look(world, a, b).status),
                        state_of(world, a, b), look(world, a, b).tag,
                        world->nodes[a].name);
            return false;
        }
    return true;
}

bool gossip_world_agrees_on_gone(const struct gossip_world *world, bool tell)
{
    size_t b;

    for (b = 0; b < world->count; b++) {
        if (gossip_world_runs(world, b) || one_end(world, b))
            continue;
        if (tell)
            fprintf(stderr, "  %s has failed to some, left to others\n",
                    world->nodes[b].name);
        return false;
    }
    return true;
}

/* Will a find b by itself, or b a? */
static bool knows(const struct gossip_world *world, size_t a, size_t b)
{
    enum gossip_member_status status = look(world, a, b).status;

    return status == GOSSIP_MEMBER_ALIVE || status == GOSSIP_MEMBER_LEAVING ||
           status == GOSSIP_MEMBER_FAILED;
}

static void mark(const struct gossip_world *world, size_t a, bool *reached)
{
    size_t b;

    reached[a] = true;
    for (b = 0; b < world->count; b++)
        if (!reached[b] && gossip_world_runs(world, b) &&
            (knows(world, a, b) || knows(world, b, a)))
            mark(world, b, reached);
}

size_t gossip_world_bridge(struct gossip_world *world)
{
    bool reached[GOSSIP_WORLD_NODES] = {false};
    char text[BASE_ADDR_TEXT_MAX];
    const char *target = NULL;
    size_t bridges = 0, i;

    for (i = 0; i < world->count; i++) {
        if (!gossip_world_runs(world, i) || reached[i])
            continue;
        if (target != NULL) {
            bridges++;
            (void)gossip_serf_join(world->nodes[i].serf, &target, 1,
                                   GOSSIP_WORLD_PORT, false, NULL, NULL);
        }
        target = base_addr_format(&world->nodes[i].addr, text);
        mark(world, i, reached);
    }
    return bridges;
}
