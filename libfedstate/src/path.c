/* The way to the primary; see path.h. */
#include "path.h"

/* Only the leader may leave the local path, so that followers, who learn of no
 * outcome, never bypass the gateways (F4). A leader without an outcome goes by
 * what it has stored (F3). "Last success newer than last failure" is no failure
 * since the last success. */
bool fedstate_through_local(const struct fedstate_path_facts *facts)
{
    if (!facts->leader)
        return true;
    /* No data yet: our gateways learn from it where the primary's are. */
    if (!facts->stored && !facts->have_primary && facts->have_fallback)
        return false;
    if (!facts->tried)
        return facts->stored;
    return facts->failures < FEDSTATE_PATH_FAILURES;
}

enum fedstate_path
fedstate_path_to_primary(const struct fedstate_path_facts *facts)
{
    if (facts->have_local && fedstate_through_local(facts))
        return FEDSTATE_PATH_LOCAL;
    /* A restart: what the disk holds will tell of our gateways (F3). */
    if (facts->held)
        return facts->have_local ? FEDSTATE_PATH_LOCAL : FEDSTATE_PATH_NONE;
    /* F7. Bootstrap lasts until our record names gateways, or the primary's are
     * known and ours are there: before that our gateways cannot know the way,
     * and without the direct path would never be told. */
    if (facts->never_direct && (facts->local_listed ||
                                (facts->have_local && facts->have_primary)))
        return facts->have_local ? FEDSTATE_PATH_LOCAL : FEDSTATE_PATH_NONE;
    if (facts->have_primary)
        return FEDSTATE_PATH_DIRECT;
    return facts->have_fallback ? FEDSTATE_PATH_FALLBACK : FEDSTATE_PATH_NONE;
}
