/*
 * What the files of the simulated cluster share:
 *   cluster.c         life and death of servers
 *   cluster_run.c     time, and what is awaited in it
 *   cluster_wire.c    messages as datagrams
 *   cluster_fsm.c     the state machine
 *   cluster_clients.c clients and their history
 *   cluster_check.c   the four safety properties
 */
#ifndef TESTS_LIBRAFT_CLUSTER_INTERNAL_H
#define TESTS_LIBRAFT_CLUSTER_INTERNAL_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "cluster.h"

#define CLUSTER_PORT 8300

/* Names what is broken, and when, and stops: `cluster` is in scope. */
#define MUST(condition, ...)                                                 \
    do {                                                                     \
        if (!(condition)) {                                                  \
            fprintf(stderr, "broken at %" PRIu64 " ms: ",                    \
                    base_sim_now_ns(cluster->sim) / 1000000u);               \
            fprintf(stderr, __VA_ARGS__);                                    \
            fprintf(stderr, "\n");                                           \
            base_sim_set_log(cluster->sim, NULL); /* all of it, first */     \
            abort();                                                         \
        }                                                                    \
    } while (0)

extern const struct raft_transport_ops cluster_transport_ops;
extern const struct raft_fsm_ops cluster_fsm_ops;

/** The receiver of the server's socket. */
void cluster_on_packet(void *arg, const struct base_addr *from,
                       const void *data, size_t len);
/** Drops messages of which pieces are missing, and a restore under way. */
void cluster_wire_reset(struct cluster_server *server);
void cluster_fsm_reset(struct cluster_server *server);
/** Disks that went off by themselves take their server with them. */
void cluster_crash_cut_off(struct cluster *cluster);
/** Appends an image of that state. */
void cluster_fsm_image(struct cluster *cluster,
                       const struct cluster_state *state, struct base_buf *out);
/** Clients whose answer can no longer come. */
void cluster_clients_close(struct cluster *cluster);

#endif
