/*
 * Who is at the other end, by the DNS names of its certificate, and what it may
 * speak (federation.md section 3: a valid certificate is not enough). Reading
 * certificates is left to tls_peer.c.
 */
#include "peer.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool is_name_byte(unsigned char byte)
{
    return isalnum(byte) || byte == '-' || byte == '_' || byte == '.' ||
           byte == '*';
}

void rpc_peer_add_name(struct rpc_peer *peer, const void *name, size_t len)
{
    const unsigned char *bytes = name;
    size_t i;
    char *out;

    if (peer->name_count >= RPC_NAMES_MAX || len == 0 ||
        len >= sizeof(peer->names[0]))
        return;
    out = peer->names[peer->name_count];
    for (i = 0; i < len; i++) {
        if (!is_name_byte(bytes[i]))
            return;
        out[i] = (char)tolower(bytes[i]);
    }
    out[len] = '\0';
    peer->name_count++;
}

bool rpc_peer_has_name(const struct rpc_peer *peer, const char *name)
{
    unsigned i;

    for (i = 0; i < peer->name_count; i++)
        if (strcasecmp(peer->names[i], name) == 0)
            return true;
    return false;
}

/* The part of name before ".<domain>", or 0. */
static size_t before_domain(const char *name, const char *domain)
{
    size_t name_len = strlen(name);
    size_t domain_len = strlen(domain);

    if (name_len < domain_len + 2 ||
        name[name_len - domain_len - 1] != '.' ||
        strcasecmp(name + name_len - domain_len, domain) != 0)
        return 0;
    return name_len - domain_len - 1;
}

/* label "." label ...: how many, or 0 if one is empty or a wildcard. */
static unsigned count_labels(const char *text, size_t len)
{
    unsigned labels = 1;
    size_t label_len = 0;
    size_t i;

    for (i = 0; i < len; i++) {
        if (text[i] == '*')
            return 0;
        if (text[i] != '.') {
            label_len++;
            continue;
        }
        if (label_len == 0)
            return 0;
        labels++;
        label_len = 0;
    }
    return label_len > 0 ? labels : 0;
}

static bool is_any_server(const char *name, const char *domain)
{
    size_t len = before_domain(name, domain);

    return len > 7 && strncasecmp(name, "server.", 7) == 0 &&
           count_labels(name + 7, len - 7) == 1;
}

static bool is_one_server(const char *name, const char *domain)
{
    size_t len = before_domain(name, domain);
    const char *dot = memchr(name, '.', len);
    size_t rest;

    if (len == 0 || dot == NULL || count_labels(name, len) != 3)
        return false;
    rest = len - (size_t)(dot + 1 - name);
    return rest > 7 && strncasecmp(dot + 1, "server.", 7) == 0;
}

bool rpc_peer_is_server(const struct rpc_peer *peer, const char *domain)
{
    unsigned i;

    for (i = 0; i < peer->name_count; i++)
        if (is_any_server(peer->names[i], domain))
            return true;
    return false;
}

bool rpc_peer_may_speak(const struct rpc_peer *peer, enum rpc_protocol protocol,
                        const char *datacenter, const char *domain)
{
    char name[254];

    switch (rpc_protocol_row(protocol)->needs) {
    case RPC_NEEDS_ANY:
        return true;
    case RPC_NEEDS_OWN_SERVER:
        return rpc_server_name(name, "", datacenter, domain) == 0 &&
               rpc_peer_has_name(peer, name);
    case RPC_NEEDS_SERVER:
        return rpc_peer_is_server(peer, domain);
    }
    return false;
}

const char *rpc_peer_name(const struct rpc_peer *peer, const char *domain)
{
    unsigned i;

    for (i = 0; i < peer->name_count; i++)
        if (is_one_server(peer->names[i], domain))
            return peer->names[i];
    return peer->name_count > 0 ? peer->names[0] : "";
}
