/* Error numbers of libgossip: -300 to -399. libbase's pass through unchanged. */
#ifndef GOSSIP_ERROR_H
#define GOSSIP_ERROR_H

#define GOSSIP_ERROR_MAP(X)                                                  \
    X(GOSSIP_EINVAL, -301, "invalid argument")                               \
    X(GOSSIP_EDECODE, -302, "malformed message")                             \
    X(GOSSIP_ECRYPT, -303, "message does not decrypt with any key")          \
    X(GOSSIP_EKEY, -304, "key must be 16, 24 or 32 bytes")                   \
    X(GOSSIP_ELABEL, -305, "label does not match")                           \
    X(GOSSIP_EVERSION, -306, "incompatible protocol version")                \
    X(GOSSIP_EREFUSED, -307, "merge refused")                                \
    X(GOSSIP_ENAME, -308, "node name is empty, too long or not allowed")     \
    X(GOSSIP_EMETA, -309, "meta data over 512 bytes")                        \
    X(GOSSIP_ETOOBIG, -310, "message over the limit")                        \
    X(GOSSIP_EBUSY, -311, "too many exchanges at once, try later")           \
    X(GOSSIP_ENONODE, -312, "no such node")                                  \
    X(GOSSIP_ESTATE, -313, "not possible in this state")                     \
    X(GOSSIP_EREMOTE, -314, "the peer reported an error")                    \
    X(GOSSIP_EROUTE, -315, "no route to the node")                           \
    X(GOSSIP_ETIMEOUT, -316, "timed out")                                    \
    X(GOSSIP_ENOKEY, -317, "no such key in the keyring")                     \
    X(GOSSIP_EPRIMARY, -318, "the primary key cannot be removed")

enum gossip_error {
#define X(name, number, words) name = number,
    GOSSIP_ERROR_MAP(X)
#undef X
};

/** Words for a number of libgossip or libbase. Static storage; any thread. */
const char *gossip_strerror(int err);

#endif
