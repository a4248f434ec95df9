/*
 * What an operator says about an agent: defaults, then files in the order of
 * the command line, then flags. Keys and flags carry Consul's names; each is
 * one row of the table in config_keys.c, and docs/configuration.md explains
 * them all. Only values live here; nothing is opened or started.
 *
 *     struct config config;
 *     char *why = NULL;
 *
 *     config_init(&config);
 *     if (config_apply_flags(&config, argc, argv, &why) < 0 ||
 *         config_complete(&config, &why) < 0 ||
 *         config_check(&config, &why) < 0)
 *             ... print why, base_free(why) ...
 *     config_close(&config);
 *
 * Errors: a function that fails leaves one sentence in *why, the caller's
 * (base_free), which names the key or flag, the file that it came from, and
 * what to do. Threads: one at a time per object.
 */
#ifndef AGENT_CONFIG_H
#define AGENT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "acl/acl.h"
#include "base/addr.h"
#include "base/log.h"

/** Strings in the order in which they were given; items are owned. */
struct config_list {
    char **items;
    size_t count;
};

struct config_pair {
    char *key;
    char *value;
};

struct config_map {
    struct config_pair *pairs;
    size_t count;
};

struct config_ports {
    uint16_t server;   /* 8300 */
    uint16_t serf_lan; /* 8301 */
    uint16_t serf_wan; /* 8302 */
    uint16_t http;     /* 8500; 0: no HTTP API (the key says -1) */
    uint16_t https;    /* 0: none */
};

/** One use of the retry-join engine (federation.md section 10). */
struct config_retry {
    struct config_list targets; /* [name "/"] host [":" port] */
    uint32_t interval_ms;       /* between attempts; 30,000 */
    uint32_t max;               /* attempts; 0: for ever */
};

/** One of acl.grants. What it does not name has the default policy. */
struct config_grant {
    char *secret_id;
    bool named[ACL_RESOURCE_COUNT];
    struct acl_rules rules;
};

struct config_grants {
    struct config_grant *items;
    size_t count;
};

/** Access control; tokens are secrets, NULL when not set. */
struct config_acl {
    bool enabled;
    char *default_policy;    /* "allow" or "deny"; NULL: allow */
    char *management_token;  /* may do everything */
    char *default_token;     /* of requests that bring none */
    char *agent_token;       /* of the agent's own calls */
    char *replication_token; /* of calls to the primary datacenter */
    struct config_grants grants;
};

/** Where the HTTP API listens if not at client_addr: an IP, or
 * "unix:///path". NULL when not set. */
struct config_addresses {
    char *http, *https; /* https: an IP only */
};
#define CONFIG_UNIX "unix://"

struct config_origins; /* which file or flag gave each key */

/**
 * Strings are owned and NULL when not set, unless said otherwise. Addresses
 * are IPs with port 0; family 0 when not set. "Completed" values are there
 * after config_complete().
 */
struct config {
    char *node_name;          /* completed: the host's name */
    char *node_id;            /* a UUID; NULL: made once, kept in data_dir */
    char *datacenter;         /* "dc1" */
    char *primary_datacenter; /* completed: datacenter */
    char *domain;             /* "consul" */
    char *data_dir;
    struct config_map node_meta;

    bool server;
    bool bootstrap;            /* completed: also if bootstrap_expect is 1 */
    uint32_t bootstrap_expect; /* completed: 1 with bootstrap */

    struct base_addr bind_addr;          /* 0.0.0.0 */
    struct base_addr advertise_addr;     /* completed: never 0.0.0.0 */
    struct base_addr advertise_addr_wan; /* completed: advertise_addr */
    struct base_addr client_addr;        /* 127.0.0.1, for the HTTP API */
    struct config_ports ports;
    struct config_addresses addresses;
    char *unix_sockets_mode;   /* octal; NULL when not set */
    uint32_t unix_socket_mode; /* completed: the same as a number; 0600 */

    char *encrypt; /* the gossip key, base64, of both pools; NULL: none */
    bool encrypt_verify_incoming; /* true: refuse plain gossip with a key */
    bool encrypt_verify_outgoing; /* true: encrypt what we send */

    struct config_list start_join; /* tried once, at the start */
    struct config_list start_join_wan;
    struct config_retry retry_join;
    struct config_retry retry_join_wan;
    struct config_retry primary_gateways; /* max is always 0 */

    bool connect_enabled; /* taken for Consul's sake; changes nothing */
    bool federation;      /* connect.enable_mesh_gateway_wan_federation */
    bool disable_primary_gateway_fallback;
    bool wan_allow_foreign_members;

