/*
 * Every key of the configuration, once: its path, its type, where its value
 * lives, its bounds, its flag. What a value may be beyond its type is the
 * business of config_check.c; how it is stored, of config_set.c.
 */
#include "agent/config_keys.h"

#include <string.h>

#include "base/alloc.h"

#define AT(field) offsetof(struct config, field)

/* Bounds in milliseconds. A retry faster than 10 ms is a busy loop; a day is
 * longer than anybody waits for these. */
#define RETRY_MIN 10
#define DAY (24 * 3600 * 1000)

/* clang-format off */
static const struct config_key keys[] = {
    {"node_name", CONFIG_TEXT, AT(node_name), 0, 0, "node", "NAME",
     "name of this node; default: the host's name", NULL},
    {"node_id", CONFIG_TEXT, AT(node_id), 0, 0, "node-id", "UUID",
     "identity of this node; default: made once, kept in the data folder",
     NULL},
    {"node_meta", CONFIG_MAP, AT(node_meta), 0, 0, "node-meta", "KEY=VALUE",
     "a pair of node metadata; repeatable", NULL},
    {"datacenter", CONFIG_TEXT, AT(datacenter), 0, 0, "datacenter", "DC",
     "datacenter of this agent; default: dc1", NULL},
    {"primary_datacenter", CONFIG_TEXT, AT(primary_datacenter), 0, 0,
     "primary-datacenter", "DC",
     "datacenter that owns the federation states; default: this one", NULL},
    {"domain", CONFIG_TEXT, AT(domain), 0, 0, "domain", "DOMAIN",
     "last part of the names in certificates; default: consul", NULL},
    {"data_dir", CONFIG_TEXT, AT(data_dir), 0, 0, "data-dir", "FOLDER",
     "where this agent keeps its state", NULL},
    {"server", CONFIG_BOOL, AT(server), 0, 0, "server", NULL,
     "run as a server", NULL},
    {"bootstrap", CONFIG_BOOL, AT(bootstrap), 0, 0, "bootstrap", NULL,
     "the first server of a datacenter of one server", NULL},
    {"bootstrap_expect", CONFIG_UINT, AT(bootstrap_expect), 0, 99,
     "bootstrap-expect", "N",
     "begin a new datacenter when N servers have found each other", NULL},

    {"bind_addr", CONFIG_IP, AT(bind_addr), 0, 0, "bind", "IP",
     "address for gossip and RPC; default: 0.0.0.0", NULL},
    {"advertise_addr", CONFIG_IP, AT(advertise_addr), 0, 0, "advertise", "IP",
     "address that others are told; default: the one bound", NULL},
    {"advertise_addr_wan", CONFIG_IP, AT(advertise_addr_wan), 0, 0,
     "advertise-wan", "IP",
     "address for other datacenters; default: as -advertise", NULL},
    {"client_addr", CONFIG_IP, AT(client_addr), 0, 0, "client", "IP",
     "address for the HTTP API; default: 127.0.0.1", NULL},
    {"ports.server", CONFIG_PORT, AT(ports.server), 1, 65535, "server-port",
     "PORT", "server RPC port; default: 8300", NULL},
    {"ports.serf_lan", CONFIG_PORT, AT(ports.serf_lan), 1, 65535,
     "serf-lan-port", "PORT", "LAN gossip port; default: 8301", NULL},
    {"ports.serf_wan", CONFIG_PORT, AT(ports.serf_wan), 1, 65535,
     "serf-wan-port", "PORT", "WAN gossip port; default: 8302", NULL},
    {"ports.http", CONFIG_PORT, AT(ports.http), -1, 65535, "http-port", "PORT",
     "HTTP API port, -1 for none; default: 8500", NULL},
    {"ports.https", CONFIG_PORT, AT(ports.https), -1, 65535, "https-port",
     "PORT", "HTTP API port with TLS; default: none", NULL},
    {"addresses.http", CONFIG_TEXT, AT(addresses.http), 0, 0, NULL, NULL, NULL,
     NULL},
    {"addresses.https", CONFIG_TEXT, AT(addresses.https), 0, 0, NULL, NULL,
     NULL, NULL},
    {"unix_sockets.mode", CONFIG_TEXT, AT(unix_sockets_mode), 0, 0, NULL, NULL,
     NULL, NULL},

    {"encrypt", CONFIG_TEXT, AT(encrypt), 0, 0, "encrypt", "KEY",
     "gossip key in base64, as isthmus keygen prints it", NULL},
    {"encrypt_verify_incoming", CONFIG_BOOL, AT(encrypt_verify_incoming), 0, 0,
     NULL, NULL, NULL, NULL},
    {"encrypt_verify_outgoing", CONFIG_BOOL, AT(encrypt_verify_outgoing), 0, 0,
     NULL, NULL, NULL, NULL},

    {"start_join", CONFIG_LIST, AT(start_join), 0, 0, "join", "ADDRESS",
     "LAN member to join at the start; repeatable", NULL},
    {"start_join_wan", CONFIG_LIST, AT(start_join_wan), 0, 0, "join-wan",
     "ADDRESS", "WAN member to join at the start; repeatable", NULL},
    {"retry_join", CONFIG_LIST, AT(retry_join.targets), 0, 0, "retry-join",
     "ADDRESS", "LAN member to join, tried until it works; repeatable", NULL},
    {"retry_interval", CONFIG_DURATION, AT(retry_join.interval_ms), RETRY_MIN,
     DAY, "retry-interval", "TIME", "time between tries; default: 30s", NULL},
    {"retry_max", CONFIG_UINT, AT(retry_join.max), 0, INT32_MAX, "retry-max",
     "N", "tries before giving up, 0 for no end; default: 0", NULL},
    {"retry_join_wan", CONFIG_LIST, AT(retry_join_wan.targets), 0, 0,
     "retry-join-wan", "ADDRESS",
     "WAN member to join, tried until it works; repeatable", NULL},
    {"retry_interval_wan", CONFIG_DURATION, AT(retry_join_wan.interval_ms),
     RETRY_MIN, DAY, "retry-interval-wan", "TIME",
     "time between WAN tries; default: 30s", NULL},
    {"retry_max_wan", CONFIG_UINT, AT(retry_join_wan.max), 0, INT32_MAX,
     "retry-max-wan", "N", "WAN tries, 0 for no end; default: 0", NULL},
    {"primary_gateways", CONFIG_LIST, AT(primary_gateways.targets), 0, 0,
     "primary-gateway", "ADDRESS",
     "mesh gateway of the primary datacenter; repeatable", NULL},
    {"primary_gateways_interval", CONFIG_DURATION,
     AT(primary_gateways.interval_ms), RETRY_MIN, DAY,
     "primary-gateways-interval", "TIME",
     "time between looking up the primary's gateways; default: 30s", NULL},

    {"connect.enabled", CONFIG_BOOL, AT(connect_enabled), 0, 0, NULL, NULL,
     NULL, NULL},
    {"connect.enable_mesh_gateway_wan_federation", CONFIG_BOOL, AT(federation),
     0, 0, NULL, NULL, NULL, NULL},
    {"disable_primary_gateway_fallback", CONFIG_BOOL,
     AT(disable_primary_gateway_fallback), 0, 0, NULL, NULL, NULL, NULL},
    {"wan_allow_foreign_members", CONFIG_BOOL, AT(wan_allow_foreign_members),
     0, 0, NULL, NULL, NULL, NULL},

    {"ca_file", CONFIG_TEXT, AT(ca_file), 0, 0, NULL, NULL, NULL, NULL},
    {"cert_file", CONFIG_TEXT, AT(cert_file), 0, 0, NULL, NULL, NULL, NULL},
    {"key_file", CONFIG_TEXT, AT(key_file), 0, 0, NULL, NULL, NULL, NULL},
    {"verify_incoming", CONFIG_BOOL, AT(verify_incoming), 0, 0, NULL, NULL,
     NULL, NULL},
    {"verify_outgoing", CONFIG_BOOL, AT(verify_outgoing), 0, 0, NULL, NULL,
     NULL, NULL},
    {"verify_server_hostname", CONFIG_BOOL, AT(verify_server_hostname), 0, 0,
     NULL, NULL, NULL, NULL},
    {"verify_incoming_https", CONFIG_BOOL, AT(verify_incoming_https), 0, 0,
     NULL, NULL, NULL, NULL},
    {"tls.https.verify_incoming", CONFIG_BOOL, AT(verify_incoming_https), 0, 0,
     NULL, NULL, NULL, "verify_incoming_https"},
    {"tls.defaults.ca_file", CONFIG_TEXT, AT(ca_file), 0, 0, NULL, NULL, NULL,
     "ca_file"},
    {"tls.defaults.cert_file", CONFIG_TEXT, AT(cert_file), 0, 0, NULL, NULL,
     NULL, "cert_file"},
    {"tls.defaults.key_file", CONFIG_TEXT, AT(key_file), 0, 0, NULL, NULL,
     NULL, "key_file"},
    {"tls.defaults.verify_incoming", CONFIG_BOOL, AT(verify_incoming), 0, 0,
     NULL, NULL, NULL, "verify_incoming"},
    {"tls.defaults.verify_outgoing", CONFIG_BOOL, AT(verify_outgoing), 0, 0,
     NULL, NULL, NULL, "verify_outgoing"},
    {"tls.internal_rpc.verify_server_hostname", CONFIG_BOOL,
     AT(verify_server_hostname), 0, 0, NULL, NULL, NULL,
     "verify_server_hostname"},

    {"acl.enabled", CONFIG_BOOL, AT(acl.enabled), 0, 0, NULL, NULL, NULL, NULL},
    {"acl.default_policy", CONFIG_TEXT, AT(acl.default_policy), 0, 0, NULL,
     NULL, NULL, NULL},
    {"acl.tokens.agent", CONFIG_TEXT, AT(acl.agent_token), 0, 0, NULL, NULL,
     NULL, NULL},
    {"acl.tokens.default", CONFIG_TEXT, AT(acl.default_token), 0, 0, NULL, NULL,
     NULL, NULL},
    {"acl.tokens.initial_management", CONFIG_TEXT, AT(acl.management_token), 0,
     0, NULL, NULL, NULL, NULL},
    {"acl.tokens.replication", CONFIG_TEXT, AT(acl.replication_token), 0, 0,
     NULL, NULL, NULL, NULL},
    {"acl.grants", CONFIG_GRANTS, AT(acl.grants), 0, 0, NULL, NULL, NULL, NULL},

    {"log_level", CONFIG_LEVEL, AT(log_level), 0, 0, "log-level", "LEVEL",
     "trace, debug, info, warn or error; default: info", NULL},
    {"log_json", CONFIG_BOOL, AT(log_json), 0, 0, "log-json", NULL,
     "log in JSON", NULL},
    {"log_file", CONFIG_TEXT, AT(log_file), 0, 0, "log-file", "FILE",
     "append the log to a file; default: standard error", NULL},

    {"enable_syslog", CONFIG_BOOL, AT(enable_syslog), 0, 0, "syslog", NULL,
     "log to syslog", NULL},
    {"syslog_facility", CONFIG_TEXT, AT(syslog_facility), 0, 0, NULL, NULL,
     NULL, NULL},

    {"leave_on_terminate", CONFIG_BOOL, AT(leave_on_terminate), 0, 0, NULL,
     NULL, NULL, NULL},
    {"skip_leave_on_interrupt", CONFIG_BOOL, AT(skip_leave_on_interrupt), 0, 0,
     NULL, NULL, NULL, NULL},
    {"rejoin_after_leave", CONFIG_BOOL, AT(rejoin_after_leave), 0, 0, "rejoin",
     NULL, "join again after an earlier leave", NULL},

    {"performance.raft_multiplier", CONFIG_UINT, AT(raft_multiplier), 1, 10,
     NULL, NULL, NULL, NULL},
    {"performance.raft_lease_drift_ppm", CONFIG_UINT, AT(raft_lease_drift_ppm),
     0, 500000, NULL, NULL, NULL, NULL},
    {"check_update_interval", CONFIG_DURATION, AT(check_update_interval_ms), 0,
     DAY, NULL, NULL, NULL, NULL},
    {"limits.rpc_handshake_timeout", CONFIG_DURATION,
     AT(rpc_handshake_timeout_ms), 100, 60 * 1000, NULL, NULL, NULL, NULL},
    {"limits.rpc_handshakes_max", CONFIG_UINT, AT(rpc_handshakes_max), 1, 4096,
     NULL, NULL, NULL, NULL},
    {"limits.rpc_max_conns_per_client", CONFIG_UINT,
     AT(rpc_max_conns_per_client), 1, 65535, NULL, NULL, NULL, NULL},
    {"limits.snapshot_bytes_max", CONFIG_UINT, AT(snapshot_bytes_max), 1 << 20,
     1 << 30, NULL, NULL, NULL, NULL},
};
/* clang-format on */

size_t config_key_count(void)
{
    return BASE_COUNT_OF(keys);
}

const struct config_key *config_key_at(size_t index)
{
    return &keys[index];
}

const struct config_key *config_key_find(const char *path)
{
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(keys); i++) {
        if (strcmp(keys[i].path, path) == 0)
            return &keys[i];
    }
    return NULL;
}

bool config_key_is_object(const char *path)
{
    size_t len = strlen(path);
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(keys); i++) {
        if (strncmp(keys[i].path, path, len) == 0 && keys[i].path[len] == '.')
            return true;
    }
    return false;
}
