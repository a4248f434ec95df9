/* isthmus gateway: its command line; the gateway itself is in gateway/. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/commands.h"
#include "cli/gateway_bootstrap.h"
#include "cli/http_client.h"
#include "gateway/gateway.h"
#include "gateway/workers.h"

#define DEFAULT_PORT 8443
#define DRAIN_S 5

struct line {
    struct http_options http;
    const char *address, *wan_address, *wan_bind, *admin_addr;
    const char *service, *service_id, *log_level;
    struct args_list meta, header_from, header_to;
    uint32_t workers, drain_s;
    const char *access_log;
    const char *config_out, *reload_command, *proxy_binary;
    bool expose_servers, do_register, log_json, haproxy, nginx, watch;
    bool envoy, bootstrap;
};

/* default_port 0: the text must have one. */
static int parse_address(const struct args_command *command, const char *flag,
                         const char *text, uint16_t default_port,
                         struct base_addr *out)
{
    if (text == NULL)
        return 0;
    if (base_addr_parse(out, text, default_port) < 0)
        return args_usage_error(command, "-%s: \"%s\" is not %sip:port", flag,
                                text, default_port != 0 ? "ip or " : "");
    if (out->port == 0)
        return args_usage_error(command, "-%s: port 0 is no port", flag);
    return 0;
}

static int parse_addresses(const struct args_command *command,
                           const struct line *line, struct gateway_options *out)
{
    int code;

    if (line->address == NULL)
        return args_usage_error(command, "-address is needed");
    code = parse_address(command, "address", line->address, DEFAULT_PORT,
                         &out->address);
    if (code == 0)
        code = parse_address(command, "wan-address", line->wan_address,
                             DEFAULT_PORT, &out->wan_address);
    if (code == 0)
        code = parse_address(command, "wan-bind", line->wan_bind, DEFAULT_PORT,
                             &out->wan_bind);
    if (code == 0)
        code = parse_address(command, "admin-addr", line->admin_addr, 0,
                             &out->admin_addr);
    if (code != 0)
        return code;
    if (base_addr_is_any(&out->address) || base_addr_is_any(&out->wan_address))
        return args_usage_error(command, "-address and -wan-address are told "
                                         "to others: all zeroes cannot be "
                                         "reached");
    /* federation.md section 11 */
    if (line->expose_servers && line->wan_address == NULL)
        return args_usage_error(command, "-expose-servers needs -wan-address");
    return 0;
}

/* pairs has room for all; the keys are copies, the values in the words. */
static int parse_meta(const struct args_command *command,
                      const struct args_list *words, struct gateway_meta *pairs)
{
    size_t i;

    for (i = 0; i < words->count; i++) {
        const char *equals = strchr(words->items[i], '=');

        if (equals == NULL || equals == words->items[i])
            return args_usage_error(command,
                                    "-meta: wanted key=value, found \"%s\"",
                                    words->items[i]);
        pairs[i].key =
            base_strndup(words->items[i], (size_t)(equals - words->items[i]));
        pairs[i].value = equals + 1;
    }
    return 0;
}

/* The list has room for all of words. */
static int parse_networks(const struct args_command *command, const char *flag,
                          const struct args_list *words,
                          struct base_cidr **list)
{
    size_t i;

    *list = base_calloc(words->count + 1, sizeof(**list));
    for (i = 0; i < words->count; i++)
        if (base_cidr_parse(&(*list)[i], words->items[i]) < 0)
            return args_usage_error(command,
                                    "-%s: \"%s\" is no network; wanted one "
                                    "like 10.0.0.0/8",
                                    flag, words->items[i]);
    return 0;
}

