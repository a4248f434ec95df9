/*
 * A leader puts a state that its user gives, piece by piece, into the log, and
 * then the entry that makes it the state (node_replace.c). What is in memory is
 * what is on its way.
 */
#include "base/alloc.h"
#include "crc32c.h"
#include "node_internal.h"

struct waiting_piece {
    struct raft_node *node;
    uint64_t id;
    raft_storage_done_fn done;
    void *arg;
};

/* ---- proposing ---- */

/* It did not come to its end: in this term nobody goes on with it. */
static void forget(struct raft_node *node, uint64_t id)
{
    if (node->restore.id == id)
        node->restore = (struct node_restore){0};
}

static void on_answer(void *arg, int status, raft_index index, void *result)
{
    struct waiting_piece piece = *(struct waiting_piece *)arg;
    struct raft_node *node = piece.node;
    bool last = node->restore.id == piece.id && node->restore.ended;

    (void)index;
    (void)result;
    base_free(arg);
    if (node->restore.id == piece.id)
        node->restore.waiting--;
    if (status != 0 || (last && node->restore.waiting == 0))
        forget(node, piece.id);
    if (piece.done != NULL)
        piece.done(piece.arg, status);
}

static void propose(struct raft_node *node, const struct restore_part *part,
                    raft_storage_done_fn done, void *arg)
{
    struct base_buf packed = BASE_BUF_INIT;
    struct waiting_piece *piece;

    BASE_NEW(piece);
    *piece = (struct waiting_piece){node, part->id, done, arg};
    if (node->restore.id == part->id)
        node->restore.waiting++;
    restore_part_pack(part, &packed);
    apply_queue(node, RAFT_ENTRY_RESTORE, base_buf_data(&packed),
                base_buf_len(&packed), on_answer, piece);
    base_buf_close(&packed);
}

static int check(struct raft_node *node)
{
    if (node->stopped)
        return RAFT_ESTOPPED;
    if (!node->ready || raft_role(node->core) != RAFT_LEADER)
        return RAFT_ENOTLEADER;
    return 0;
}

/* 0 if it is the one that is open, and goes on in the term that it began in. */
static int check_open(struct raft_node *node, uint64_t id)
{
    int rv = check(node);

    if (rv == 0 && (node->restore.id != id || node->restore.ended))
        rv = RAFT_EINVAL;
    if (rv == 0 && node->restore.term != raft_current_term(node->core))
        rv = RAFT_ENOTLEADER;
    if (rv == 0 && node->restore.waiting >= RAFT_RESTORE_PIECES_MAX)
        rv = RAFT_EBUSY;
    return rv;
}

int raft_node_restore_begin(struct raft_node *node, uint64_t *id)
{
    int rv = check(node);

    *id = 0;
    if (rv < 0)
        return rv;
    if (node->config.fsm.ops->restore_begin == NULL)
        return RAFT_EINVAL;
    if (node->restore.id != 0 &&
        node->restore.term == raft_current_term(node->core))
        return RAFT_ERESTORE;
    node->restore = (struct node_restore){
        .id = base_env_random_u64(node->env) | 1,
        .term = raft_current_term(node->core)};
    *id = node->restore.id;
    return 0;
}

int raft_node_restore_piece(struct raft_node *node, uint64_t id,
                            const void *data, size_t len,
                            raft_storage_done_fn done, void *arg)
{
    struct restore_part part = {.kind = RESTORE_PIECE, .id = id,
                                .data = data, .len = len};
    int rv = check_open(node, id);

    if (rv == 0 && (len == 0 || len > RAFT_RESTORE_PIECE_BYTES_MAX))
        rv = len == 0 ? RAFT_EINVAL : RAFT_ETOOBIG;
    if (rv < 0)
        return rv;
    part.offset = node->restore.offset;
    node->restore.offset += len;
    node->restore.checksum = crc32c(node->restore.checksum, data, len);
    propose(node, &part, done, arg);
    return 0;
}

int raft_node_restore_end(struct raft_node *node, uint64_t id,
                          raft_storage_done_fn done, void *arg)
{
    struct restore_part part = {.kind = RESTORE_END, .id = id};
    int rv = check_open(node, id);

    if (rv == RAFT_EBUSY)
        rv = 0; /* there is room for this one */
    if (rv == 0 && node->restore.offset == 0)
        rv = RAFT_EINVAL;
    if (rv < 0)
        return rv;
    part.offset = node->restore.offset;
    part.checksum = node->restore.checksum;
    node->restore.ended = true;
    propose(node, &part, done, arg);
    return 0;
}

void raft_node_restore_abort(struct raft_node *node, uint64_t id)
{
    if (node->restore.ended)
        return;
    forget(node, id);
    node_wake(node);
}

/* ---- what was begun and never ended ---- */

/* Refused (while leadership is handed on, say): again with the next tick, since
 * the next turn may come at once and find the same. */
static void on_given_up(void *arg, int status)
{
    struct raft_node *node = arg;

    node->giving_up = node->tidy_again = status != 0;
}

/* An open restore keeps snapshots from being taken. The next leader's first
 * entry closes it; while we lead on, it is ours to close. */
void restore_tidy(struct raft_node *node)
{
    struct restore_part part = {.kind = RESTORE_GIVEN_UP,
                                .id = node->track.id};

    if (node->giving_up || node->replacing.active || node->track.id == 0 ||
        node->track.id == node->restore.id ||
        raft_role(node->core) != RAFT_LEADER ||
        node->track.term != raft_current_term(node->core))
        return;
    node->giving_up = true;
    propose(node, &part, on_given_up, node);
}

void restore_tick(struct raft_node *node)
{
    if (!node->tidy_again)
        return;
    node->giving_up = node->tidy_again = false;
    node_wake(node);
}
