/* The nouns of Raft (Ongaro and Ousterhout 2014; Ongaro's thesis). */
#ifndef RAFT_TYPES_H
#define RAFT_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

typedef uint64_t raft_term;
typedef uint64_t raft_index;

#define RAFT_ID_MAX 64         /* a server id with its NUL: a UUID, a name */
#define RAFT_ADDRESS_MAX 320   /* where it is; opaque to the core */
#define RAFT_SERVERS_MAX 15
#define RAFT_ENTRY_BYTES_MAX (1u << 20)  /* more belongs in a snapshot */
#define RAFT_APPEND_BYTES_MAX (2u << 20) /* one AppendEntries on the wire */

enum raft_role { RAFT_FOLLOWER, RAFT_CANDIDATE, RAFT_LEADER };
const char *raft_role_name(enum raft_role role);

enum raft_suffrage { RAFT_VOTER, RAFT_NONVOTER };

/** One server of a configuration. Ids are for ever; addresses may change. */
struct raft_server {
    char id[RAFT_ID_MAX];
    char address[RAFT_ADDRESS_MAX];
    enum raft_suffrage suffrage;
};

/** Who is in the cluster. A value. */
struct raft_configuration {
    uint32_t server_count;
    struct raft_server servers[RAFT_SERVERS_MAX];
    /* Names the cluster; every configuration of the log carries it, so that a
     * joining server learns it. "" at bootstrap: made from the servers. */
    char cluster_id[RAFT_ID_MAX];
};
/** NULL if it is not there. */
const struct raft_server *
raft_configuration_find(const struct raft_configuration *configuration,
                        const char *id);

enum raft_entry_type {
    RAFT_ENTRY_COMMAND = 1,       /* the user's */
    RAFT_ENTRY_NOOP = 2,          /* a new leader's first (thesis 6.4) */
    RAFT_ENTRY_CONFIGURATION = 3, /* a packed raft_configuration */
    RAFT_ENTRY_BARRIER = 4,
    RAFT_ENTRY_RESTORE = 5 /* a part of a state that a user restores */
};

/** "command", "noop", "configuration", "barrier", "restore". */
const char *raft_entry_type_name(enum raft_entry_type type);

/** One log entry; data is owned as the function that shows it says. */
struct raft_entry {
    raft_term term;
    raft_index index;
    enum raft_entry_type type;
    const void *data;
    size_t len;
    uint32_t checksum; /* CRC-32C, made by the leader (raft_entry_checksum),
                          checked by every reader of wire and disk */
};

#endif