/* What the built-in gateway alone has. */
static int parse_built_in(const struct args_command *command,
                          const struct line *line, struct gateway_options *out)
{
    int code = parse_networks(command, "proxy-protocol-in", &line->header_from,
                              &out->header_from);

    out->workers = line->workers;
    out->drain_s = line->drain_s;
    out->access_log = line->access_log;
    out->header_from_count = line->header_from.count;
    out->header_to_count = line->header_to.count;
    if (code == 0)
        code = parse_networks(command, "proxy-protocol-out", &line->header_to,
                              &out->header_to);
    if (code != 0)
        return code;
    if (line->workers > WORKERS_MAX)
        return args_usage_error(command, "-workers: at most %u", WORKERS_MAX);
    if (out->kind != GATEWAY_BUILT_IN &&
        (line->workers != 0 || line->access_log != NULL ||
         out->header_from_count + out->header_to_count > 0))
        return args_usage_error(command,
                                "-workers, -access-log, -proxy-protocol-in and "
                                "-proxy-protocol-out are the built-in "
                                "gateway's");
    return 0;
}

/* What has no meaning together is said, not guessed. */
static int parse_kind(const struct args_command *command,
                      const struct line *line, struct gateway_options *out)
{
    bool fed = line->haproxy || line->nginx;

    out->kind = line->haproxy ? GATEWAY_HAPROXY
                : line->nginx ? GATEWAY_NGINX
                : line->envoy ? GATEWAY_ENVOY
                              : GATEWAY_BUILT_IN;
    out->watch = line->watch;
    out->config_out = line->config_out;
    out->reload_command = line->reload_command;
    out->proxy_binary = line->proxy_binary;
    if (line->haproxy + line->nginx + line->envoy > 1)
        return args_usage_error(command,
                                "one of -haproxy, -nginx and -envoy");
    if (line->bootstrap && !line->envoy)
        return args_usage_error(command, "-bootstrap needs -envoy");
    if (line->envoy && line->bootstrap == line->do_register)
        return args_usage_error(command,
                                "-envoy needs -bootstrap, which prints, or "
                                "-register, which stays");
    if (!fed && (line->watch || line->config_out != NULL ||
                 line->reload_command != NULL || line->proxy_binary != NULL))
        return args_usage_error(command,
                                "-watch, -config-out, -reload-command and "
                                "-proxy-binary need -haproxy or -nginx");
    if (line->watch && line->config_out == NULL)
        return args_usage_error(command, "-watch needs -config-out");
    if (line->config_out == NULL && line->reload_command != NULL)
        return args_usage_error(command, "-reload-command needs -config-out");
    if (fed && !line->watch && line->do_register)
        return args_usage_error(command, "-register needs -watch: somebody has "
                                         "to keep its check passing");
    return 0;
}

static int start(struct gateway_options *options, const struct line *line)
{
    struct http_target target;
    char *why = NULL;
    int code;

    if (http_target_init(&target, &line->http, &why) < 0)
        return cmd_fail("gateway", why);
    if (http_target_addr(&target, &options->http_addr, &why) < 0) {
        code = cmd_fail("gateway", why);
    } else {
        options->token = target.token;
        options->https = target.https;
        code = line->bootstrap
                   ? gateway_bootstrap_print(options, &target, &line->http)
                   : gateway_run(options);
    }
    http_target_close(&target);
    return code;
}

static int run(const struct args_command *command, const struct line *line)
{
    struct gateway_options options = {.service = line->service,
                                      .service_id = line->service_id != NULL
                                                        ? line->service_id
                                                        : line->service,
                                      .expose_servers = line->expose_servers,
                                      .do_register = line->do_register,
                                      .log_json = line->log_json};
    struct gateway_meta *meta =
        base_calloc(line->meta.count + 1, sizeof(*meta));
    int code = parse_addresses(command, line, &options);
    size_t i;

    if (code == 0 &&
        base_log_level_parse(line->log_level, &options.log_level) < 0)
        code = args_usage_error(command, "-log-level: \"%s\" is no level",
                                line->log_level);
    if (code == 0)
        code = parse_kind(command, line, &options);
    if (code == 0)
        code = parse_built_in(command, line, &options);
    if (code == 0)
        code = parse_meta(command, &line->meta, meta);
    options.meta = meta;
    options.meta_count = line->meta.count;
    if (code == 0)
        code = start(&options, line);
    for (i = 0; i < line->meta.count; i++)
        base_free((char *)(uintptr_t)meta[i].key);
    base_free(meta);
    base_free(options.header_from);
    base_free(options.header_to);
    return code;
}

