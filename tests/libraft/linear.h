/*
 * Was a history of clients possible on a single copy? Registers, one a key,
 * that are read, written and compared-and-swapped; the history is
 * linearizable if each operation can be given a moment between its begin and
 * its end so that, taken in that order, each saw what it says it saw.
 *
 * Search: Wing and Gong, "Testing and Verifying Concurrent Objects" (1993),
 * with the memory of visited states of Lowe, "Testing for Linearizability"
 * (2017); key by key, for linearizability is local (Herlihy and Wing 1990).
 *
 * Threads: one.
 */
#ifndef TESTS_LIBRAFT_LINEAR_H
#define TESTS_LIBRAFT_LINEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum history_kind { HISTORY_READ, HISTORY_WRITE, HISTORY_SWAP };

#define HISTORY_UNKNOWN UINT64_MAX /* as an end: it may have happened or not */

struct history_op {
    enum history_kind kind;
    bool dropped;      /* it surely never happened */
    uint32_t key;
    uint64_t value;    /* WRITE, SWAP: what it puts; never 0, never twice */
    uint64_t expected; /* SWAP: puts it only over this */
    uint64_t seen;     /* READ, SWAP: what it found; 0 before any write */
    uint64_t begun, ended; /* in ticks of the history's own clock */
};

struct history {
    struct history_op *ops;
    size_t count, cap;
    uint64_t ticks;
    uint64_t last_value;
};

/** An operation begins; its number. expected is a SWAP's. WRITE and SWAP get a
 * value of their own: history->ops[number].value. */
size_t history_begin(struct history *history, enum history_kind kind,
                     uint32_t key, uint64_t expected);
/** It ended well, having seen that (WRITE: ignored). An operation that never
 * ends may have happened. */
void history_end(struct history *history, size_t op, uint64_t seen);
/** It was refused: it surely has not happened and never will. */
void history_drop(struct history *history, size_t op);
/** False, with the first bad key, if it was not. */
bool history_is_linearizable(const struct history *history, uint32_t *bad_key);
/** The operations of a key, for people. */
void history_print(const struct history *history, uint32_t key);
void history_close(struct history *history);

#endif
