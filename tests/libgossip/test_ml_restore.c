/* Nodes that begin with members known from before. */
#include <string.h>

#include "lone.h"
#include "pool.h"
#include "suite.h"

static struct gossip_node known(const char *name, const struct base_addr *addr)
{
    static const uint8_t vsn[6] = {1, 5, 2, 0, 0, 0};
    struct gossip_node node = {0};

    node.name = name;
    node.addr = *addr;
    node.incarnation = 1;
    memcpy(node.vsn, vsn, sizeof(vsn));
    return node;
}

/* What one node was shown of its view; names live as long as the view. */
struct kept {
    struct gossip_node nodes[8];
    size_t count;
};

static void keep(void *arg, const struct gossip_node *node)
{
    struct kept *kept = arg;

    kept->nodes[kept->count++] = *node;
}

static bool sees_one_dead(void *arg)
{
    struct pool *pool = arg;

    return pool_state(pool, 0, 2) == GOSSIP_DEAD;
}

/* Without asking anybody it holds all; the one who is gone is found out, the
 * other hears of us. No event tells what the caller said itself. */
START_TEST(a_kept_view_is_taken_up_and_probed)
{
    struct pool *pool = pool_new(1, 3);
    struct gossip_node nodes[3];
    size_t i;

    for (i = 0; i < 3; i++)
        nodes[i] = known(pool->nodes[i].name, &pool->nodes[i].addr);
    pool_start(pool, 0);
    pool_start(pool, 1);
    ck_assert_uint_eq(gossip_memberlist_restore(pool->nodes[0].ml, nodes, 3),
                      2);
    ck_assert_uint_eq(gossip_memberlist_alive_count(pool->nodes[0].ml), 3);
    pool_until(pool, sees_one_dead, pool, 60000);
    ck_assert_int_eq(pool_state(pool, 0, 1), GOSSIP_ALIVE);
    ck_assert_int_eq(pool_state(pool, 1, 0), GOSSIP_ALIVE);
    ck_assert_uint_eq(pool->nodes[0].joins, 1); /* its own */
    ck_assert_uint_eq(pool->nodes[0].leaves, 1);
    pool_free(pool);
}
END_TEST

/* As gossip_memberlist_each() shows it, with a dead member that is not taken. */
START_TEST(a_view_goes_from_one_instance_to_another)
{
    struct lone *from = lone_new(), *to = lone_new();
    struct kept kept = {.count = 0};
    struct gossip_node node;

    lone_start(from);
    lone_start(to);
    lone_alive(from, "a", 1, 7);
    lone_alive(from, "b", 2, 1);
    lone_claim(from, ML_DEAD, "b", 1, "a");
    gossip_memberlist_each(from->ml, keep, &kept);
    ck_assert_uint_eq(kept.count, 3);
    ck_assert_uint_eq(
        gossip_memberlist_restore(to->ml, kept.nodes, kept.count), 1);
    ck_assert_uint_eq(
        gossip_memberlist_restore(to->ml, kept.nodes, kept.count), 0);
    ck_assert(gossip_memberlist_find(to->ml, "a", &node));
    ck_assert_uint_eq(node.incarnation, 7);
    ck_assert_int_eq(lone_state(to, "b"), -1);
    ml_members_check(&to->ml->members);
    lone_free(from);
    lone_free(to);
}
END_TEST

/* A file may be damaged: what a peer might not say is not taken from it. */
START_TEST(what_no_peer_may_say_is_dropped)
{
    struct lone *lone = lone_new();
    struct base_addr addr;
    struct gossip_node bad[4];
    uint8_t meta[GOSSIP_META_BYTES_MAX + 1] = {0};

    base_addr_parse(&addr, "10.0.1.1:7946", 0);
    bad[0] = known("", &addr);
    bad[1] = known("long", &addr);
    bad[1].meta = meta;
    bad[1].meta_len = sizeof(meta);
    bad[2] = known("vsn", &addr);
    bad[2].vsn[0] = 0;
    bad[3] = known("high", &addr);
    bad[3].incarnation = UINT32_MAX;
    lone_start(lone);
    ck_assert_uint_eq(gossip_memberlist_restore(lone->ml, bad, 4), 0);
    ck_assert_uint_eq(gossip_memberlist_count(lone->ml), 1);
    ck_assert_uint_eq(lone_dropped(lone, "name"), 1);
    ck_assert_uint_eq(lone_dropped(lone, "meta"), 1);
    ck_assert_uint_eq(lone_dropped(lone, "vsn"), 1);
    ck_assert_uint_eq(lone_dropped(lone, "incarnation"), 1);
    lone_free(lone);
}
END_TEST

Suite *restore_suite(void)
{
    Suite *suite = suite_create("memberlist-restore");
    TCase *tcase = tcase_create("restore");

    tcase_add_test(tcase, a_kept_view_is_taken_up_and_probed);
    tcase_add_test(tcase, a_view_goes_from_one_instance_to_another);
    tcase_add_test(tcase, what_no_peer_may_say_is_dropped);
    suite_add_tcase(suite, tcase);
    return suite;
}