int cmd_gateway(int argc, char **argv)
{
    struct line line = {.service = "mesh-gateway", .log_level = "info",
                        .drain_s = DRAIN_S};
    const struct args_flag flags[] = {
        {"address", ARGS_TEXT, &line.address, "IP[:PORT]",
         "where it listens, as its own datacenter sees it; port 8443"},
        {"wan-address", ARGS_TEXT, &line.wan_address, "IP[:PORT]",
         "how other datacenters reach it; port 8443"},
        {"wan-bind", ARGS_TEXT, &line.wan_bind, "IP[:PORT]",
         "listen there too, when -wan-address is on another interface"},
        {"admin-addr", ARGS_TEXT, &line.admin_addr, "IP:PORT",
         "serve /metrics, /routes and /ready there, as plain HTTP"},
        {"register", ARGS_BOOL, &line.do_register, NULL,
         "register it with the agent, with a health check"},
        {"expose-servers", ARGS_BOOL, &line.expose_servers, NULL,
         "carry the traffic of servers (meta consul-wan-federation=1)"},
        {"service", ARGS_TEXT, &line.service, "NAME",
         "name of the service; default: mesh-gateway"},
        {"service-id", ARGS_TEXT, &line.service_id, "ID",
         "identity of the service on this node; default: its name"},
        {"meta", ARGS_LIST, &line.meta, "KEY=VALUE",
         "a pair of service metadata; repeatable"},
        {"workers", ARGS_UINT, &line.workers, "COUNT",
         "threads that carry connections; default: one a processor"},
        {"drain-timeout", ARGS_UINT, &line.drain_s, "SECONDS",
         "how long connections may go on after SIGTERM; default: 5"},
        {"access-log", ARGS_TEXT, &line.access_log, "FILE",
         "a line a connection; opened anew on SIGHUP"},
        {"proxy-protocol-in", ARGS_LIST, &line.header_from, "NETWORK",
         "connections from there begin with a PROXY header (v2); repeatable"},
        {"proxy-protocol-out", ARGS_LIST, &line.header_to, "NETWORK",
         "targets in there get a PROXY header first (v2); repeatable"},
        {"haproxy", ARGS_BOOL, &line.haproxy, NULL,
         "render the routes for HAProxy in place of being the proxy"},
        {"nginx", ARGS_BOOL, &line.nginx, NULL, "the same for nginx"},
        {"envoy", ARGS_BOOL, &line.envoy, NULL,
         "for an Envoy, which the agent tells its routes: with -bootstrap or "
         "-register"},
        {"bootstrap", ARGS_BOOL, &line.bootstrap, NULL,
         "print the configuration that Envoy begins with"},
        {"config-out", ARGS_TEXT, &line.config_out, "FILE",
         "the file to write, once the proxy has checked it; default: print"},
        {"watch", ARGS_BOOL, &line.watch, NULL,
         "stay, and write the file anew when routes change"},
        {"reload-command", ARGS_TEXT, &line.reload_command, "COMMAND",
         "run by sh when the proxy has to read the file again"},
        {"proxy-binary", ARGS_TEXT, &line.proxy_binary, "PATH",
         "haproxy or nginx, to check the file; default: on the PATH"},
        {"log-level", ARGS_TEXT, &line.log_level, "LEVEL",
         "trace, debug, info, warn or error; default: info"},
        {"log-json", ARGS_BOOL, &line.log_json, NULL, "log in JSON"},
        HTTP_FLAGS(line.http)};
    const struct args_command command = {
        "isthmus gateway [flags]",
        "Runs the built-in mesh gateway: it forwards TLS by its server name, "
        "without\nopening it, and follows the routes of the agent's "
        "datacenter. Or, with -haproxy\nor -nginx, feeds one of those with "
        "configurations; or, with -envoy, has an Envoy\nfollow the agent by "
        "itself.",
        flags, BASE_COUNT_OF(flags),
        "isthmus gateway -register -expose-servers -address=10.0.0.9 \\\n"
        "    -wan-address=203.0.113.7"};
    int code;

    if (args_parse(&command, argc, argv, NULL, &code) == 0)
        code = run(&command, &line);
    args_list_close(&line.meta);
    args_list_close(&line.header_from);
    args_list_close(&line.header_to);
    return code;
}
