#include "server/retry.h"

#include "base/error.h"
#include "rpc/error.h"

bool retry_helps(int status)
{
    switch (status) {
    case RPC_ENOLEADER:
    case RPC_ECLOSED:
    case RPC_ENOGATEWAY:
    case RPC_ETLS:
    case RPC_EALPN:
    case RPC_ENAME:
    case RPC_EBUSY:
    case BASE_EREFUSED:
    case BASE_ERESET:
    case BASE_ETIMEOUT:
    case BASE_EUNREACH:
    case BASE_ECLOSED:
        return true;
    }
    return false;
}
