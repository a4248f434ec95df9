/* The words of rpc_error; numbers of libbase pass through to its own words. */
#include "rpc/error.h"

#include "base/error.h"

const char *rpc_strerror(int err)
{
    switch (err) {
#define X(name, number, words)                                               \
    case name:                                                               \
        return words;
        RPC_ERROR_MAP(X)
#undef X
    }
    return base_strerror(err);
}
