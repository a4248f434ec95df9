#include "server/tags.h"

#include <assert.h>
#include <stdio.h>

static void add(struct server_tags *tags, const char *key, const char *value)
{
    assert(tags->count < SERVER_TAGS_MAX);
    tags->tags[tags->count++] = (struct gossip_tag){key, value};
}

static void add_number(struct server_tags *tags, const char *key, size_t slot,
                       unsigned value)
{
    snprintf(tags->numbers[slot], sizeof(tags->numbers[slot]), "%u", value);
    add(tags, key, tags->numbers[slot]);
}

void server_tags_fill(struct server_tags *tags,
                      const struct server_config *config, bool wan)
{
    tags->count = 0;
    add(tags, "role", MEMBER_ROLE);
    add(tags, "dc", config->datacenter);
    add(tags, "id", config->node_id);
    add_number(tags, "port", 0, config->server_port);
    add_number(tags, "vsn", 3, MEMBER_VERSION);
    add_number(tags, "vsn_min", 4, MEMBER_VERSION_MIN);
    add_number(tags, "vsn_max", 5, MEMBER_VERSION_MAX);
    add_number(tags, "raft_vsn", 6, MEMBER_RAFT_VERSION);
    add(tags, "build", config->build);
    add(tags, "fs", "1");
    if (config->main.secure.ops)
        add(tags, "use_tls", "1");
    if (wan)
        return;
    add_number(tags, "wan_join_port", 1, config->serf_wan_port);
    if (config->bootstrap_expect > 0)
        add_number(tags, "expect", 2, config->bootstrap_expect);
}
