/*
 * Error numbers of libbase. Every library of Isthmus owns a hundred negative
 * numbers, so that a number in a log names its origin:
 * base -100, rpc -200, gossip -300, raft -400, fedstate -500, wanfed -600.
 * Functions return 0 (or a count) for success and one of these otherwise.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

/* X(name, number, words for a person) */
#define BASE_ERROR_MAP(X)                                                  \
    X(BASE_EINVAL, -101, "invalid argument")                               \
    X(BASE_EFULL, -102, "queue or buffer is full, try later")              \
    X(BASE_ETIMEOUT, -103, "timed out")                                    \
    X(BASE_EREFUSED, -104, "connection refused")                           \
    X(BASE_ERESET, -105, "connection reset by peer")                       \
    X(BASE_EUNREACH, -106, "network or host is unreachable")               \
    X(BASE_EINUSE, -107, "address is already in use")                      \
    X(BASE_EADDR, -108, "address is not available on this host")           \
    X(BASE_EACCESS, -109, "permission denied")                             \
    X(BASE_ENOTFOUND, -110, "not found")                                   \
    X(BASE_ECLOSED, -111, "closed")                                        \
    X(BASE_ETOOBIG, -112, "larger than its limit")                         \
    X(BASE_EPARSE, -113, "malformed")                                      \
    X(BASE_EIO, -114, "input/output error")                                \
    X(BASE_ENOSPC, -115, "no space left on device")                        \
    X(BASE_EEXIST, -116, "already exists")                                 \
    X(BASE_ENFILE, -117, "too many open files")

enum base_error {
#define X(name, number, words) name = number,
    BASE_ERROR_MAP(X)
#undef X
};

/** Words for a number of this library; "unknown error" for any other. Static
 * storage; any thread. */
const char *base_strerror(int err);

/** The base_error that stands for an errno value; BASE_EIO for those without a
 * closer one. Pure; any thread. */
int base_error_from_errno(int errno_value);

#endif
