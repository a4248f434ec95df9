/*
 * One stream of memberlist, from accept or dial to its end: a push/pull, a
 * user message, a ping. Private to the exchange_*.c files.
 *
 *   accepted:  READING -> SENDING (answer) -> MERGING -> end
 *   push/pull: DIALLING -> SENDING -> READING -> MERGING -> end
 *   ping:      DIALLING -> SENDING -> READING -> end
 *   user:      DIALLING -> SENDING -> end
 *
 * Every one ends by its deadline.
 */
#ifndef MEMBERLIST_EXCHANGE_H
#define MEMBERLIST_EXCHANGE_H

#include "memberlist/frame.h"
#include "memberlist/node.h"
#include "memberlist/reader.h"
#include "memberlist/staged.h"

enum ml_role { ML_ROLE_ACCEPTED, ML_ROLE_PUSH_PULL, ML_ROLE_USER,
               ML_ROLE_PING };
enum ml_phase { ML_PHASE_DIALLING, ML_PHASE_SENDING, ML_PHASE_READING,
                ML_PHASE_MERGING, ML_PHASE_LINGERING };

struct ml_exchange {
    struct gossip_memberlist *ml;
    struct ml_exchange *prev; /* in ml->exchanges, oldest first */
    struct ml_exchange *next;
    enum ml_role role;
    enum ml_phase phase;
    struct base_stream *stream;
    struct gossip_dial *dial;
    struct base_timer deadline;
    struct base_timer step; /* goes on with reading or merging */
    struct base_addr addr;
    char *name; /* of the peer; "" if unknown */
    bool join;
    bool is_push_pull_in; /* counted in ml->push_pulls_in */
    bool closed_in;       /* the peer sends no more */
    size_t held;          /* of ml->exchange_bytes */
    struct ml_reader reader;
    struct ml_staged staged;
    struct base_buf out;    /* what is still to be written, */
    struct ml_frame *frame; /* and after it our state */
    size_t frame_at;
    bool waits_for_room;  /* budget: reading has stopped */
    bool merge_begun;
    bool merge_after;    /* accepted push/pull: merge when out has left */
    uint32_t seq_no;     /* ping */
    gossip_done_fn done;
    void *done_arg;
};

/* exchange.c */
struct ml_exchange *ml_exchange_new(struct gossip_memberlist *ml,
                                    enum ml_role role, const char *name,
                                    const struct base_addr *addr);
void ml_exchange_set_deadline(struct ml_exchange *exchange);
/** Takes the stream over and listens to it. */
void ml_exchange_attach(struct ml_exchange *exchange,
                        struct base_stream *stream);
/** Wraps the message and writes it as the stream drains. */
int ml_exchange_send(struct ml_exchange *exchange,
                     const struct base_buf *message);
/** Writes our state as the stream drains. */
void ml_exchange_send_state(struct ml_exchange *exchange);
/** Tells the peer why, and lingers until it has read that. */
void ml_exchange_refuse(struct ml_exchange *exchange, const char *why);
/** Frees it and tells its caller. */
void ml_exchange_end(struct ml_exchange *exchange, int status);

/* exchange_in.c: what came in. */
void ml_exchange_read(struct ml_exchange *exchange);
void ml_exchange_merge(struct ml_exchange *exchange);
extern const struct ml_reader_ops ml_exchange_reader_ops;

/* exchange_budget.c: what all exchanges hold together. */
int ml_exchange_reserve(struct ml_exchange *exchange, size_t bytes);
/** Of what was just reserved, so many bytes were not needed. */
void ml_exchange_refund(struct ml_exchange *exchange, size_t bytes);
/** Gives back, and lets those go on that wait. */
void ml_exchange_release(struct ml_exchange *exchange, size_t bytes);

#endif
