/*
 * What servers say to each other, as values. On the wire it is protobuf
 * (proto/raft.proto); the core sees only these.
 */
#ifndef RAFT_MESSAGE_H
#define RAFT_MESSAGE_H

#include "base/buf.h"
#include "raft/error.h"
#include "raft/types.h"

enum raft_message_type {
    RAFT_MESSAGE_VOTE_REQUEST = 1,
    RAFT_MESSAGE_VOTE_REPLY,
    RAFT_MESSAGE_APPEND,
    RAFT_MESSAGE_APPEND_REPLY,
    RAFT_MESSAGE_SNAPSHOT,
    RAFT_MESSAGE_SNAPSHOT_REPLY,
    RAFT_MESSAGE_TIMEOUT_NOW
};
const char *raft_message_type_name(enum raft_message_type type);

#define RAFT_SNAPSHOT_CHUNK_MAX (256u << 10) /* a second or less at 2 Mbit/s */
#define RAFT_SNAPSHOT_WINDOW 8u /* of them on their way to a follower */

/** Owner: raft_message_close() gives back entries, configuration and chunk. */
struct raft_message {
    enum raft_message_type type;
    raft_term term;
    char from[RAFT_ID_MAX];
    char to[RAFT_ID_MAX];
    union {
        struct {
            raft_index last_index;
            raft_term last_term;
            bool pre;      /* thesis 9.6 */
            bool transfer; /* thesis 3.10 */
        } vote;
        struct {
            bool granted;
            bool pre;
        } vote_reply;
        struct {
            raft_index prev_index;
            raft_term prev_term;
            raft_index commit;
            uint64_t round; /* echoed: confirms leadership (thesis 6.4) */
            struct raft_entry *entries; /* data in counted blocks */
            size_t entry_count;
            uint64_t renew; /* a `behind` of yours: come back, and count once */
            raft_index renew_index; /* you have our log up to here */
            uint64_t sent_ms; /* on our clock; 0: no leases */
        } append;
        struct {
            bool rejected;
            raft_index match; /* durable there */
            raft_index prev_index;
            raft_index conflict_index;
            raft_term conflict_term;
            uint64_t round;
            uint64_t behind; /* its storage lost something, and it promises
                                nothing; the number names this life of it */
            bool repairing;  /* it is being given back what it lost */
            uint64_t sent_ms; /* echoed: no vote for one election timeout from
                                 then on at least (thesis 6.4.1) */
        } append_reply;
        struct {
            raft_index index;
            raft_term term;
            raft_index configuration_index;
            struct raft_configuration *configuration;
            uint64_t offset;
            void *data; /* the chunk, base_free */
            size_t len;
            bool last;
            uint64_t round;
        } snapshot;
        struct {
            raft_index index;
            uint64_t offset;
            bool done;
            uint64_t round;
        } snapshot_reply;
    } u;
};

void raft_message_close(struct raft_message *message);

/** Appends the packed message. */
void raft_message_pack(const struct raft_message *message,
                       const char *cluster_id, struct base_buf *out);
/**
 * Unpacks what a peer sent, under a memory budget; cluster_id gets whom it is
 * for. Checks everything that needs no state: lengths, entry checksums, that
 * entries follow each other and prev_index, terms in order.
 * Returns 0 with the caller's message, RAFT_EDECODE, RAFT_ECORRUPT or
 * RAFT_ETOOBIG.
 */
int raft_message_unpack(const void *data, size_t len, struct raft_message *out,
                        char cluster_id[RAFT_ID_MAX]);

#endif
