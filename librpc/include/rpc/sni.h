/*
 * Reading the server name out of the first bytes of a TLS connection, for a
 * gateway that routes by it and decrypts nothing. Pure: bytes in, a name out.
 * Source: RFC 8446 section 4.1.2 (ClientHello), RFC 6066 section 3 (SNI), RFC
 * 7301 section 3.1 (ALPN).
 * Threads: any.
 */
#ifndef RPC_SNI_H
#define RPC_SNI_H

#include <stddef.h>

enum rpc_sni {
    RPC_SNI_MORE,     /* give all bytes again, with more at their end */
    RPC_SNI_FOUND,
    RPC_SNI_NONE,     /* a well-formed hello without a name */
    RPC_SNI_NOT_TLS,  /* the first bytes are no TLS handshake */
    RPC_SNI_MALFORMED /* TLS, but broken, too long, or an odd name */
};

/** A hello, headers of its records not counted, is refused past this many
 * bytes. With headers: at most RPC_SNI_INPUT_BYTES_MAX are ever asked for. */
#define RPC_SNI_HELLO_BYTES_MAX 16384u
#define RPC_SNI_INPUT_BYTES_MAX (2u * RPC_SNI_HELLO_BYTES_MAX)

#define RPC_HELLO_ALPNS_MAX 8

/** What a ClientHello says in the clear. */
struct rpc_hello {
    char server_name[254]; /* lower case; "" if none */
    unsigned alpn_count;   /* further ones are left out, as are overlong ones */
    char alpns[RPC_HELLO_ALPNS_MAX][64];
    size_t bytes;          /* of the input, up to the hello's end */
};

/**
 * Reads the hello at the start of data; it may be spread over several records.
 * Names of other bytes than letters, digits, '-', '_' and '.', with an empty
 * label or a trailing dot are malformed.
 */
enum rpc_sni rpc_hello_read(const void *data, size_t len,
                            struct rpc_hello *out);
/** The same, for the name only; out is "" unless it is found. */
enum rpc_sni rpc_sni_read(const void *data, size_t len, char out[254]);

#endif
