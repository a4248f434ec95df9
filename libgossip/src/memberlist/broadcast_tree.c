/* A treap; see broadcast_tree.h. Depth is logarithmic in expectation. */
#include "memberlist/broadcast_tree.h"

#include <assert.h>

/* <0 if a is sent before b. */
static int compare(const struct broadcast_key *a, const struct broadcast_key *b)
{
    if (a->transmits != b->transmits)
        return a->transmits < b->transmits ? -1 : 1;
    if (a->len != b->len)
        return a->len > b->len ? -1 : 1;
    if (a->id != b->id)
        return a->id > b->id ? -1 : 1;
    return 0;
}

/* Bits of the id, well mixed. */
static uint32_t mix(uint64_t id)
{
    id = (id ^ (id >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    id = (id ^ (id >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)(id >> 32);
}

static void split(struct broadcast_link *root, const struct broadcast_key *key,
                  struct broadcast_link **before, struct broadcast_link **after)
{
    if (root == NULL) {
        *before = NULL;
        *after = NULL;
    } else if (compare(&root->key, key) < 0) {
        *before = root;
        split(root->right, key, &root->right, after);
    } else {
        *after = root;
        split(root->left, key, before, &root->left);
    }
}

static struct broadcast_link *merge(struct broadcast_link *before,
                                    struct broadcast_link *after)
{
    if (before == NULL)
        return after;
    if (after == NULL)
        return before;
    if (before->priority > after->priority) {
        before->right = merge(before->right, after);
        return before;
    }
    after->left = merge(before, after->left);
    return after;
}

void broadcast_tree_insert(struct broadcast_link **root,
                           struct broadcast_link *link)
{
    link->priority = mix(link->key.id);
    while (*root != NULL && (*root)->priority >= link->priority)
        root = compare(&link->key, &(*root)->key) < 0 ? &(*root)->left
                                                      : &(*root)->right;
    split(*root, &link->key, &link->left, &link->right);
    *root = link;
}

void broadcast_tree_remove(struct broadcast_link **root,
                           struct broadcast_link *link)
{
    while (*root != link) {
        assert(*root != NULL);
        root = compare(&link->key, &(*root)->key) < 0 ? &(*root)->left
                                                      : &(*root)->right;
    }
    *root = merge(link->left, link->right);
    link->left = NULL;
    link->right = NULL;
}

struct broadcast_link *broadcast_tree_at(struct broadcast_link *root,
                                         const struct broadcast_key *key)
{
    struct broadcast_link *found = NULL;

    while (root != NULL) {
        if (compare(&root->key, key) >= 0) {
            found = root;
            root = root->left;
        } else {
            root = root->right;
        }
    }
    return found;
}

struct broadcast_link *broadcast_tree_last(struct broadcast_link *root)
{
    while (root != NULL && root->right != NULL)
        root = root->right;
    return root;
}
