/*
 * A configuration, as an entry of the log or a part of a snapshot brings it.
 * Property: what decodes has distinct ids and at most RAFT_SERVERS_MAX servers,
 * packs, and decodes again to the same.
 * needs: raft base
 * covers: libraft/src/configuration.c
 */
#include "fuzz.h"

#include "configuration.h"

static void require_same(const struct raft_configuration *a,
                         const struct raft_configuration *b)
{
    uint32_t i;

    FUZZ_REQUIRE(a->server_count == b->server_count);
    FUZZ_REQUIRE(strcmp(a->cluster_id, b->cluster_id) == 0);
    for (i = 0; i < a->server_count; i++) {
        FUZZ_REQUIRE(strcmp(a->servers[i].id, b->servers[i].id) == 0);
        FUZZ_REQUIRE(strcmp(a->servers[i].address, b->servers[i].address) ==
                     0);
        FUZZ_REQUIRE(a->servers[i].suffrage == b->servers[i].suffrage);
    }
}

static void round_trip(const struct raft_configuration *configuration)
{
    struct base_buf packed = BASE_BUF_INIT;
    struct raft_configuration again;

    configuration_pack(configuration, &packed);
    FUZZ_REQUIRE(configuration_unpack(base_buf_data(&packed),
                                      base_buf_len(&packed), &again) == 0);
    require_same(configuration, &again);
    base_buf_close(&packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct raft_configuration configuration;
    uint32_t i, voters;

    if (configuration_unpack(data, len, &configuration) < 0)
        return 0;
    FUZZ_REQUIRE(configuration.server_count <= RAFT_SERVERS_MAX);
    for (i = 0; i < configuration.server_count; i++)
        FUZZ_REQUIRE(raft_configuration_find(&configuration,
                                             configuration.servers[i].id) ==
                     &configuration.servers[i]);
    round_trip(&configuration);
    voters = configuration_voter_count(&configuration);
    FUZZ_REQUIRE((configuration_validate(&configuration) == 0) ==
                 (voters > 0));
    configuration_sort(&configuration);
    FUZZ_REQUIRE(configuration_voter_count(&configuration) == voters);
    configuration_name(&configuration);
    FUZZ_REQUIRE(configuration.cluster_id[0] != '\0');
    configuration_rename(&configuration);
    FUZZ_REQUIRE(!configuration_is_voter(&configuration, "nobody at all"));
    round_trip(&configuration);
    return 0;
}
