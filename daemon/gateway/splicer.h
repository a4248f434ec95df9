/*
 * The relay (relay.h) for two TCP streams: the kernel moves the bytes, from
 * socket to pipe to socket with splice(2), and we never see them. A direction
 * holds a pipe only while bytes are in it, so that idle connections cost no
 * buffer at all. There are few pipes; while all are in use, for instance by
 * slow readers, bytes are copied through one buffer that all share.
 * Threads: the loop.
 */
#ifndef GATEWAY_SPLICER_H
#define GATEWAY_SPLICER_H

#include "base/loop.h"
#include "gateway/relay.h"

/** The pipes, and the loop. */
struct splicer;
struct splice;

struct splicer *splicer_new(struct base_loop *loop);
/** After all that it made is freed. */
void splicer_free(struct splicer *splicer);
/** As relay_new(), with the same rules for done. NULL, and nothing is taken, if
 * these streams need the copying relay: they are no plain TCP, have output
 * waiting or an end, or b has input waiting. */
struct splice *splice_new(struct splicer *splicer,
                          const struct relay_config *config);
struct relay_end splice_so_far(const struct splice *splice);
void splice_free(struct splice *splice);

#endif
