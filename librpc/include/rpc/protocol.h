/*
 * The protocols of the one server port, by first byte and by ALPN.
 * Source: federation.md section 3.
 */
#ifndef RPC_PROTOCOL_H
#define RPC_PROTOCOL_H

#include <stdint.h>

enum rpc_protocol {
    RPC_PROTOCOL_SINGLE,        /* byte 0, isthmus/rpc-single */
    RPC_PROTOCOL_RAFT,          /* byte 1, isthmus/raft */
    RPC_PROTOCOL_MULTI,         /* byte 4, isthmus/rpc-multi */
    RPC_PROTOCOL_SNAPSHOT,      /* byte 5, isthmus/rpc-snapshot */
    RPC_PROTOCOL_GOSSIP_PACKET, /* consul/wan-gossip/packet, native TLS only */
    RPC_PROTOCOL_GOSSIP_STREAM, /* consul/wan-gossip/stream, native TLS only */
    RPC_PROTOCOL_COUNT
};

#define RPC_BYTE_TLS 3u         /* TLS follows */
#define RPC_BYTE_TLS_RECORD 22u /* 0x16: native TLS, first byte of its record */
#define RPC_BYTE_NONE 255u

/** What a row of the two tables says. */
struct rpc_protocol_row {
    const char *name;    /* for logs and counters */
    const char *alpn;
    uint8_t first_byte;  /* RPC_BYTE_NONE: native TLS only */
    enum { RPC_NEEDS_ANY, RPC_NEEDS_OWN_SERVER, RPC_NEEDS_SERVER } needs;
};
const struct rpc_protocol_row *rpc_protocol_row(enum rpc_protocol protocol);
/** RPC_PROTOCOL_COUNT if there is none. */
enum rpc_protocol rpc_protocol_by_byte(uint8_t byte);
enum rpc_protocol rpc_protocol_by_alpn(const char *alpn);

/** "<node>.server.<dc>.<domain>", or "server.<dc>.<domain>" with node "" or
 * "*". Lower case. Returns 0, or RPC_EINVAL if it is too long for DNS. */
int rpc_server_name(char out[254], const char *node, const char *dc,
                    const char *domain);

#endif
