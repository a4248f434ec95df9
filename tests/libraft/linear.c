/*
 * The checker of histories. Values are unique, which makes operations without
 * an answer easy: one whose value nobody saw may be left out (nothing can tell
 * it from one that never happened), and one whose value was seen happened
 * before the end of the first that saw it.
 */
#include "linear.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* ---- recording ---- */

size_t history_begin(struct history *history, enum history_kind kind,
                     uint32_t key, uint64_t expected)
{
    struct history_op *op;

    if (history->count == history->cap) {
        history->cap = history->cap == 0 ? 256 : history->cap * 2;
        history->ops = base_reallocarray(history->ops, history->cap,
                                         sizeof(*history->ops));
    }
    op = &history->ops[history->count];
    *op = (struct history_op){.kind = kind,
                              .key = key,
                              .expected = expected,
                              .begun = ++history->ticks,
                              .ended = HISTORY_UNKNOWN};
    if (kind != HISTORY_READ)
        op->value = ++history->last_value;
    return history->count++;
}

void history_end(struct history *history, size_t op, uint64_t seen)
{
    assert(op < history->count);
    history->ops[op].seen = seen;
    history->ops[op].ended = ++history->ticks;
}

void history_drop(struct history *history, size_t op)
{
    assert(op < history->count);
    history->ops[op].dropped = true;
}

void history_close(struct history *history)
{
    base_free(history->ops);
    memset(history, 0, sizeof(*history));
}

void history_print(const struct history *history, uint32_t key)
{
    static const char *const kinds[] = {"read", "write", "swap"};
    size_t i;

    for (i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];

        if (op->key != key || op->dropped)
            continue;
        fprintf(stderr, "  %8" PRIu64 " ", op->begun);
        if (op->ended == HISTORY_UNKNOWN)
            fprintf(stderr, "%8s", "?");
        else
            fprintf(stderr, "%8" PRIu64, op->ended);
        fprintf(stderr, " %-5s value %" PRIu64 " expected %" PRIu64
                        " seen %" PRIu64 "\n",
                kinds[op->kind], op->value, op->expected, op->seen);
    }
}

/* ---- one key: operations whose answer is unknown ---- */

struct key_ops {
    struct history_op *ops;
    size_t count;
};

static bool saw(const struct history_op *op, uint64_t value)
{
    return op->ended != HISTORY_UNKNOWN && op->kind != HISTORY_WRITE &&
           op->seen == value;
}

static uint64_t first_seen(const struct key_ops *key, uint64_t value)
{
    uint64_t first = HISTORY_UNKNOWN;
    size_t i;

    for (i = 0; i < key->count; i++) {
        if (saw(&key->ops[i], value) && key->ops[i].ended < first)
            first = key->ops[i].ended;
    }
    return first;
}

/* A swap that was seen saw what it expected, which may be what another one of
 * unknown end had put: hence again until nothing changes. */
static void settle_unknown(struct key_ops *key)
{
    bool changed = true;
    size_t i, kept = 0;

    while (changed) {
        changed = false;
        for (i = 0; i < key->count; i++) {
            struct history_op *op = &key->ops[i];

            if (op->ended != HISTORY_UNKNOWN || op->kind == HISTORY_READ)
                continue;
            op->ended = first_seen(key, op->value);
            op->seen = op->expected;
            changed = changed || op->ended != HISTORY_UNKNOWN;
        }
    }
    for (i = 0; i < key->count; i++) {
        if (key->ops[i].ended != HISTORY_UNKNOWN)
            key->ops[kept++] = key->ops[i];
    }
    key->count = kept;
}

/* ---- states that were visited: which operations have a place, and the value
 * after them ---- */

struct visited {
    uint64_t *states; /* of words + 1 each */
    bool *used;
    size_t words, count, cap;
};

static uint64_t state_hash(const uint64_t *state, size_t words)
{
    uint64_t hash = 0xcbf29ce484222325ull;
    size_t i;

    for (i = 0; i < words; i++) {
        hash = (hash ^ state[i]) * 0x9e3779b97f4a7c15ull;
        hash ^= hash >> 29;
    }
    return hash;
}

static bool visited_put(struct visited *visited, const uint64_t *state)
{
    size_t words = visited->words + 1;
    size_t at = (size_t)state_hash(state, words) & (visited->cap - 1);

    while (visited->used[at]) {
        if (memcmp(visited->states + at * words, state,
                   words * sizeof(*state)) == 0)
            return false;
        at = (at + 1) & (visited->cap - 1);
    }
    visited->used[at] = true;
    memcpy(visited->states + at * words, state, words * sizeof(*state));
    visited->count++;
    return true;
}

static void visited_grow(struct visited *visited)
{
    struct visited old = *visited;
    size_t i;

    visited->cap = old.cap == 0 ? 256 : old.cap * 2;
    visited->count = 0;
    visited->used = base_calloc(visited->cap, sizeof(*visited->used));
    visited->states = base_calloc(visited->cap * (visited->words + 1),
                                  sizeof(*visited->states));
    for (i = 0; i < old.cap; i++) {
        if (old.used[i])
            visited_put(visited, old.states + i * (visited->words + 1));
    }
    base_free(old.used);
    base_free(old.states);
}

static bool visited_is_new(struct visited *visited, const uint64_t *state)
{
    if (visited->count * 2 >= visited->cap)
        visited_grow(visited);
    return visited_put(visited, state);
}

