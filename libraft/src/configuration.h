/* Configurations packed (entries of the log) and compared. */
#ifndef LIBRAFT_CONFIGURATION_H
#define LIBRAFT_CONFIGURATION_H

#include "base/buf.h"
#include "raft/error.h"
#include "raft/raft.pb-c.h"
#include "raft/types.h"

void configuration_pack(const struct raft_configuration *configuration,
                        struct base_buf *out);
/** RAFT_EDECODE: malformed, too many servers, empty or repeated ids, too long
 * text. */
int configuration_unpack(const void *data, size_t len,
                         struct raft_configuration *out);
/** The same from a part of a bigger message. */
int configuration_from_pb(const Raft__Configuration *message,
                          struct raft_configuration *out);
/** 0, or RAFT_EINVAL if ids are empty or repeated or there is no voter. */
int configuration_validate(const struct raft_configuration *configuration);
/** Sorts by id, so that equal lists pack to equal bytes. */
void configuration_sort(struct raft_configuration *configuration);
/** A name for the cluster made from its first servers, if it has none. */
void configuration_name(struct raft_configuration *configuration);
/** A name that only the cluster recovered with this very list has. */
void configuration_rename(struct raft_configuration *configuration);
uint32_t configuration_voter_count(
    const struct raft_configuration *configuration);
bool configuration_is_voter(const struct raft_configuration *configuration,
                            const char *id);
/** Copies an id or address; false (out untouched) if it does not fit. */
bool text_copy(char *out, size_t size, const char *text);

#endif
