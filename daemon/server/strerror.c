#include "server/strerror.h"

#include "base/error.h"
#include "fedstate/error.h"
#include "gossip/error.h"
#include "raft/error.h"
#include "rpc/error.h"

const char *server_strerror(int err)
{
    switch (-err / 100) {
    case 2:
        return rpc_strerror(err);
    case 3:
        return gossip_strerror(err);
    case 4:
        return raft_strerror(err);
    case 5:
        return fedstate_strerror(err);
    }
    return base_strerror(err);
}
