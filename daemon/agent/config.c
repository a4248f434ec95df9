/*
 * The configuration as an object: its defaults, its end, and small questions
 * about it. Reading, completing and checking are in the files beside this one.
 */
#include "agent/config.h"

#include <string.h>
#include <strings.h>

#include "agent/config_acl.h"
#include "base/alloc.h"

void config_init(struct config *config)
{
    *config = (struct config){
        .ports = {.server = 8300,
                  .serf_lan = 8301,
                  .serf_wan = 8302,
                  .http = 8500},
        .encrypt_verify_incoming = true,
        .encrypt_verify_outgoing = true,
        .log_level = BASE_LOG_INFO,
        .unix_socket_mode = 0600,
        .raft_multiplier = 1,
        .check_update_interval_ms = 300 * 1000,
        .rpc_handshake_timeout_ms = 5 * 1000,
        .rpc_handshakes_max = 64,
        .rpc_max_conns_per_client = 100,
        .snapshot_bytes_max = 256u << 20,
    };
    config->retry_join.interval_ms = 30 * 1000;
    config->retry_join_wan.interval_ms = 30 * 1000;
    config->primary_gateways.interval_ms = 30 * 1000;
    config->datacenter = base_strdup("dc1");
    config->domain = base_strdup("consul");
    config->syslog_facility = base_strdup("LOCAL0");
    base_addr_parse_ip(&config->bind_addr, "0.0.0.0");
    base_addr_parse_ip(&config->client_addr, "127.0.0.1");
    config->origins = config_origins_new();
}

static void close_list(struct config_list *list)
{
    size_t i;

    for (i = 0; i < list->count; i++)
        base_free(list->items[i]);
    base_free(list->items);
}

static void close_map(struct config_map *map)
{
    size_t i;

    for (i = 0; i < map->count; i++) {
        base_free(map->pairs[i].key);
        base_free(map->pairs[i].value);
    }
    base_free(map->pairs);
}

static void close_value(struct config *config, const struct config_key *key)
{
    void *field = (char *)config + key->offset;

    if (key->type == CONFIG_TEXT) {
        char *text = *(char **)field;

        if (text != NULL)
            base_free_secret(text, strlen(text));
    } else if (key->type == CONFIG_LIST) {
        close_list(field);
    } else if (key->type == CONFIG_MAP) {
        close_map(field);
    } else if (key->type == CONFIG_GRANTS) {
        config_close_grants(field);
    }
}

void config_close(struct config *config)
{
    size_t i;

    /* Every owned value has a key; another spelling is no second value. */
    for (i = 0; i < config_key_count(); i++) {
        if (config_key_at(i)->same_as == NULL)
            close_value(config, config_key_at(i));
    }
    config_origins_free(config->origins);
    memset(config, 0, sizeof(*config));
}

bool config_is_secondary(const struct config *config)
{
    return config->federation && config->primary_datacenter != NULL &&
           strcasecmp(config->primary_datacenter, config->datacenter) != 0;
}
