/* The two inbound lists; see inbox.h. */
#include "memberlist/inbox.h"

#include <string.h>

#include "base/alloc.h"

void ml_inbox_init(struct ml_inbox *inbox, size_t depth_max)
{
    memset(inbox, 0, sizeof(*inbox));
    inbox->depth_max = depth_max;
}

static struct ml_inbox_entry *take_newest(struct ml_inbox_list *list)
{
    struct ml_inbox_entry *entry = list->newest;

    if (entry == NULL)
        return NULL;
    list->newest = entry->older;
    if (list->newest != NULL)
        list->newest->newer = NULL;
    else
        list->oldest = NULL;
    list->count--;
    return entry;
}

static void drop_oldest(struct ml_inbox_list *list)
{
    struct ml_inbox_entry *entry = list->oldest;

    list->oldest = entry->newer;
    if (list->oldest != NULL)
        list->oldest->older = NULL;
    else
        list->newest = NULL;
    list->count--;
    base_free(entry);
}

void ml_inbox_close(struct ml_inbox *inbox)
{
    struct ml_inbox_entry *entry;

    while ((entry = ml_inbox_take(inbox)) != NULL)
        base_free(entry);
}

bool ml_inbox_put(struct ml_inbox *inbox, const struct base_addr *from,
                  enum ml_type type, uint32_t hash, const void *data,
                  size_t len)
{
    struct ml_inbox_list *list =
        type == ML_ALIVE ? &inbox->high : &inbox->low;
    struct ml_inbox_entry *entry = base_alloc(sizeof(*entry) + len);

    entry->from = *from;
    entry->type = (uint8_t)type;
    entry->hash = hash;
    entry->len = len;
    if (len > 0)
        memcpy(entry->data, data, len);
    entry->newer = NULL;
    entry->older = list->newest;
    if (list->newest != NULL)
        list->newest->newer = entry;
    else
        list->oldest = entry;
    list->newest = entry;
    if (++list->count <= inbox->depth_max)
        return true;
    drop_oldest(list);
    return false;
}

struct ml_inbox_entry *ml_inbox_take(struct ml_inbox *inbox)
{
    struct ml_inbox_entry *entry = take_newest(&inbox->high);

    return entry != NULL ? entry : take_newest(&inbox->low);
}

size_t ml_inbox_count(const struct ml_inbox *inbox)
{
    return inbox->high.count + inbox->low.count;
}
