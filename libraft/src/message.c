/*
 * Messages to and from protobuf. Everything in a received message is hostile
 * until it has passed here: what a check can find without knowing the state of
 * the server, is found here; the core checks the rest.
 */
#include "raft/message.h"

#include <string.h>

#include "base/alloc.h"
#include "base/pb.h"
#include "configuration.h"
#include "crc32c.h"
#include "entry.h"

/* Two full appends fit, protobuf's own bytes included. */
#define MESSAGE_BYTES_MAX (RAFT_APPEND_BYTES_MAX * 2u)

const char *raft_message_type_name(enum raft_message_type type)
{
    static const char *const names[] = {
        "none",         "vote-request", "vote-reply",     "append",
        "append-reply", "snapshot",     "snapshot-reply", "timeout-now"};

    return (size_t)type < BASE_COUNT_OF(names) ? names[type] : "unknown";
}

void raft_message_close(struct raft_message *message)
{
    if (message->type == RAFT_MESSAGE_APPEND) {
        entries_free(message->u.append.entries, message->u.append.entry_count);
    } else if (message->type == RAFT_MESSAGE_SNAPSHOT) {
        base_free(message->u.snapshot.configuration);
        base_free(message->u.snapshot.data);
    }
    memset(message, 0, sizeof(*message));
}

/* ---- packing ---- */

/* The parts a message may need while it is packed. */
struct packing {
    Raft__Message head;
    Raft__VoteRequest vote;
    Raft__VoteReply vote_reply;
    Raft__Append append;
    Raft__AppendReply append_reply;
    Raft__Snapshot snapshot;
    Raft__SnapshotReply snapshot_reply;
    Raft__TimeoutNow timeout_now;
    struct base_buf entries;
    struct base_buf configuration;
    Raft__Configuration *configuration_pb;
};

static void pack_vote(struct packing *p, const struct raft_message *m)
{
    raft__vote_request__init(&p->vote);
    p->vote.last_index = m->u.vote.last_index;
    p->vote.last_term = m->u.vote.last_term;
    p->vote.pre = m->u.vote.pre;
    p->vote.transfer = m->u.vote.transfer;
    p->head.vote_request = &p->vote;
    p->head.body_case = RAFT__MESSAGE__BODY_VOTE_REQUEST;
}

static void pack_vote_reply(struct packing *p, const struct raft_message *m)
{
    raft__vote_reply__init(&p->vote_reply);
    p->vote_reply.granted = m->u.vote_reply.granted;
    p->vote_reply.pre = m->u.vote_reply.pre;
    p->head.vote_reply = &p->vote_reply;
    p->head.body_case = RAFT__MESSAGE__BODY_VOTE_REPLY;
}

static void pack_append(struct packing *p, const struct raft_message *m)
{
    size_t i;

    raft__append__init(&p->append);
    p->append.prev_index = m->u.append.prev_index;
    p->append.prev_term = m->u.append.prev_term;
    p->append.commit = m->u.append.commit;
    p->append.round = m->u.append.round;
    p->append.renew = m->u.append.renew;
    p->append.renew_index = m->u.append.renew_index;
    p->append.sent_ms = m->u.append.sent_ms;
    for (i = 0; i < m->u.append.entry_count; i++)
        entry_pack(&m->u.append.entries[i], &p->entries);
    p->append.entries.len = base_buf_len(&p->entries);
    p->append.entries.data = p->entries.bytes;
    p->head.append = &p->append;
    p->head.body_case = RAFT__MESSAGE__BODY_APPEND;
}

static void pack_append_reply(struct packing *p, const struct raft_message *m)
{
    raft__append_reply__init(&p->append_reply);
    p->append_reply.rejected = m->u.append_reply.rejected;
    p->append_reply.match = m->u.append_reply.match;
    p->append_reply.prev_index = m->u.append_reply.prev_index;
    p->append_reply.conflict_index = m->u.append_reply.conflict_index;
    p->append_reply.conflict_term = m->u.append_reply.conflict_term;
    p->append_reply.round = m->u.append_reply.round;
    p->append_reply.behind = m->u.append_reply.behind;
    p->append_reply.repairing = m->u.append_reply.repairing;
    p->append_reply.sent_ms = m->u.append_reply.sent_ms;
    p->head.append_reply = &p->append_reply;
    p->head.body_case = RAFT__MESSAGE__BODY_APPEND_REPLY;
}

