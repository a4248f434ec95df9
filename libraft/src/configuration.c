/*
 * A configuration as a value and as the data of a log entry. What is decoded
 * here came from a peer or from the disk: everything is checked.
 */
#include "configuration.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pb.h"

bool text_copy(char *out, size_t size, const char *text)
{
    size_t len = text != NULL ? strlen(text) : 0;

    if (len >= size)
        return false;
    if (len > 0)
        memcpy(out, text, len);
    memset(out + len, 0, size - len);
    return true;
}

const struct raft_server *
raft_configuration_find(const struct raft_configuration *configuration,
                        const char *id)
{
    uint32_t i;

    for (i = 0; i < configuration->server_count; i++) {
        if (strcmp(configuration->servers[i].id, id) == 0)
            return &configuration->servers[i];
    }
    return NULL;
}

uint32_t configuration_voter_count(
    const struct raft_configuration *configuration)
{
    uint32_t count = 0;
    uint32_t i;

    for (i = 0; i < configuration->server_count; i++)
        count += configuration->servers[i].suffrage == RAFT_VOTER;
    return count;
}

bool configuration_is_voter(const struct raft_configuration *configuration,
                            const char *id)
{
    const struct raft_server *server =
        raft_configuration_find(configuration, id);

    return server != NULL && server->suffrage == RAFT_VOTER;
}

static bool ids_are_unique(const struct raft_configuration *configuration)
{
    uint32_t i, j;

    for (i = 0; i < configuration->server_count; i++) {
        if (configuration->servers[i].id[0] == '\0')
            return false;
        for (j = 0; j < i; j++) {
            if (strcmp(configuration->servers[i].id,
                       configuration->servers[j].id) == 0)
                return false;
        }
    }
    return true;
}

int configuration_validate(const struct raft_configuration *configuration)
{
    if (configuration->server_count > RAFT_SERVERS_MAX ||
        !ids_are_unique(configuration) ||
        configuration_voter_count(configuration) == 0)
        return RAFT_EINVAL;
    return 0;
}

static int compare_servers(const void *a, const void *b)
{
    const struct raft_server *left = a;
    const struct raft_server *right = b;

    return strcmp(left->id, right->id);
}

void configuration_sort(struct raft_configuration *configuration)
{
    qsort(configuration->servers, configuration->server_count,
          sizeof(configuration->servers[0]), compare_servers);
}

/* FNV-1a, 64 bits: the name has to be the same everywhere, not secret. */
static uint64_t hash_text(uint64_t hash, const char *text)
{
    do {
        hash = (hash ^ (uint8_t)*text) * 0x100000001b3ull;
    } while (*text++ != '\0');
    return hash;
}

static uint64_t hash_servers(const struct raft_configuration *configuration)
{
    uint64_t hash = 0xcbf29ce484222325ull;
    uint32_t i;

    for (i = 0; i < configuration->server_count; i++) {
        hash = hash_text(hash, configuration->servers[i].id);
        hash = hash_text(hash, configuration->servers[i].address);
    }
    return hash;
}

void configuration_name(struct raft_configuration *configuration)
{
    if (configuration->cluster_id[0] == '\0')
        snprintf(configuration->cluster_id, sizeof(configuration->cluster_id),
                 "cluster-%016" PRIx64, hash_servers(configuration));
}

void configuration_rename(struct raft_configuration *configuration)
{
    snprintf(configuration->cluster_id, sizeof(configuration->cluster_id),
             "recovered-%016" PRIx64, hash_servers(configuration));
}

void configuration_pack(const struct raft_configuration *configuration,
                        struct base_buf *out)
{
    Raft__Configuration message = RAFT__CONFIGURATION__INIT;
    Raft__Server servers[RAFT_SERVERS_MAX];
    Raft__Server *pointers[RAFT_SERVERS_MAX];
    struct raft_configuration copy = *configuration;
    uint32_t i;

    for (i = 0; i < copy.server_count; i++) {
        raft__server__init(&servers[i]);
        servers[i].id = copy.servers[i].id;
        servers[i].address = copy.servers[i].address;
        servers[i].nonvoter = copy.servers[i].suffrage == RAFT_NONVOTER;
        pointers[i] = &servers[i];
    }
    message.n_servers = copy.server_count;
    message.servers = pointers;
    message.cluster_id = copy.cluster_id;
    base_pb_pack(&message, out);
}

int configuration_from_pb(const Raft__Configuration *message,
                          struct raft_configuration *out)
{
    size_t i;

    memset(out, 0, sizeof(*out));
    if (message->n_servers > RAFT_SERVERS_MAX ||
        !text_copy(out->cluster_id, sizeof(out->cluster_id),
                   message->cluster_id))
        return RAFT_EDECODE;
    for (i = 0; i < message->n_servers; i++) {
        const Raft__Server *server = message->servers[i];
        struct raft_server *into = &out->servers[i];

        if (!text_copy(into->id, sizeof(into->id), server->id) ||
            !text_copy(into->address, sizeof(into->address), server->address))
            return RAFT_EDECODE;
        into->suffrage = server->nonvoter ? RAFT_NONVOTER : RAFT_VOTER;
    }
    out->server_count = (uint32_t)message->n_servers;
    return configuration_validate(out) == 0 ? 0 : RAFT_EDECODE;
}

int configuration_unpack(const void *data, size_t len,
                         struct raft_configuration *out)
{
    Raft__Configuration *message;
    int rv;

    message = base_pb_unpack(&raft__configuration__descriptor, data, len,
                             base_pb_budget(len));
    if (message == NULL)
        return RAFT_EDECODE;
    rv = configuration_from_pb(message, out);
    base_pb_free(message);
    return rv;
}
