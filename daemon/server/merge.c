/* The rules, each with the sentence that the log gives for it. */
#include "server/merge.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/member.h"

/* A tag's number; what is absent or no number is of no version at all, and
 * anything may be tried with it. */
static unsigned long version_of(const struct gossip_member *member,
                                const char *key, unsigned long otherwise)
{
    const char *text = gossip_member_tag(member, key);
    char *end;
    unsigned long number;

    if (text == NULL || *text < '0' || *text > '9')
        return otherwise;
    number = strtoul(text, &end, 10);
    return *end == '\0' ? number : otherwise;
}

/* Whether there is a version of our calls that both understand. */
static bool shares_version(const struct gossip_member *member)
{
    return version_of(member, "vsn_min", 0) <= MEMBER_VERSION_MAX &&
           version_of(member, "vsn_max", ULONG_MAX) >= MEMBER_VERSION_MIN;
}

static const char *lan_refusal(const struct merge_rules *rules,
                               const struct gossip_member *member,
                               const char *role, const char *dc)
{
    const char *id = gossip_member_tag(member, "id");

    if (role == NULL || (strcmp(role, MEMBER_ROLE) != 0 &&
                         strcmp(role, MEMBER_ROLE_CLIENT) != 0))
        return NULL; /* a plain serf agent is welcome; it never counts */
    if (dc == NULL || strcasecmp(dc, rules->datacenter) != 0)
        return "member of another datacenter in the LAN pool";
    if (!shares_version(member))
        return "member that speaks no version of the calls that we do";
    if (id != NULL && strcmp(id, rules->own_id) == 0 &&
        strcmp(member->name, rules->own_name) != 0)
        return "member with our own node id: two agents share a data folder";
    return NULL;
}

/* Exactly two labels, neither empty. */
static bool is_wan_name(const char *name)
{
    const char *dot = strchr(name, '.');

    return dot != NULL && dot != name && dot[1] != '\0' &&
           strchr(dot + 1, '.') == NULL;
}

static const char *wan_refusal(const struct merge_rules *rules,
                               const char *role, const char *dc,
                               const char *name)
{
    if (!is_wan_name(name))
        return "WAN member whose name is not node.datacenter";
    if (role != NULL && strcmp(role, MEMBER_ROLE) == 0) {
        if (dc == NULL || strcasecmp(dc, strchr(name, '.') + 1) != 0)
            return "WAN member whose tag and name tell two datacenters";
        return NULL;
    }
    if (rules->allow_foreign)
        return NULL;
    return "WAN member that is no server of ours (wan_allow_foreign_members "
           "is off)";
}

int merge_check(struct merge_rules *rules, const struct gossip_member *member)
{
    const char *role = gossip_member_tag(member, "role");
    const char *dc = gossip_member_tag(member, "dc");
    const char *why;

    if (rules->wan)
        why = wan_refusal(rules, role, dc, member->name);
    else
        why = lan_refusal(rules, member, role, dc);
    if (why == NULL)
        return 0;
    base_counter_add(base_metrics_counter(rules->env->metrics,
                                          "isthmus.serf.merge_refused", "pool",
                                          rules->wan ? "wan" : "lan"),
                     1);
    if (base_log_limit_pass(&rules->log_limit, base_env_now_ns(rules->env)))
        base_log(&rules->env->log, BASE_LOG_WARN, why,
                 kv_str("member", member->name), kv_addr("address", &member->addr));
    return GOSSIP_EREFUSED;
}
