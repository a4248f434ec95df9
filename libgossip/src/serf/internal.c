/*
 * Queries that nodes ask each other. Their names are reserved, and no user sees
 * them (gossip.md 3.7).
 */
#include "serf/core.h"

#include "base/alloc.h"

bool serf_is_internal(struct mp_bytes name)
{
    size_t len = strlen(SERF_INTERNAL_PREFIX);

    return name.len >= len &&
           memcmp(name.data, SERF_INTERNAL_PREFIX, len) == 0;
}

/* Our record of the node that somebody has a conflict about. */
static void answer_conflict(struct gossip_serf *serf, uint64_t question,
                            const void *payload, size_t len)
{
    struct base_buf out = BASE_BUF_INIT;
    char name[GOSSIP_NAME_MAX + 1];
    struct serf_member *member;

    if (!serf_name_copy(name, mp_bytes_of(payload, len))) {
        serf_refuse(serf, serf->counters.malformed, "conflict query", "");
        return;
    }
    /* The two in question do not vote. */
    if (serf_is_self(serf, name))
        return;
    member = serf_members_find(&serf->members, name);
    if (member != NULL) {
        struct serf_member_view view;

        serf_member_view_of(&view, member);
        serf_put_conflict(&out, &view.member);
        serf_member_view_close(&view);
    } else {
        serf_put_conflict(&out, NULL);
    }
    (void)serf_question_answer(serf, question, base_buf_data(&out),
                               base_buf_len(&out));
    base_buf_close(&out);
}

void serf_internal_query(struct gossip_serf *serf, const char *name,
                         uint64_t question, const void *payload, size_t len)
{
    static const struct {
        const char *name;
        enum gossip_key_operation operation;
    } keys[] = {{"install-key", GOSSIP_KEY_INSTALL},
                {"use-key", GOSSIP_KEY_USE},
                {"remove-key", GOSSIP_KEY_REMOVE},
                {"list-keys", GOSSIP_KEY_LIST}};
    const char *what = name + strlen(SERF_INTERNAL_PREFIX);
    size_t i;

    if (strcmp(what, "ping") == 0)
        return; /* the ack was the answer */
    if (strcmp(what, "conflict") == 0) {
        answer_conflict(serf, question, payload, len);
        return;
    }
    for (i = 0; i < BASE_COUNT_OF(keys); i++) {
        if (strcmp(what, keys[i].name) == 0) {
            serf_key_answer(serf, keys[i].operation, question, payload, len);
            return;
        }
    }
    serf_refuse(serf, serf->counters.malformed, "unknown internal query",
                name);
}
