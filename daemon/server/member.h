/*
 * A pool's member as a value that can cross from the gossip loop to the main
 * loop, and what the tags of a server mean (federation.md section 10).
 */
#ifndef SERVER_MEMBER_H
#define SERVER_MEMBER_H

#include "gossip/serf.h"

/** One allocation holds it all; member_free() it. */
struct member {
    const char *name;
    struct base_addr addr;
    enum gossip_member_status status;
    size_t tag_count;
    const struct gossip_tag *tags; /* sorted by key */
    uint8_t vsn[6];
};

struct member *member_copy(const struct gossip_member *member);
void member_free(struct member *member);
const char *member_tag(const struct member *member, const char *key);

#define MEMBER_ROLE "isthmus"
#define MEMBER_ROLE_CLIENT "isthmus-client"
/** The version of our calls that we ask to speak, and those that we understand,
 * in the tags vsn, vsn_min and vsn_max; the rule is in docs/protocol.md. */
#define MEMBER_VERSION 1
#define MEMBER_VERSION_MIN 1
#define MEMBER_VERSION_MAX 1
#define MEMBER_RAFT_VERSION 1 /* likewise of Raft's messages: tag raft_vsn */
#define MEMBER_EXPECT_MAX 15

/** What the tags of one of our servers say. Strings are the member's. */
struct member_server {
    char node[64]; /* the name without ".dc" */
    const char *dc;
    const char *id;
    struct base_addr rpc;     /* address and RPC port */
    uint16_t wan_join_port;   /* 0 if not told */
    uint32_t expect;
    bool federation_states;
};
/** False if it is no server of this project, or its tags are malformed. */
bool member_as_server(const struct member *member, struct member_server *out);

#endif
