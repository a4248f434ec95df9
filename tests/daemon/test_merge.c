/* Who may be in the LAN pool and who in the WAN pool. */
#include <string.h>

#include "base/metrics.h"
#include "base/sim.h"
#include "gossip/error.h"
#include "server/merge.h"
#include "suite.h"

static struct base_sim *sim;
static struct merge_rules rules;

static void setup(void)
{
    struct base_addr addr;

    sim = base_sim_new(1);
    base_addr_parse_ip(&addr, "10.0.0.1");
    memset(&rules, 0, sizeof(rules));
    rules.env = base_sim_host_env(base_sim_host_new(sim, "host", &addr, 1),
                                  "gossip");
    strcpy(rules.datacenter, "dc1");
    strcpy(rules.own_name, "n1");
    strcpy(rules.own_id, "id-1");
}

static void teardown(void)
{
    base_sim_free(sim);
}

/* NULL leaves a tag out. */
static bool welcome(const char *name, const char *role, const char *dc,
                    const char *id)
{
    struct gossip_tag tags[3];
    struct gossip_member member = {.name = name, .tags = tags};
    int rv;

    base_addr_parse_ip(&member.addr, "10.0.0.2");
    if (dc)
        tags[member.tag_count++] = (struct gossip_tag){"dc", dc};
    if (id)
        tags[member.tag_count++] = (struct gossip_tag){"id", id};
    if (role)
        tags[member.tag_count++] = (struct gossip_tag){"role", role};
    rv = merge_check(&rules, &member);
    ck_assert(rv == 0 || rv == GOSSIP_EREFUSED);
    return rv == 0;
}

START_TEST(the_lan_is_one_datacenter)
{
    ck_assert(welcome("n2", "isthmus", "dc1", "id-2"));
    ck_assert(welcome("n2", "isthmus", "DC1", "id-2"));
    ck_assert(welcome("n3", "isthmus-client", "dc1", "id-3"));
    ck_assert(!welcome("n2", "isthmus", "dc2", "id-2"));
    ck_assert(!welcome("n3", "isthmus-client", "dc2", "id-3"));
    ck_assert(!welcome("n2", "isthmus", NULL, "id-2"));
}
END_TEST

static const struct {
    const char *min, *max;
    bool welcome;
} versions[] = {
    {"1", "1", true},    {"1", "9", true},    {"0", "1", true},
    {"2", "3", false},   {"0", "0", false},   {NULL, NULL, true},
    {"", "x", true},     {"99999999999999999999", NULL, false},
};

/* docs/protocol.md, "Versions": members of one pool share a version. */
START_TEST(members_share_a_version)
{
    struct gossip_tag tags[4] = {{"role", "isthmus"}, {"dc", "dc1"}};
    struct gossip_member member = {.name = "n2", .tags = tags, .tag_count = 2};

    if (versions[_i].max)
        tags[member.tag_count++] =
            (struct gossip_tag){"vsn_max", versions[_i].max};
    if (versions[_i].min)
        tags[member.tag_count++] =
            (struct gossip_tag){"vsn_min", versions[_i].min};
    base_addr_parse_ip(&member.addr, "10.0.0.2");
    ck_assert_int_eq(merge_check(&rules, &member),
                     versions[_i].welcome ? 0 : GOSSIP_EREFUSED);
}
END_TEST

START_TEST(nobody_else_has_our_id)
{
    ck_assert(welcome("n1", "isthmus", "dc1", "id-1")); /* ourselves */
    ck_assert(!welcome("n2", "isthmus", "dc1", "id-1"));
    ck_assert(!welcome("n2", "isthmus-client", "dc1", "id-1"));
}
END_TEST

START_TEST(plain_serf_agents_are_welcome_in_the_lan)
{
    ck_assert(welcome("printer", NULL, NULL, NULL));
    ck_assert(welcome("printer", "consul", "dc9", "id-1"));
}
END_TEST

START_TEST(the_wan_is_for_servers)
{
    rules.wan = true;
    ck_assert(welcome("n1.dc2", "isthmus", "dc2", "id-2"));
    ck_assert(!welcome("n1.dc2", "isthmus-client", "dc2", "id-2"));
    ck_assert(!welcome("n1.dc2", "consul", "dc2", "id-2"));
    ck_assert(!welcome("n1.dc2", NULL, NULL, NULL));
}
END_TEST

START_TEST(wan_names_have_two_labels)
{
    rules.wan = true;
    ck_assert(!welcome("n1", "isthmus", "dc2", "id-2"));
    ck_assert(!welcome("n1.", "isthmus", "", "id-2"));
    ck_assert(!welcome(".dc2", "isthmus", "dc2", "id-2"));
    ck_assert(!welcome("n1.dc2.x", "isthmus", "dc2.x", "id-2"));
    ck_assert(!welcome("", "isthmus", "dc2", "id-2"));
    /* A server that names one datacenter and carries another in its tag. */
    ck_assert(!welcome("n1.dc2", "isthmus", "dc1", "id-2"));
    ck_assert(!welcome("n1.dc2", "isthmus", NULL, "id-2"));
}
END_TEST

START_TEST(foreign_wan_members_if_allowed)
{
    rules.wan = true;
    rules.allow_foreign = true;
    ck_assert(welcome("n1.dc9", NULL, NULL, NULL));
    ck_assert(welcome("n1.dc9", "other", "dc1", "x"));
    ck_assert(!welcome("n1", NULL, NULL, NULL));
}
END_TEST

START_TEST(refusals_are_counted)
{
    struct base_metrics *metrics = base_metrics_new();
    uint64_t refused;

    rules.env->metrics = metrics;
    welcome("n2", "isthmus", "dc2", "id-2");
    welcome("n3", "isthmus", "dc2", "id-3");
    refused = base_counter_value(base_metrics_counter(
        rules.env->metrics, "isthmus.serf.merge_refused", "pool", "lan"));
    ck_assert_uint_eq(refused, 2);
    rules.env->metrics = NULL;
    base_metrics_free(metrics);
}
END_TEST

Suite *merge_suite(void)
{
    Suite *suite = suite_create("merge");
    TCase *tcase = tcase_create("merge");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, the_lan_is_one_datacenter);
    tcase_add_loop_test(tcase, members_share_a_version, 0,
                        (int)(sizeof(versions) / sizeof(versions[0])));
    tcase_add_test(tcase, nobody_else_has_our_id);
    tcase_add_test(tcase, plain_serf_agents_are_welcome_in_the_lan);
    tcase_add_test(tcase, the_wan_is_for_servers);
    tcase_add_test(tcase, wan_names_have_two_labels);
    tcase_add_test(tcase, foreign_wan_members_if_allowed);
    tcase_add_test(tcase, refusals_are_counted);
    suite_add_tcase(suite, tcase);
    return suite;
}