static void pack_snapshot(struct packing *p, const struct raft_message *m)
{
    size_t len;

    configuration_pack(m->u.snapshot.configuration, &p->configuration);
    len = base_buf_len(&p->configuration);
    p->configuration_pb = base_pb_unpack(&raft__configuration__descriptor,
                                         base_buf_data(&p->configuration), len,
                                         base_pb_budget(len));
    raft__snapshot__init(&p->snapshot);
    p->snapshot.index = m->u.snapshot.index;
    p->snapshot.term = m->u.snapshot.term;
    p->snapshot.configuration_index = m->u.snapshot.configuration_index;
    p->snapshot.configuration = p->configuration_pb;
    p->snapshot.offset = m->u.snapshot.offset;
    p->snapshot.data.data = m->u.snapshot.data;
    p->snapshot.data.len = m->u.snapshot.len;
    p->snapshot.checksum =
        crc32c(0, m->u.snapshot.data, m->u.snapshot.len);
    p->snapshot.last = m->u.snapshot.last;
    p->snapshot.round = m->u.snapshot.round;
    p->head.snapshot = &p->snapshot;
    p->head.body_case = RAFT__MESSAGE__BODY_SNAPSHOT;
}

static void pack_snapshot_reply(struct packing *p,
                                const struct raft_message *m)
{
    raft__snapshot_reply__init(&p->snapshot_reply);
    p->snapshot_reply.index = m->u.snapshot_reply.index;
    p->snapshot_reply.offset = m->u.snapshot_reply.offset;
    p->snapshot_reply.done = m->u.snapshot_reply.done;
    p->snapshot_reply.round = m->u.snapshot_reply.round;
    p->head.snapshot_reply = &p->snapshot_reply;
    p->head.body_case = RAFT__MESSAGE__BODY_SNAPSHOT_REPLY;
}

static void pack_body(struct packing *p, const struct raft_message *m)
{
    switch (m->type) {
    case RAFT_MESSAGE_VOTE_REQUEST:
        pack_vote(p, m);
        break;
    case RAFT_MESSAGE_VOTE_REPLY:
        pack_vote_reply(p, m);
        break;
    case RAFT_MESSAGE_APPEND:
        pack_append(p, m);
        break;
    case RAFT_MESSAGE_APPEND_REPLY:
        pack_append_reply(p, m);
        break;
    case RAFT_MESSAGE_SNAPSHOT:
        pack_snapshot(p, m);
        break;
    case RAFT_MESSAGE_SNAPSHOT_REPLY:
        pack_snapshot_reply(p, m);
        break;
    case RAFT_MESSAGE_TIMEOUT_NOW:
        raft__timeout_now__init(&p->timeout_now);
        p->head.timeout_now = &p->timeout_now;
        p->head.body_case = RAFT__MESSAGE__BODY_TIMEOUT_NOW;
        break;
    }
}

void raft_message_pack(const struct raft_message *message,
                       const char *cluster_id, struct base_buf *out)
{
    struct packing packing;
    char from[RAFT_ID_MAX], to[RAFT_ID_MAX], cluster[RAFT_ID_MAX];

    memset(&packing, 0, sizeof(packing));
    text_copy(from, sizeof(from), message->from);
    text_copy(to, sizeof(to), message->to);
    text_copy(cluster, sizeof(cluster), cluster_id);
    raft__message__init(&packing.head);
    packing.head.cluster_id = cluster;
    packing.head.from = from;
    packing.head.to = to;
    packing.head.term = message->term;
    pack_body(&packing, message);
    base_pb_pack(&packing.head, out);
    base_buf_close(&packing.entries);
    base_buf_close(&packing.configuration);
    base_pb_free(packing.configuration_pb);
}

/* ---- unpacking ---- */

/* Entries follow prev_index without a gap, and terms never fall along a log
 * nor pass the sender's. */
static bool entries_are_in_order(const struct raft_message *m)
{
    raft_term term = m->u.append.prev_term;
    size_t i;

    if (m->u.append.prev_index > UINT64_MAX - m->u.append.entry_count - 1)
        return false;
    for (i = 0; i < m->u.append.entry_count; i++) {
        const struct raft_entry *entry = &m->u.append.entries[i];

        if (entry->index != m->u.append.prev_index + 1 + i ||
            entry->term < term || entry->term == 0)
            return false;
        term = entry->term;
    }
    return term <= m->term;
}

/* A configuration entry that nobody can read must not get into a log. */
static bool configurations_are_sound(const struct raft_message *m)
{
    struct raft_configuration configuration;
    size_t i;

    for (i = 0; i < m->u.append.entry_count; i++) {
        const struct raft_entry *entry = &m->u.append.entries[i];

        if (entry->type == RAFT_ENTRY_CONFIGURATION &&
            configuration_unpack(entry->data, entry->len, &configuration) < 0)
            return false;
    }
    return true;
}

static int unpack_append(const Raft__Append *body, struct raft_message *m)
{
    int rv;

    m->u.append.prev_index = body->prev_index;
    m->u.append.prev_term = body->prev_term;
    m->u.append.commit = body->commit;
    m->u.append.round = body->round;
    m->u.append.renew = body->renew;
    m->u.append.renew_index = body->renew_index;
    m->u.append.sent_ms = body->sent_ms;
    rv = entries_unpack(body->entries.data, body->entries.len,
                        &m->u.append.entries, &m->u.append.entry_count);
    if (rv < 0)
        return rv;
    if (!entries_are_in_order(m) || !configurations_are_sound(m))
        return RAFT_EDECODE;
    return 0;
}

