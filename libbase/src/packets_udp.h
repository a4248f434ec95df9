/*
 * The receive buffers that all datagram sockets of a loop share.
 */
#ifndef LIBBASE_PACKETS_UDP_H
#define LIBBASE_PACKETS_UDP_H

struct packet_batch;

/** NULL is fine. */
void packet_batch_free(struct packet_batch *batch);

#endif
