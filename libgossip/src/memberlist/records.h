/*
 * What is said about a node and does not change with its state: name, address,
 * meta, versions. Immutable, counted, and interned: equal facts are one record,
 * however many views, staged merges and snapshots of state hold them.
 * Threads: one at a time for a set of records.
 */
#ifndef MEMBERLIST_RECORDS_H
#define MEMBERLIST_RECORDS_H

#include "base/addr.h"
#include "memberlist/messages.h"

struct ml_record {
    struct gossip_records *owner;
    uint32_t refs;
    uint32_t hash;      /* of everything */
    uint32_t name_hash;
    struct base_addr addr;
    uint8_t vsn[ML_VSN_BYTES];
    uint16_t name_len;
    uint16_t meta_len;
    bool has_meta; /* nil and empty meta differ on the wire */
    char bytes[];  /* name, NUL, meta */
};

/** The facts to look up; strings borrowed. */
struct ml_facts {
    struct mp_bytes name;
    struct base_addr addr;
    struct mp_bytes meta; /* at most 512 bytes; data NULL: nil */
    const uint8_t *vsn;   /* six bytes */
};

static inline const char *ml_record_name(const struct ml_record *record)
{
    return record->bytes;
}
static inline const uint8_t *ml_record_meta(const struct ml_record *record)
{
    return (const uint8_t *)record->bytes + record->name_len + 1;
}

/** seed keys the hashes. Counted like the records: freed with the last user. */
struct gossip_records *ml_records_new(uint64_t seed);
struct gossip_records *ml_records_ref(struct gossip_records *records);
void ml_records_unref(struct gossip_records *records);
uint32_t ml_records_name_hash(const struct gossip_records *records,
                              struct mp_bytes name);
/** The record of these facts, with a reference for the caller. *made (may be
 * NULL) tells whether it is a new one. */
struct ml_record *ml_records_intern(struct gossip_records *records,
                                    const struct ml_facts *facts, bool *made);
struct ml_record *ml_record_ref(struct ml_record *record);
void ml_record_unref(struct ml_record *record);
/** Memory that the record takes. */
size_t ml_record_bytes(const struct ml_record *record);
size_t ml_records_count(const struct gossip_records *records);
/** Work space for compressing one packet, of all nodes that share the records:
 * they are on one loop, and nobody keeps it beyond a call. */
struct lzw_encoder *ml_records_encoder(struct gossip_records *records);
struct lzw_decoder *ml_records_decoder(struct gossip_records *records);

#endif