/* ---- the search: begins and ends in their order, in a list from which an
 * operation is lifted while it has a place ---- */

struct mark {
    uint64_t at;
    size_t op;
    bool is_end;
    struct mark *partner; /* a begin's end */
    struct mark *before, *after;
};

static int compare_marks(const void *a, const void *b)
{
    const struct mark *left = a;
    const struct mark *right = b;

    if (left->at != right->at)
        return left->at < right->at ? -1 : 1;
    /* Ends that were deduced share a tick with another's. */
    return left->is_end - right->is_end;
}

static void take_out(struct mark *mark)
{
    mark->before->after = mark->after;
    if (mark->after != NULL)
        mark->after->before = mark->before;
}

static void put_back(struct mark *mark)
{
    mark->before->after = mark;
    if (mark->after != NULL)
        mark->after->before = mark;
}

static struct mark *marks_new(const struct key_ops *key)
{
    struct mark *marks = base_calloc(2 * key->count + 1, sizeof(*marks));
    struct mark **begins = base_calloc(key->count, sizeof(*begins));
    size_t i;

    for (i = 0; i < key->count; i++) {
        marks[1 + 2 * i] = (struct mark){.at = key->ops[i].begun, .op = i};
        marks[2 + 2 * i] = (struct mark){
            .at = key->ops[i].ended, .op = i, .is_end = true};
    }
    qsort(marks + 1, 2 * key->count, sizeof(*marks), compare_marks);
    for (i = 1; i <= 2 * key->count; i++) {
        marks[i].before = &marks[i - 1];
        marks[i - 1].after = &marks[i];
        if (!marks[i].is_end)
            begins[marks[i].op] = &marks[i];
        else
            begins[marks[i].op]->partner = &marks[i];
    }
    base_free(begins);
    return marks;
}

/* What the register holds after op, if op can come now. */
static bool comes_now(const struct history_op *op, uint64_t value,
                      uint64_t *after)
{
    *after = value;
    if (op->kind == HISTORY_WRITE) {
        *after = op->value;
        return true;
    }
    if (op->kind == HISTORY_SWAP && op->seen == op->expected)
        *after = op->value;
    return value == op->seen;
}

struct place {
    struct mark *mark;
    uint64_t value_before;
    bool sure; /* it changed nothing: no order is lost by having it here */
};

static bool search(const struct key_ops *key, struct mark *marks,
                   struct visited *visited, uint64_t *state,
                   struct place *places)
{
    size_t words = visited->words;
    size_t depth = 0;
    struct mark *mark = marks->after;

    while (marks->after != NULL) {
        uint64_t before = state[words];
        uint64_t bit = 1ull << (mark->op % 64);

        if (mark->is_end) {
            /* It would have to come before its end, and cannot. */
            do {
                if (depth == 0)
                    return false;
                mark = places[--depth].mark;
                state[words] = places[depth].value_before;
                state[mark->op / 64] &= ~(1ull << (mark->op % 64));
                put_back(mark->partner);
                put_back(mark);
            } while (places[depth].sure);
            mark = mark->after;
            continue;
        }
        if (comes_now(&key->ops[mark->op], before, &state[words])) {
            state[mark->op / 64] |= bit;
            if (visited_is_new(visited, state)) {
                places[depth++] =
                    (struct place){mark, before, state[words] == before};
                take_out(mark);
                take_out(mark->partner);
                mark = marks->after;
                continue;
            }
            state[mark->op / 64] &= ~bit;
        }
        state[words] = before;
        mark = mark->after;
    }
    return true;
}

/* Only of one whose end was deduced. */
static bool seen_before_it_began(const struct key_ops *key)
{
    size_t i;

    for (i = 0; i < key->count; i++) {
        if (key->ops[i].ended < key->ops[i].begun)
            return true;
    }
    return false;
}

static bool key_is_linearizable(struct key_ops *key)
{
    struct visited visited = {0};
    struct place *places;
    struct mark *marks;
    uint64_t *state;
    bool ok;

    settle_unknown(key);
    if (key->count == 0)
        return true;
    if (seen_before_it_began(key))
        return false;
    visited.words = key->count / 64 + 1;
    state = base_calloc(visited.words + 1, sizeof(*state));
    places = base_calloc(key->count, sizeof(*places));
    marks = marks_new(key);
    ok = search(key, marks, &visited, state, places);
    base_free(marks);
    base_free(places);
    base_free(state);
    base_free(visited.used);
    base_free(visited.states);
    return ok;
}

bool history_is_linearizable(const struct history *history, uint32_t *bad_key)
{
    struct key_ops key = {
        .ops = base_calloc(history->count + 1, sizeof(*key.ops))};
    bool ok = true;
    uint32_t number, last = 0;
    size_t i;

    for (i = 0; i < history->count; i++) {
        if (history->ops[i].key > last)
            last = history->ops[i].key;
    }
    for (number = 0; ok && number <= last; number++) {
        key.count = 0;
        for (i = 0; i < history->count; i++) {
            if (history->ops[i].key == number && !history->ops[i].dropped)
                key.ops[key.count++] = history->ops[i];
        }
        ok = key_is_linearizable(&key);
        if (!ok && bad_key != NULL)
            *bad_key = number;
    }
    base_free(key.ops);
    return ok;
}
