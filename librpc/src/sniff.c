/*
 * The first-byte table of federation.md section 3, nothing else: no stream, no
 * state. Certificates are judged later, in listener.c.
 */
#include "sniff.h"

static struct rpc_sniff refuse(const char *reason)
{
    return (struct rpc_sniff){RPC_SNIFF_REFUSE, RPC_PROTOCOL_COUNT, reason};
}

static struct rpc_sniff sniff_tls(enum rpc_sniff_place place, uint8_t byte,
                                  const struct rpc_sniff_rules *rules)
{
    if (place == RPC_SNIFF_IN_TLS)
        return refuse("tls-in-tls");
    if (!rules->tls)
        return refuse("tls-not-configured");
    if (byte == RPC_BYTE_TLS)
        return (struct rpc_sniff){RPC_SNIFF_INNER_TLS, RPC_PROTOCOL_COUNT, ""};
    /* Native TLS only if mutual TLS is configured. */
    if (!rules->verify_incoming)
        return refuse("mutual-tls-not-configured");
    return (struct rpc_sniff){RPC_SNIFF_NATIVE_TLS, RPC_PROTOCOL_COUNT, ""};
}

struct rpc_sniff rpc_sniff(enum rpc_sniff_place place, uint8_t byte,
                           const struct rpc_sniff_rules *rules)
{
    enum rpc_protocol protocol;

    if (byte == RPC_BYTE_TLS || byte == RPC_BYTE_TLS_RECORD)
        return sniff_tls(place, byte, rules);
    protocol = rpc_protocol_by_byte(byte);
    if (protocol == RPC_PROTOCOL_COUNT)
        return refuse("unknown-byte");
    if (place == RPC_SNIFF_FIRST &&
        (rules->verify_incoming || rules->federation))
        return refuse("not-tls");
    return (struct rpc_sniff){RPC_SNIFF_PROTOCOL, protocol, ""};
}
