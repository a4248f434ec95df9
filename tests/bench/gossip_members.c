/*
 * What a member costs besides its name and tags, in a table of 100,000: by
 * part, and all of it as malloc counts it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/sim.h"
#include "gossip_bench.h"
#include "memberlist/node.h"
#include "serf/core.h"

#define TAG_BYTES 200u

struct people {
    struct gossip_node *nodes;
    size_t count;
    size_t text_bytes; /* names and tags, of all */
};

/* Tags as serf encodes them: one of them is long. */
static void introduce(struct people *people, size_t count)
{
    static const uint8_t vsn[6] = {1, 5, 2, 2, 5, 5};
    uint8_t *tags = base_calloc(1, TAG_BYTES);
    size_t i;

    memcpy(tags, "\xff\x81\xa4" "role\xda\x00", 10);
    tags[10] = TAG_BYTES - 11;
    memset(tags + 11, 'x', TAG_BYTES - 11);
    people->count = count;
    people->nodes = base_calloc(count, sizeof(*people->nodes));
    for (i = 0; i < count; i++) {
        struct gossip_node *node = &people->nodes[i];
        const uint8_t ip[4] = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8),
                               (uint8_t)i};

        node->name = base_asprintf("node-%06zu.example", i);
        node->meta = tags;
        node->meta_len = TAG_BYTES;
        node->incarnation = 1;
        base_addr_from_ip(&node->addr, ip, 4, 7946);
        memcpy(node->vsn, vsn, sizeof(vsn));
        people->text_bytes += strlen(node->name) + TAG_BYTES;
    }
}

static void row(const char *part, size_t bytes, size_t count)
{
    printf("| %s | %.1f |\n", part, (double)bytes / (double)count);
}

static int no_packet(void *ctx, const struct gossip_peer *to, const void *data,
                     size_t len)
{
    (void)ctx;
    (void)to;
    (void)data;
    (void)len;
    return 0;
}

static const struct gossip_transport_ops nowhere = {.version = 1,
                                                    .send_packet = no_packet};

static void print_memberlist(const struct gossip_memberlist *ml,
                             size_t heap_bytes, const struct people *people)
{
    const struct ml_members *members = &ml->members;
    size_t slots = members->chunk_count * ML_CHUNK * sizeof(struct ml_member);
    size_t index = members->index_count * sizeof(*members->index);
    size_t ring = members->ring_cap * sizeof(*members->ring);
    size_t facts = members->count * sizeof(struct ml_record);

    row("memberlist: state of a member", slots, people->count);
    row("memberlist: by name, and the ring", index + ring, people->count);
    row("memberlist: address, versions, counts", facts, people->count);
    row("memberlist: table of facts, malloc's part",
        heap_bytes - people->text_bytes - slots - index - ring - facts,
        people->count);
    row("**memberlist**", heap_bytes - people->text_bytes, people->count);
}

static void start(struct base_sim *sim, struct gossip_serf **serf)
{
    struct gossip_serf_config config = {0};
    struct base_env *env;

    base_addr_parse(&config.advertise, "10.250.0.1:7946", 0);
    env = base_sim_host_env(base_sim_host_new(sim, "h", &config.advertise, 1),
                            "gossip");
    config.name = "self";
    config.params = gossip_params_lan;
    config.params.gossip_interval_ms = 0;
    config.params.probe_interval_ms = 0;
    config.params.push_pull_interval_ms = 0;
    config.transport.ops = &nowhere;
    if (gossip_serf_new(env, &config, serf) < 0)
        exit(1);
    base_sim_run_for_ms(sim, 10);
}

void bench_members(const struct bench_options *options)
{
    struct people people = {0};
    struct base_sim *sim = base_sim_new(1);
    struct gossip_serf *serf;
    struct gossip_memberlist *ml;
    size_t before, heap, i;

    base_sim_set_digest(sim, false);
    introduce(&people, options->nodes > 0   ? options->nodes
                       : options->quick ? 10000
                                        : 100000);
    start(sim, &serf);
    ml = gossip_serf_memberlist(serf);
    before = bench_heap_bytes();
    if (gossip_memberlist_restore(ml, people.nodes, people.count) !=
        people.count)
        exit(1);
    heap = bench_heap_bytes() - before;
    printf("The member table: bytes a member besides its name and tags (%.0f "
           "B), at %zu members.\n\n| part | bytes |\n| --- | --: |\n",
           (double)people.text_bytes / (double)people.count, people.count);
    print_memberlist(ml, heap, &people);
    before = bench_heap_bytes();
    for (i = 0; i < people.count; i++) {
        serf_node_join(serf, &people.nodes[i]);
        if (i % 256 == 0) /* its events go out */
            base_sim_run_for_ms(sim, 1);
    }
    base_sim_run_for_ms(sim, 10);
    heap = bench_heap_bytes() - before;
    row("serf's own table, besides its own name and tags",
        heap - people.text_bytes, people.count);
}
