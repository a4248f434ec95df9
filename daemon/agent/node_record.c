/* The record is put together from borrowed parts and copied whole. */
#include "agent/node_record.h"

#include "base/alloc.h"
#include "base/pb.h"

static Fedstate__Pair pair_of(const char *key, const char *value)
{
    Fedstate__Pair pair = FEDSTATE__PAIR__INIT;

    pair.key = (char *)(uintptr_t)key;
    pair.value = (char *)(uintptr_t)value;
    return pair;
}

Fedstate__Node *node_record_new(const struct config *config,
                                const char *node_id)
{
    const struct config_map *meta = &config->node_meta;
    char lan_ip[BASE_ADDR_TEXT_MAX], wan_ip[BASE_ADDR_TEXT_MAX];
    Fedstate__Pair lan = pair_of(
        "lan", base_addr_format_ip(&config->advertise_addr, lan_ip));
    Fedstate__Pair wan = pair_of(
        "wan", base_addr_format_ip(&config->advertise_addr_wan, wan_ip));
    Fedstate__Pair *tagged[] = {&lan, &wan};
    Fedstate__Pair *pairs = base_calloc(meta->count + 1, sizeof(*pairs));
    Fedstate__Pair **list = base_calloc(meta->count + 1, sizeof(*list));
    Fedstate__Node node = FEDSTATE__NODE__INIT, *copy;
    size_t i;

    for (i = 0; i < meta->count; i++) {
        pairs[i] = pair_of(meta->pairs[i].key, meta->pairs[i].value);
        list[i] = &pairs[i];
    }
    node.id = (char *)(uintptr_t)node_id;
    node.node = config->node_name;
    node.datacenter = config->datacenter;
    node.address = lan.value;
    node.tagged_addresses = tagged;
    node.n_tagged_addresses = BASE_COUNT_OF(tagged);
    node.meta = list;
    node.n_meta = meta->count;
    copy = base_pb_dup(&node);
    base_free(list);
    base_free(pairs);
    return copy;
}
