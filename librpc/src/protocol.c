/*
 * The two tables of the server port as one: what a first byte or an ALPN value
 * stands for and which certificate may speak it; and the TLS names of servers.
 * Source: federation.md sections 2 and 3.
 */
#include "rpc/protocol.h"

#include <assert.h>
#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "rpc/error.h"

#define NAME_LEN_MAX 253 /* RFC 1035 section 2.3.4, without the root's dot */
#define LABEL_LEN_MAX 63

static const struct rpc_protocol_row rows[RPC_PROTOCOL_COUNT] = {
    [RPC_PROTOCOL_SINGLE] = {"rpc-single", "isthmus/rpc-single", 0,
                             RPC_NEEDS_ANY},
    [RPC_PROTOCOL_RAFT] = {"raft", "isthmus/raft", 1, RPC_NEEDS_OWN_SERVER},
    [RPC_PROTOCOL_MULTI] = {"rpc-multi", "isthmus/rpc-multi", 4,
                            RPC_NEEDS_ANY},
    [RPC_PROTOCOL_SNAPSHOT] = {"rpc-snapshot", "isthmus/rpc-snapshot", 5,
                               RPC_NEEDS_OWN_SERVER},
    [RPC_PROTOCOL_GOSSIP_PACKET] = {"gossip-packet",
                                    "consul/wan-gossip/packet",
                                    RPC_BYTE_NONE, RPC_NEEDS_SERVER},
    [RPC_PROTOCOL_GOSSIP_STREAM] = {"gossip-stream",
                                    "consul/wan-gossip/stream",
                                    RPC_BYTE_NONE, RPC_NEEDS_SERVER},
};

const struct rpc_protocol_row *rpc_protocol_row(enum rpc_protocol protocol)
{
    assert((unsigned)protocol < RPC_PROTOCOL_COUNT);
    return &rows[protocol];
}

enum rpc_protocol rpc_protocol_by_byte(uint8_t byte)
{
    unsigned i;

    for (i = 0; i < RPC_PROTOCOL_COUNT && byte != RPC_BYTE_NONE; i++)
        if (rows[i].first_byte == byte)
            return (enum rpc_protocol)i;
    return RPC_PROTOCOL_COUNT;
}

enum rpc_protocol rpc_protocol_by_alpn(const char *alpn)
{
    unsigned i;

    for (i = 0; i < RPC_PROTOCOL_COUNT; i++)
        if (strcmp(rows[i].alpn, alpn) == 0)
            return (enum rpc_protocol)i;
    return RPC_PROTOCOL_COUNT;
}

/* Labels of 1 to 63 of letters, digits, '-' and '_', joined by single dots. */
static bool is_dns_name(const char *name)
{
    size_t label_len = 0;

    for (; *name != '\0'; name++) {
        if (*name == '.') {
            if (label_len == 0)
                return false;
            label_len = 0;
            continue;
        }
        if (!isalnum((unsigned char)*name) && *name != '-' && *name != '_')
            return false;
        if (++label_len > LABEL_LEN_MAX)
            return false;
    }
    return label_len > 0;
}

int rpc_server_name(char out[254], const char *node, const char *dc,
                    const char *domain)
{
    bool any = node == NULL || *node == '\0' || strcmp(node, "*") == 0;
    int len;
    int i;

    len = snprintf(out, NAME_LEN_MAX + 1, "%s%sserver.%s.%s", any ? "" : node,
                   any ? "" : ".", dc, domain);
    if (len < 0 || len > NAME_LEN_MAX || !is_dns_name(out)) {
        out[0] = '\0';
        return RPC_EINVAL;
    }
    for (i = 0; i < len; i++)
        out[i] = (char)tolower((unsigned char)out[i]);
    return 0;
}