    char *ca_file;
    char *cert_file;
    char *key_file;
    bool verify_incoming;
    bool verify_incoming_https; /* completed: verify_incoming unless set */
    bool verify_outgoing; /* completed: also with verify_server_hostname */
    bool verify_server_hostname;

    enum base_log_level log_level; /* BASE_LOG_INFO */
    bool log_json;
    char *log_file; /* NULL: standard error */
    bool enable_syslog; /* in place of both */
    char *syslog_facility; /* "LOCAL0" */

    bool leave_on_terminate;      /* completed: !server unless set */
    bool skip_leave_on_interrupt; /* completed: server unless set */
    bool rejoin_after_leave;

    struct config_acl acl;

    uint32_t raft_multiplier;          /* performance.raft_multiplier, 1..10 */
    uint32_t check_update_interval_ms; /* 300,000 */
    uint32_t rpc_handshake_timeout_ms; /* limits.*: 5,000 */
    uint32_t rpc_handshakes_max;       /* 64 in flight */
    uint32_t rpc_max_conns_per_client; /* 100 a certificate name */
    uint32_t snapshot_bytes_max;       /* 256 MiB, the file and the state */
    uint32_t raft_lease_drift_ppm;     /* performance.*: 0, no leases */

    struct config_origins *origins; /* private */
};

/** Everything at its default. */
void config_init(struct config *config);
/** Frees what it owns; secrets are overwritten first. */
void config_close(struct config *config);

/** Reads one file, or every *.json of a folder in the order of their names (not
 * of folders below it). A later value replaces an earlier one; lists grow and
 * maps merge. BASE_ENOTFOUND, BASE_EACCESS, BASE_EIO, or BASE_EPARSE for what
 * the file says. */
int config_load_path(struct config *config, const char *path, char **why);
/** The same from memory; name stands for the file in messages. */
int config_load_text(struct config *config, const char *name, const char *text,
                     size_t len, char **why);
/** Reads the command line of an agent (argv[0] is skipped): -config-file and
 * -config-dir first, in their order, then the flags, which win.
 * BASE_EINVAL for a usage error, else as config_load_path(). */
int config_apply_flags(struct config *config, int argc, char **argv,
                       char **why);

/** Fills what follows from other keys or from this host ("completed" above).
 * BASE_EADDR if it would have to guess which address to advertise. */
int config_complete(struct config *config, char **why);
/** Every rule that needs no file but the configuration's own (federation.md
 * section 10; names of section 2). BASE_EINVAL. Call it completed. */
int config_check(const struct config *config, char **why);
/** The one rule for a server that never ran: with federation on, a secondary
 * without primary_gateways could not find its primary. Call it when there are
 * no replicated federation states on disk. BASE_EINVAL. */
int config_check_first_start(const struct config *config, char **why);
/** The TLS files: readable, the key fits the certificate, the CA signed it,
 * it is in its time, and a server with federation on or verify_server_hostname
 * has the name server.<dc>.<domain>. BASE_EINVAL; 0 if no file is set. */
int config_check_tls(const struct config *config, char **why);
/** Makes data_dir (0700) if it is not there, and writes a file in it to see.
 * BASE_EACCESS, BASE_ENOSPC, BASE_EIO. */
int config_prepare_data_dir(const struct config *config, char **why);

/** Who may do what; NULL with acl.enabled off. Call it checked. The caller's
 * (acl_free). */
struct acl *config_acl(const struct config *config);

/** Gives a running agent's configuration what a newer one says of the keys that
 * may change (docs/configuration.md, "Reloading"); newer has the old values
 * then. *changed and *kept: the keys that are different and were taken, or need
 * a new start; with commas between, NULL if there are none, the caller's. */
void config_reload(struct config *running, struct config *newer, char **changed,
                   char **kept);

/** A secondary takes part in a federation whose primary is another dc. */
bool config_is_secondary(const struct config *config);
/** For messages: "ports.http (from a.json)", "-http-port", or "ports.http" for
 * a default. The caller's string. */
char *config_where(const struct config *config, const char *key);
/** True if a file or flag gave the key. */
bool config_is_set(const struct config *config, const char *key);

/** An IP of the configuration with a port. */
static inline struct base_addr config_at(const struct base_addr *ip,
                                         uint16_t port)
{
    struct base_addr addr = *ip;

    addr.port = port;
    return addr;
}

#endif
