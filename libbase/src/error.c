#include "base/error.h"

#include <errno.h>

const char *base_strerror(int err)
{
    switch (err) {
    case 0:
        return "success";
#define X(name, number, words)                                             \
    case name:                                                             \
        return words;
        BASE_ERROR_MAP(X)
#undef X
    }
    return "unknown error";
}

int base_error_from_errno(int errno_value)
{
    switch (errno_value) {
    case 0:
        return 0;
    case EINVAL:
        return BASE_EINVAL;
    case ECONNREFUSED:
        return BASE_EREFUSED;
    case ECONNRESET:
    case EPIPE:
        return BASE_ERESET;
    case ETIMEDOUT:
        return BASE_ETIMEOUT;
    case ENETUNREACH:
    case EHOSTUNREACH:
        return BASE_EUNREACH;
    case EADDRINUSE:
        return BASE_EINUSE;
    case EADDRNOTAVAIL:
        return BASE_EADDR;
    case EACCES:
    case EPERM:
        return BASE_EACCESS;
    case ENOENT:
        return BASE_ENOTFOUND;
    case EEXIST:
        return BASE_EEXIST;
    case ENOSPC:
    case EDQUOT:
        return BASE_ENOSPC;
    case EMFILE:
    case ENFILE:
        return BASE_ENFILE;
    case EMSGSIZE:
        return BASE_ETOOBIG;
    case EAGAIN:
    case ENOBUFS:
        return BASE_EFULL;
    }
    return BASE_EIO;
}
