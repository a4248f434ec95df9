/*
 * Messages over plain streams (base/net.h), so that libraft and libbase alone
 * make a cluster. There is no encryption and no proof of who speaks: for
 * closed networks, tests and examples; the daemon has its own transport.
 *
 * One connection carries both directions. On the wire, big-endian:
 *   hello, from who dialled:  8 bytes "isthrft1", u16 length, its server id
 *   then frames both ways:    u32 length, a packed message
 * A frame over 4 MiB, a bad hello or a 65th connection ends the connection.
 *
 * Threads: the loop of net.
 */
#ifndef RAFT_TRANSPORT_STREAM_H
#define RAFT_TRANSPORT_STREAM_H

#include "base/net.h"
#include "raft/node.h"

struct raft_transport_stream;

/** Listens at `at` for the server id (copied). 0, or why it cannot listen. */
int raft_transport_stream_new(struct base_net *net, const char *id,
                              const struct base_addr *at,
                              struct raft_transport_stream **out);
/** Ends all connections. After the node is freed. */
void raft_transport_stream_free(struct raft_transport_stream *transport);
/** Where it listens: for port 0. */
void raft_transport_stream_addr(const struct raft_transport_stream *transport,
                                struct base_addr *out);
/** For raft_node_config. Addresses of servers are "ip:port". */
struct raft_transport
raft_transport_stream_table(struct raft_transport_stream *transport);
/** Who gets what comes in; NULL: nobody. */
void raft_transport_stream_set_node(struct raft_transport_stream *transport,
                                    struct raft_node *node);

#endif