static void unpack_append_reply(const Raft__AppendReply *body,
                                struct raft_message *m)
{
    m->u.append_reply.rejected = body->rejected;
    m->u.append_reply.match = body->match;
    m->u.append_reply.prev_index = body->prev_index;
    m->u.append_reply.conflict_index = body->conflict_index;
    m->u.append_reply.conflict_term = body->conflict_term;
    m->u.append_reply.round = body->round;
    m->u.append_reply.behind = body->behind;
    m->u.append_reply.repairing = body->repairing;
    m->u.append_reply.sent_ms = body->sent_ms;
}

static int unpack_snapshot(const Raft__Snapshot *body, struct raft_message *m)
{
    struct raft_configuration configuration;

    if (body->configuration == NULL || body->index == 0 || body->term == 0 ||
        body->term > m->term || body->configuration_index > body->index ||
        configuration_from_pb(body->configuration, &configuration) < 0)
        return RAFT_EDECODE;
    if (body->data.len > RAFT_SNAPSHOT_CHUNK_MAX)
        return RAFT_ETOOBIG;
    if (body->offset > UINT64_MAX - body->data.len)
        return RAFT_EDECODE;
    if (crc32c(0, body->data.data, body->data.len) != body->checksum)
        return RAFT_ECORRUPT;
    m->u.snapshot.index = body->index;
    m->u.snapshot.term = body->term;
    m->u.snapshot.configuration_index = body->configuration_index;
    m->u.snapshot.configuration =
        base_memdup(&configuration, sizeof(configuration));
    m->u.snapshot.offset = body->offset;
    m->u.snapshot.data = base_memdup(body->data.data, body->data.len);
    m->u.snapshot.len = body->data.len;
    m->u.snapshot.last = body->last;
    m->u.snapshot.round = body->round;
    return 0;
}

static int unpack_body(const Raft__Message *head, struct raft_message *m)
{
    switch (head->body_case) {
    case RAFT__MESSAGE__BODY_VOTE_REQUEST:
        m->type = RAFT_MESSAGE_VOTE_REQUEST;
        m->u.vote.last_index = head->vote_request->last_index;
        m->u.vote.last_term = head->vote_request->last_term;
        m->u.vote.pre = head->vote_request->pre;
        m->u.vote.transfer = head->vote_request->transfer;
        return 0;
    case RAFT__MESSAGE__BODY_VOTE_REPLY:
        m->type = RAFT_MESSAGE_VOTE_REPLY;
        m->u.vote_reply.granted = head->vote_reply->granted;
        m->u.vote_reply.pre = head->vote_reply->pre;
        return 0;
    case RAFT__MESSAGE__BODY_APPEND:
        m->type = RAFT_MESSAGE_APPEND;
        return unpack_append(head->append, m);
    case RAFT__MESSAGE__BODY_APPEND_REPLY:
        m->type = RAFT_MESSAGE_APPEND_REPLY;
        unpack_append_reply(head->append_reply, m);
        return 0;
    case RAFT__MESSAGE__BODY_SNAPSHOT:
        m->type = RAFT_MESSAGE_SNAPSHOT;
        return unpack_snapshot(head->snapshot, m);
    case RAFT__MESSAGE__BODY_SNAPSHOT_REPLY:
        m->type = RAFT_MESSAGE_SNAPSHOT_REPLY;
        m->u.snapshot_reply.index = head->snapshot_reply->index;
        m->u.snapshot_reply.offset = head->snapshot_reply->offset;
        m->u.snapshot_reply.done = head->snapshot_reply->done;
        m->u.snapshot_reply.round = head->snapshot_reply->round;
        return 0;
    case RAFT__MESSAGE__BODY_TIMEOUT_NOW:
        m->type = RAFT_MESSAGE_TIMEOUT_NOW;
        return 0;
    default:
        return RAFT_EDECODE;
    }
}

int raft_message_unpack(const void *data, size_t len, struct raft_message *out,
                        char cluster_id[RAFT_ID_MAX])
{
    Raft__Message *head;
    int rv = RAFT_EDECODE;

    memset(out, 0, sizeof(*out));
    if (len > MESSAGE_BYTES_MAX)
        return RAFT_ETOOBIG;
    /* Entries are one block of bytes: nothing here multiplies. */
    head = base_pb_unpack(&raft__message__descriptor, data, len,
                          base_pb_budget(0) + 2 * len);
    if (head == NULL)
        return RAFT_EDECODE;
    out->term = head->term;
    if (text_copy(cluster_id, RAFT_ID_MAX, head->cluster_id) &&
        text_copy(out->from, sizeof(out->from), head->from) &&
        text_copy(out->to, sizeof(out->to), head->to) &&
        out->from[0] != '\0')
        rv = unpack_body(head, out);
    base_pb_free(head);
    if (rv < 0)
        raft_message_close(out);
    return rv;
}
