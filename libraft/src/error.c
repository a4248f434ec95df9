/* Words for error numbers and for the nouns of the log. */
#include "raft/error.h"

#include "base/error.h"
#include "raft/types.h"

const char *raft_strerror(int err)
{
    switch (err) {
    case 0:
        return "success";
#define X(name, number, words)                                               \
    case name:                                                               \
        return words;
        RAFT_ERROR_MAP(X)
#undef X
    default:
        return base_strerror(err);
    }
}

const char *raft_role_name(enum raft_role role)
{
    switch (role) {
    case RAFT_FOLLOWER:
        return "follower";
    case RAFT_CANDIDATE:
        return "candidate";
    case RAFT_LEADER:
        return "leader";
    }
    return "unknown";
}

const char *raft_entry_type_name(enum raft_entry_type type)
{
    switch (type) {
    case RAFT_ENTRY_COMMAND:
        return "command";
    case RAFT_ENTRY_NOOP:
        return "noop";
    case RAFT_ENTRY_CONFIGURATION:
        return "configuration";
    case RAFT_ENTRY_RESTORE:
        return "restore";
    case RAFT_ENTRY_BARRIER:
        return "barrier";
    }
    return "unknown";
}
