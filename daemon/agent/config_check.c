/*
 * The rules between keys: what a type alone cannot refuse. Each failure names
 * the key or flag and where it came from (federation.md sections 2 and 10).
 * What needs the certificate files is in config_tls.c.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "agent/config_acl.h"
#include "agent/config_names.h"
#include "agent/discover.h"
#include "agent/syslog_sink.h"
#include "base/alloc.h"
#include "base/error.h"
#include "gossip/keyring.h"

#define UNIX_PATH_SIZE sizeof(((struct sockaddr_un *)NULL)->sun_path)
#define SERVER_NAME_MAX 253 /* <node>.server.<dc>.<domain>, RFC 1035 */

static int refuse(const struct config *config, char **why, const char *key,
                  const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static int refuse(const struct config *config, char **why, const char *key,
                  const char *format, ...)
{
    char *where = config_where(config, key);
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    *why = base_asprintf("%s: %s", where, text);
    base_free(where);
    return BASE_EINVAL;
}

static int check_label(const struct config *config, const char *key,
                       const char *text, char **why)
{
    const char *fault = config_label_fault(text, config->federation);

    if (fault == NULL)
        return 0;
    return refuse(config, why, key, "\"%.80s\" %s", text == NULL ? "" : text,
                  fault);
}

static int check_names(const struct config *config, char **why)
{
    const char *fault = config_domain_fault(config->domain);

    if (check_label(config, "node_name", config->node_name, why) < 0 ||
        check_label(config, "datacenter", config->datacenter, why) < 0 ||
        check_label(config, "primary_datacenter", config->primary_datacenter,
                    why) < 0)
        return BASE_EINVAL;
    if (fault != NULL)
        return refuse(config, why, "domain", "\"%.80s\" %s",
                      config->domain == NULL ? "" : config->domain, fault);
    if (strlen(config->node_name) + strlen(config->datacenter) +
            strlen(config->domain) + strlen(".server..") >
        SERVER_NAME_MAX)
        return refuse(config, why, "domain",
                      "the server name \"%.20s...\" made with it has more "
                      "than %d characters",
                      config->node_name, SERVER_NAME_MAX);
    if (config->node_id != NULL && !config_is_uuid(config->node_id))
        return refuse(config, why, "node_id", "\"%.80s\" is not a UUID",
                      config->node_id);
    return 0;
}

static int check_bootstrap(const struct config *config, char **why)
{
    /* Completion has made 1 and true out of each other. */
    if (config->bootstrap && config->bootstrap_expect != 1)
        return refuse(config, why, "bootstrap",
                      "excludes bootstrap_expect %u: bootstrap is for a "
                      "datacenter of one server",
                      config->bootstrap_expect);
    if (config->bootstrap_expect > 0 && !config->server)
        return refuse(config, why,
                      config_is_set(config, "bootstrap") ? "bootstrap"
                                                         : "bootstrap_expect",
                      "needs server mode (server: true)");
    return 0;
}

static bool overlap(const struct base_addr *a, const struct base_addr *b)
{
    return base_addr_ip_equal(a, b) || base_addr_is_any(a) ||
           base_addr_is_any(b);
}

static int check_ports(const struct config *config, char **why)
{
    const struct {
        const char *key;
        uint16_t port;
        const struct base_addr *ip;
    } uses[] = {
        {"ports.server", config->ports.server, &config->bind_addr},
        {"ports.serf_lan", config->ports.serf_lan, &config->bind_addr},
        {"ports.serf_wan", config->ports.serf_wan, &config->bind_addr},
        {"ports.http", config->ports.http, &config->client_addr},
        {"ports.https", config->ports.https, &config->client_addr},
    };
    size_t i, j;

    for (i = 0; i < BASE_COUNT_OF(uses); i++) {
        for (j = 0; j < i; j++) {
            if (uses[i].port != 0 && uses[i].port == uses[j].port &&
                overlap(uses[i].ip, uses[j].ip))
                return refuse(config, why, uses[i].key,
                              "port %u is already that of %s", uses[i].port,
                              uses[j].key);
        }
    }
    return 0;
}

static int check_addresses(const struct config *config, char **why)
{
    if (base_addr_is_any(&config->advertise_addr))
        return refuse(config, why, "advertise_addr",
                      "others cannot reach an address of all zeroes");
    if (base_addr_is_any(&config->advertise_addr_wan))
        return refuse(config, why, "advertise_addr_wan",
                      "others cannot reach an address of all zeroes");
    return check_ports(config, why);
}

/* Addresses alone, or discovery strings too. */
static int check_targets(const struct config *config, const char *key,
                         const struct config_list *list, bool discovers,
                         char **why)
{
    struct base_target target;
    const char *fault = NULL;
    size_t i;

    for (i = 0; i < list->count; i++) {
        /* Any port will do here: the user of the list knows the default. */
        if (base_target_parse(&target, list->items[i], 1) == 0 ||
            (discovers && discover_check(list->items[i], &fault) == 0))
            continue;
        return refuse(config, why, key, "\"%.80s\" is not an address: %s",
                      list->items[i],
                      fault ? fault : "wanted host, host:port or "
                                      "name/host:port");
    }
    return 0;
}

static int check_joins(const struct config *config, char **why)
{
    const struct {
        const char *key;
        const struct config_list *list;
        bool discovers;
    } lists[] = {
        {"start_join", &config->start_join, false},
        {"start_join_wan", &config->start_join_wan, false},
        {"retry_join", &config->retry_join.targets, true},
        {"retry_join_wan", &config->retry_join_wan.targets, true},
        {"primary_gateways", &config->primary_gateways.targets, true},
    };
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(lists); i++) {
        if (check_targets(config, lists[i].key, lists[i].list,
                          lists[i].discovers, why) < 0)
            return BASE_EINVAL;
    }
    return 0;
}

