/*
 * Names make the difference between a server and anybody else: a certificate
 * with server.<dc>.<domain> may speak Raft and gossip, so no other kind may
 * bear such a name, not even on demand.
 */
#include "cli/tls_request.h"

#include <string.h>
#include <strings.h>

#include "agent/config_names.h"
#include "base/addr.h"
#include "base/alloc.h"

/* A first label "*" is fine in a certificate. */
static const char *name_fault(const char *name)
{
    return config_domain_fault(strncmp(name, "*.", 2) == 0 ? name + 2 : name);
}

/* [<node>.]server.<dc>.<domain>, whatever the node and the dc. */
static bool is_server_name(const char *name, const char *domain)
{
    size_t len = strlen(name), tail = strlen(domain);
    const char *label = name;

    if (len <= tail + 1 || strcasecmp(name + len - tail, domain) != 0 ||
        name[len - tail - 1] != '.')
        return false;
    while (label != NULL) {
        if (strncasecmp(label, "server.", 7) == 0)
            return true;
        label = strchr(label, '.');
        if (label != NULL)
            label++;
    }
    return false;
}

static char *additions_fault(const struct tls_line *line)
{
    struct base_addr addr;
    const char *fault;
    size_t i;

    for (i = 0; i < line->names.count; i++) {
        const char *name = line->names.items[i];

        fault = name_fault(name);
        if (fault != NULL)
            return base_asprintf("-additional-dnsname: \"%s\" %s", name, fault);
        if (!line->server && is_server_name(name, line->domain))
            return base_asprintf("-additional-dnsname: \"%s\" is a server's "
                                 "name; only -server may bear it",
                                 name);
    }
    for (i = 0; i < line->ips.count; i++) {
        if (base_addr_parse_ip(&addr, line->ips.items[i]) < 0)
            return base_asprintf("-additional-ipaddress: \"%s\" is no IP "
                                 "address",
                                 line->ips.items[i]);
    }
    return NULL;
}

char *tls_line_fault(const struct tls_line *line)
{
    const char *fault;

    if (line->server + line->client + line->cli != 1)
        return base_strdup("one of -server, -client and -cli is needed");
    if (line->node != NULL && !line->server)
        return base_strdup("-node needs -server");
    if (line->days == 0 || line->days > TLS_DAYS_MAX)
        return base_asprintf("-days: %u is outside 1 to %d", line->days,
                             TLS_DAYS_MAX);
    fault = config_label_fault(line->dc, false);
    if (fault != NULL)
        return base_asprintf("-dc: \"%s\" %s", line->dc, fault);
    fault = config_domain_fault(line->domain);
    if (fault != NULL)
        return base_asprintf("-domain: \"%s\" %s", line->domain, fault);
    fault = line->node == NULL ? NULL : config_label_fault(line->node, false);
    if (fault != NULL)
        return base_asprintf("-node: \"%s\" %s", line->node, fault);
    return additions_fault(line);
}

const char *tls_line_kind(const struct tls_line *line)
{
    return line->server ? "server" : line->client ? "client" : "cli";
}

void tls_request_init(struct tls_request *request, const struct tls_line *line)
{
    size_t at = 0, ip_at = 0, i;

    *request = (struct tls_request){0};
    request->names = base_calloc(line->names.count + 3, sizeof(char *));
    request->ips = base_calloc(line->ips.count + 1, sizeof(char *));
    request->own[0] =
        base_asprintf("%s.%s.%s", tls_line_kind(line), line->dc, line->domain);
    request->names[at++] = request->own[0];
    if (line->node != NULL) {
        request->own[1] = base_asprintf("%s.server.%s.%s", line->node, line->dc,
                                        line->domain);
        request->names[at++] = request->own[1];
    }
    request->names[at++] = "localhost";
    for (i = 0; i < line->names.count; i++)
        request->names[at++] = line->names.items[i];
    if (!line->cli)
        request->ips[ip_at++] = "127.0.0.1";
    for (i = 0; i < line->ips.count; i++)
        request->ips[ip_at++] = line->ips.items[i];
    request->cert = (struct tls_cert_request){.days = line->days,
                                              .for_servers = !line->cli,
                                              .for_clients = true,
                                              .names = request->names,
                                              .name_count = at,
                                              .ips = request->ips,
                                              .ip_count = ip_at};
}

void tls_request_close(struct tls_request *request)
{
    base_free(request->names);
    base_free(request->ips);
    base_free(request->own[0]);
    base_free(request->own[1]);
}
