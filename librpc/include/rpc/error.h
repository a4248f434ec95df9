/* Error numbers of librpc: -200 to -299. libbase's pass through unchanged. */
#ifndef RPC_ERROR_H
#define RPC_ERROR_H

#define RPC_ERROR_MAP(X)                                                     \
    X(RPC_EINVAL, -201, "invalid argument")                                  \
    X(RPC_EBUSY, -202, "in-flight limit reached, try later")                 \
    X(RPC_EPEER, -203, "peer broke the protocol")                            \
    X(RPC_ETLS, -204, "TLS handshake failed")                                \
    X(RPC_EALPN, -205, "peer did not take the protocol that was asked for")  \
    X(RPC_ENAME, -206, "certificate does not bear the required name")        \
    X(RPC_ENOGATEWAY, -207, "no mesh gateway known for that datacenter")     \
    X(RPC_EDEADLINE, -208, "deadline exceeded")                              \
    X(RPC_ECANCELLED, -209, "cancelled")                                     \
    X(RPC_ENOMETHOD, -210, "no such method")                                 \
    X(RPC_EDENIED, -211, "permission denied")                                \
    X(RPC_ENOLEADER, -212, "no cluster leader")                              \
    X(RPC_ENODC, -213, "no path to datacenter")                              \
    X(RPC_EREMOTE, -214, "the remote side reported an error")                \
    X(RPC_ETOOBIG, -215, "message over the limit")                           \
    X(RPC_ECLOSED, -216, "connection closed")                                \
    X(RPC_ECERT, -217, "certificate or key cannot be used")

enum rpc_error {
#define X(name, number, words) name = number,
    RPC_ERROR_MAP(X)
#undef X
};

/** Words for a number of librpc or libbase. Static storage; any thread. */
const char *rpc_strerror(int err);

#endif