/* A client is a member of the LAN pool alone. */
static int check_client(const struct config *config, char **why)
{
    const char *key = config->start_join_wan.count > 0 ? "start_join_wan"
                      : config->retry_join_wan.targets.count > 0
                          ? "retry_join_wan"
                          : NULL;

    if (config->server || key == NULL)
        return 0;
    return refuse(config, why, key, "needs server mode (server: true)");
}

static int check_encrypt(const struct config *config, char **why)
{
    struct gossip_key key;
    int rv = 0;

    if (config->encrypt == NULL)
        return 0;
    /* The key itself stays out of the message: messages end in logs. */
    if (gossip_key_parse(&key, config->encrypt) < 0)
        rv = refuse(config, why, "encrypt",
                    "is not the base64 of 16, 24 or 32 bytes (isthmus keygen "
                    "makes one)");
    explicit_bzero(&key, sizeof(key));
    return rv;
}

#define HOSTNAME "verify_server_hostname"

static int check_tls_keys(const struct config *config, char **why)
{
    if ((config->cert_file == NULL) != (config->key_file == NULL))
        return refuse(config, why,
                      config->cert_file != NULL ? "cert_file" : "key_file",
                      "needs %s too",
                      config->cert_file != NULL ? "key_file" : "cert_file");
    /* Both ends show certificates (federation.md section 3), so checking the
     * other's takes one of our own. */
    if ((config->verify_incoming || config->verify_outgoing) &&
        (config->ca_file == NULL || config->cert_file == NULL))
        return refuse(config, why,
                      config->verify_incoming          ? "verify_incoming"
                      : config->verify_server_hostname ? HOSTNAME
                                                       : "verify_outgoing",
                      "needs %s",
                      config->ca_file == NULL ? "ca_file"
                                              : "cert_file and key_file");
    return 0;
}

#define FEDERATION "connect.enable_mesh_gateway_wan_federation"

/* A complete mutual TLS setup: both sides show certificates, both check. */
static const char *missing_tls(const struct config *config)
{
    return config->ca_file == NULL     ? "ca_file"
           : config->cert_file == NULL ? "cert_file"
           : config->key_file == NULL  ? "key_file"
           : !config->verify_incoming  ? "verify_incoming"
           : !config->verify_outgoing  ? "verify_outgoing"
                                       : NULL;
}

static int check_federation(const struct config *config, char **why)
{
    const char *missing = missing_tls(config);

    if (!config->federation)
        return 0;
    if (!config->server)
        return refuse(config, why, FEDERATION,
                      "needs server mode (server: true)");
    if (missing != NULL)
        return refuse(config, why, FEDERATION, "needs mutual TLS; set %s",
                      missing);
    if (config->start_join_wan.count > 0)
        return refuse(config, why, "start_join_wan", "excludes %s", FEDERATION);
    if (config->retry_join_wan.targets.count > 0)
        return refuse(config, why, "retry_join_wan", "excludes %s", FEDERATION);
    return 0;
}

