/*
 * What a node has to offer, and what it follows. Clusters and endpoints are
 * offered as they are; listeners only when every cluster that they name is
 * known to have been taken, for a filter chain without its cluster would refuse
 * connections.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "xds/xds_private.h"

const char *xds_type_word(enum xds_type type)
{
    static const char *const words[XDS_TYPES] = {"clusters", "endpoints",
                                                 "listeners"};

    return words[type];
}

/* ---- names ---------------------------------------------------------------- */

struct xds_names xds_names_of(const struct xds_resources *resources)
{
    struct xds_names names = {
        base_calloc(resources->count + 1, sizeof(*names.items)),
        resources->count};
    size_t i;

    for (i = 0; i < resources->count; i++)
        names.items[i] = base_strdup(resources->items[i].name);
    return names;
}

void xds_names_close(struct xds_names *names)
{
    size_t i;

    for (i = 0; i < names->count; i++)
        base_free(names->items[i]);
    base_free(names->items);
    *names = (struct xds_names){0};
}

/* Both are sorted, so one walk tells. */
static bool has_all(const struct xds_names *names,
                    const struct xds_resources *wanted)
{
    size_t i, at = 0;

    for (i = 0; i < wanted->count; i++) {
        while (at < names->count &&
               strcmp(names->items[at], wanted->items[i].name) < 0)
            at++;
        if (at == names->count ||
            strcmp(names->items[at], wanted->items[i].name) != 0)
            return false;
    }
    return true;
}

/* ---- what it has ---------------------------------------------------------- */

static void offer(struct xds_node *node, enum xds_type type,
                  const struct xds_input *input)
{
    xds_resources_close(&node->resources[type]);
    node->resources[type] = xds_resources_make(type, input);
    node->has[type] = true;
}

void xds_node_renew(struct xds_node *node)
{
    struct xds_input input = {.routes = xds_feed_routes(node->feed),
                              .listen = {node->listen[0], node->listen[1]}};
    const char *text;
    int status;

    if (xds_feed_state(node->feed, &status, &text) == XDS_FEED_READY) {
        if (input.listen[0].family == 0)
            input.listen[0] = *xds_feed_address(node->feed);
        offer(node, XDS_CLUSTERS, &input);
        offer(node, XDS_ENDPOINTS, &input);
        node->has[XDS_LISTENERS] = false;
        if (has_all(&node->taken, &node->resources[XDS_CLUSTERS]))
            offer(node, XDS_LISTENERS, &input);
    }
    xds_node_wake(node);
}

void xds_node_took(struct xds_node *node, struct xds_names *names)
{
    xds_names_close(&node->taken);
    node->taken = *names;
    *names = (struct xds_names){0};
    xds_node_renew(node);
}

/* ---- what it follows ------------------------------------------------------ */

static void sub_free(struct xds_sub *sub)
{
    size_t i;

    for (i = 0; i < sub->name_count; i++)
        base_free(sub->names[i]);
    base_free(sub->names);
    base_free(sub->key);
    base_free(sub);
}

static bool wants_all(const struct xds_request *request)
{
    return request->name_count == 0 || strcmp(request->names[0], "*") == 0;
}

/* Names end with a NUL: no two lists make the same key. */
static void make_key(const struct xds_request *request, struct base_buf *key)
{
    size_t i;

    base_buf_append_u8(key, (uint8_t)request->type);
    for (i = 0; i < request->name_count && !wants_all(request); i++)
        base_buf_append(key, request->names[i], strlen(request->names[i]) + 1);
}

static struct xds_sub *sub_new(struct xds_node *node,
                               const struct xds_request *request,
                               const struct base_buf *key)
{
    struct xds_sub *sub;
    size_t i;

    BASE_NEW(sub);
    sub->type = request->type;
    if (!wants_all(request)) {
        sub->names = base_calloc(request->name_count, sizeof(*sub->names));
        sub->name_count = request->name_count;
        for (i = 0; i < sub->name_count; i++)
            sub->names[i] = base_strdup(request->names[i]);
    }
    sub->key = base_memdup(base_buf_data(key), base_buf_len(key));
    HASH_ADD_KEYPTR(hh, node->subs, sub->key, base_buf_len(key), sub);
    return sub;
}

struct xds_sub *xds_sub_of(struct xds_node *node,
                           const struct xds_request *request)
{
    struct base_buf key = BASE_BUF_INIT;
    struct xds_sub *sub;

    make_key(request, &key);
    HASH_FIND(hh, node->subs, base_buf_data(&key), base_buf_len(&key), sub);
    if (sub == NULL && HASH_COUNT(node->subs) < XDS_SUBS_MAX)
        sub = sub_new(node, request, &key);
    base_buf_close(&key);
    return sub;
}

void xds_subs_close(struct xds_node *node)
{
    struct xds_sub *sub, *next;

    HASH_ITER(hh, node->subs, sub, next)
    {
        HASH_DEL(node->subs, sub);
        sub_free(sub);
    }
}

/* ---- what it is offered --------------------------------------------------- */

static void take(EVP_MD_CTX *sha, struct base_buf *body,
                 const struct xds_resource *one)
{
    if (one == NULL)
        return;
    EVP_DigestUpdate(sha, one->text, strlen(one->text) + 1);
    if (body == NULL)
        return;
    if (base_buf_len(body) > 0)
        base_buf_append_u8(body, ',');
    base_buf_append(body, one->text, strlen(one->text));
}

void xds_sub_digest(const struct xds_node *node, const struct xds_sub *sub,
                    char digest[XDS_DIGEST_TEXT], struct base_buf *body)
{
    const struct xds_resources *all = &node->resources[sub->type];
    uint8_t hash[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *sha = EVP_MD_CTX_new();
    size_t i;

    EVP_DigestInit_ex(sha, EVP_sha256(), NULL);
    for (i = 0; sub->names == NULL && i < all->count; i++)
        take(sha, body, &all->items[i]);
    for (i = 0; i < sub->name_count; i++)
        take(sha, body, xds_resources_find(all, sub->names[i]));
    EVP_DigestFinal_ex(sha, hash, NULL);
    EVP_MD_CTX_free(sha);
    for (i = 0; i < (XDS_DIGEST_TEXT - 1) / 2; i++)
        snprintf(digest + 2 * i, 3, "%02x", hash[i]);
}
