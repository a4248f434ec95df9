/* Error numbers of libraft: -400 to -499. libbase's pass through unchanged. */
#ifndef RAFT_ERROR_H
#define RAFT_ERROR_H

#define RAFT_ERROR_MAP(X)                                                    \
    X(RAFT_EINVAL, -401, "invalid argument")                                 \
    X(RAFT_ENOTLEADER, -402, "this server is not the leader")                \
    X(RAFT_ELOST, -403, "leadership was lost before the entry committed")    \
    X(RAFT_EBUSY, -404, "too many proposals in flight, try later")           \
    X(RAFT_ETOOBIG, -405, "entry over the limit")                            \
    X(RAFT_ESTORAGE, -406, "storage failed; the server has stopped")         \
    X(RAFT_ECORRUPT, -407, "stored data does not match its checksum")        \
    X(RAFT_EFORMAT, -408, "storage was written by a newer version")          \
    X(RAFT_EFOREIGN, -409, "storage belongs to another server or cluster")   \
    X(RAFT_EDECODE, -410, "malformed message")                               \
    X(RAFT_EFSM, -411, "the state machine failed; the server has stopped")   \
    X(RAFT_ECHANGE, -412, "another membership change is under way")          \
    X(RAFT_ENOSERVER, -413, "no such server")                                \
    X(RAFT_EEXIST, -414, "the cluster is already bootstrapped")              \
    X(RAFT_ESTOPPED, -415, "the server has stopped")                         \
    X(RAFT_ETIMEOUT, -416, "timed out")                                      \
    X(RAFT_ELOCKED, -417, "storage is in use by another process")            \
    X(RAFT_ERESTORE, -418, "another restore is under way")                   \
    X(RAFT_EREFUSED, -419, "the state machine refuses this state")

enum raft_error {
#define X(name, number, words) name = number,
    RAFT_ERROR_MAP(X)
#undef X
};

/** Words for a number of libraft or libbase. Static storage; any thread. */
const char *raft_strerror(int err);

#endif
