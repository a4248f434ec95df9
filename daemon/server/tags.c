#include "server/tags.h"

#include <assert.h>
#include <stdio.h>

/* Versions of our RPC and Raft protocols: what we speak and understand. */
#define RPC_VERSION "1"
#define RAFT_VERSION "1"

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
    add(tags, "vsn", RPC_VERSION);
    add(tags, "vsn_min", RPC_VERSION);
    add(tags, "vsn_max", RPC_VERSION);
    add(tags, "raft_vsn", RAFT_VERSION);
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