static int check_primary_gateways(const struct config *config, char **why)
{
    if (config->primary_gateways.targets.count == 0)
        return 0;
    if (!config->server)
        return refuse(config, why, "primary_gateways",
                      "needs server mode (server: true)");
    if (!config->federation)
        return refuse(config, why, "primary_gateways", "needs %s", FEDERATION);
    if (!config_is_secondary(config))
        return refuse(config, why, "primary_gateways",
                      "is for secondary datacenters: \"%s\" is the primary "
                      "itself (see primary_datacenter)",
                      config->datacenter);
    return 0;
}

static int check_unix(const struct config *config, const char *path,
                      char **why)
{
    if (path[0] != '/' || strlen(path) >= UNIX_PATH_SIZE)
        return refuse(config, why, "addresses.http",
                      "a Unix socket is unix:///PATH with at most %zu bytes",
                      UNIX_PATH_SIZE - 1);
    return 0;
}

/* The rights of a file, in octal: what chmod(1) takes. */
static bool is_mode(const char *text)
{
    size_t len = strspn(text, "01234567");

    return text[len] == '\0' && (len == 3 || (len == 4 && *text == '0'));
}

static int check_http(const struct config *config, char **why)
{
    const struct config_addresses *at = &config->addresses;
    struct base_addr ip;

    if (at->http && strncmp(at->http, CONFIG_UNIX, strlen(CONFIG_UNIX)) == 0) {
        if (check_unix(config, at->http + strlen(CONFIG_UNIX), why) != 0)
            return BASE_EINVAL;
    } else if (at->http && base_addr_parse_ip(&ip, at->http) != 0) {
        return refuse(config, why, "addresses.http",
                      "\"%.80s\" is neither an IP address nor unix:///PATH",
                      at->http);
    }
    if (at->https && base_addr_parse_ip(&ip, at->https) != 0)
        return refuse(config, why, "addresses.https",
                      "\"%.80s\" is not an IP address", at->https);
    if (config->unix_sockets_mode && !is_mode(config->unix_sockets_mode))
        return refuse(config, why, "unix_sockets.mode",
                      "\"%.20s\" is no mode: wanted octal digits like 0660",
                      config->unix_sockets_mode);
    if (config->ports.https == 0)
        return 0;
    if (config->cert_file == NULL)
        return refuse(config, why, "ports.https",
                      "needs cert_file and key_file");
    if (config->verify_incoming_https && config->ca_file == NULL)
        return refuse(config, why, "verify_incoming_https", "needs ca_file");
    return 0;
}

static int check_log(const struct config *config, char **why)
{
    const char *facility = config->syslog_facility;
    int number;

    if (config->enable_syslog && config->log_file)
        return refuse(config, why, "enable_syslog", "excludes log_file");
    if (facility == NULL || syslog_facility_parse(facility, &number) != 0)
        return refuse(config, why, "syslog_facility",
                      "\"%.40s\" is not a facility: wanted LOCAL0 to LOCAL7, "
                      "DAEMON, USER, AUTH or SYSLOG",
                      facility ? facility : "");
    return 0;
}

static int check_acl(const struct config *config, char **why)
{
    const char *key, *fault;

    if (config_check_acl(config, &key, &fault) == 0)
        return 0;
    return refuse(config, why, key, "%s", fault);
}

int config_check(const struct config *config, char **why)
{
    static int (*const rules[])(const struct config *, char **) = {
        check_names,      check_bootstrap,        check_addresses,
        check_joins,      check_encrypt,          check_tls_keys,
        check_federation, check_primary_gateways, check_client, check_acl,
        check_http,       check_log,
    };
    size_t i;

    if (config->data_dir == NULL)
        return refuse(config, why, "data_dir", "must be set (or -data-dir)");
    for (i = 0; i < BASE_COUNT_OF(rules); i++) {
        int rv = rules[i](config, why);

        if (rv < 0)
            return rv;
    }
    return 0;
}

int config_check_first_start(const struct config *config, char **why)
{
    if (!config_is_secondary(config) ||
        config->primary_gateways.targets.count > 0)
        return 0;
    return refuse(config, why, "primary_gateways",
                  "must be set (or -primary-gateway): the first start of "
                  "secondary datacenter \"%s\" has no other way to find the "
                  "primary \"%s\"",
                  config->datacenter, config->primary_datacenter);
}
