/*
 * A net that loses what it is told to lose: between a gossip peer and the real
 * sockets, so that a test can part pools or silence one kind of packet without
 * a firewall. One a process.
 */
#ifndef TESTS_INTEROP_LOSSY_NET_H
#define TESTS_INTEROP_LOSSY_NET_H

#include "base/net.h"

#define LOSSY_ADDRS_MAX 32

/** What is lost from now on. */
struct lossy_rules {
    bool acks;    /* outgoing packets that begin with an ack, if in clear */
    bool streams; /* both ways: dials fail, what is accepted is closed */
    struct base_addr addrs[LOSSY_ADDRS_MAX]; /* all to and from these IPs */
    size_t addr_count;
};

/** The net to use in place of real. */
struct base_net *lossy_net(struct base_net *real);
void lossy_net_rules(const struct lossy_rules *rules);

#endif
