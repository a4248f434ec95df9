/*
 * What the first byte of a connection means, as a pure function; see sniff.c.
 */
#ifndef RPC_SRC_SNIFF_H
#define RPC_SRC_SNIFF_H

#include <stdbool.h>
#include <stdint.h>

#include "rpc/protocol.h"

/** Where a connection stands when its next type byte is read. */
enum rpc_sniff_place { RPC_SNIFF_FIRST, RPC_SNIFF_IN_TLS };

/** What the server port demands. */
struct rpc_sniff_rules {
    bool tls;             /* there is TLS at all */
    bool verify_incoming; /* nothing without TLS */
    bool federation;      /* no RPC, Raft or snapshot without TLS */
};

enum rpc_sniff_verdict {
    RPC_SNIFF_NATIVE_TLS, /* leave the byte: it is part of the handshake */
    RPC_SNIFF_INNER_TLS,  /* drop the byte: TLS follows it */
    RPC_SNIFF_PROTOCOL,   /* drop the byte: the protocol follows it */
    RPC_SNIFF_REFUSE
};

struct rpc_sniff {
    enum rpc_sniff_verdict verdict;
    enum rpc_protocol protocol; /* for RPC_SNIFF_PROTOCOL */
    const char *reason;         /* for RPC_SNIFF_REFUSE, the counter's label */
};

struct rpc_sniff rpc_sniff(enum rpc_sniff_place place, uint8_t byte,
                           const struct rpc_sniff_rules *rules);

#endif
