/*
 * The canonical form of a record (federation.md section 6, same-ness): a deep
 * copy, cleared of what is not compared, sorted where order has no meaning, and
 * packed. Tags keep their order: there it may mean something.
 */
#include "canonical.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/pb.h"

static const char *text(const char *string)
{
    return string != NULL ? string : "";
}

/* The last word where names tie: the packed bytes. */
static int compare_packed(const void *a, const void *b)
{
    struct base_buf left = BASE_BUF_INIT;
    struct base_buf right = BASE_BUF_INIT;
    size_t len;
    int order;

    base_pb_pack(a, &left);
    base_pb_pack(b, &right);
    len = base_buf_len(&left) < base_buf_len(&right) ? base_buf_len(&left)
                                                     : base_buf_len(&right);
    order = memcmp(base_buf_data(&left), base_buf_data(&right), len);
    if (order == 0 && base_buf_len(&left) != base_buf_len(&right))
        order = base_buf_len(&left) < base_buf_len(&right) ? -1 : 1;
    base_buf_close(&left);
    base_buf_close(&right);
    return order;
}

static int compare_gateways(const void *left, const void *right)
{
    const Fedstate__CheckServiceNode *a =
        *(Fedstate__CheckServiceNode *const *)left;
    const Fedstate__CheckServiceNode *b =
        *(Fedstate__CheckServiceNode *const *)right;
    int order = strcmp(a->node != NULL ? text(a->node->node) : "",
                       b->node != NULL ? text(b->node->node) : "");

    if (order == 0)
        order = strcmp(a->service != NULL ? text(a->service->id) : "",
                       b->service != NULL ? text(b->service->id) : "");
    return order != 0 ? order : compare_packed(a, b);
}

static int compare_checks(const void *left, const void *right)
{
    const Fedstate__Check *a = *(Fedstate__Check *const *)left;
    const Fedstate__Check *b = *(Fedstate__Check *const *)right;
    int order = strcmp(text(a->check_id), text(b->check_id));

    return order != 0 ? order : compare_packed(a, b);
}

static int compare_pairs(const void *left, const void *right)
{
    const Fedstate__Pair *a = *(Fedstate__Pair *const *)left;
    const Fedstate__Pair *b = *(Fedstate__Pair *const *)right;
    int order = strcmp(text(a->key), text(b->key));

    return order != 0 ? order : strcmp(text(a->value), text(b->value));
}

static int compare_addresses(const void *left, const void *right)
{
    const Fedstate__TaggedAddress *a =
        *(Fedstate__TaggedAddress *const *)left;
    const Fedstate__TaggedAddress *b =
        *(Fedstate__TaggedAddress *const *)right;
    int order = strcmp(text(a->tag), text(b->tag));

    return order != 0 ? order : compare_packed(a, b);
}

/* Any array of messages of one record. */
static void sort(void *array, size_t count,
                 int (*compare)(const void *, const void *))
{
    if (count > 1)
        qsort(array, count, sizeof(void *), compare);
}

static void settle_node(Fedstate__Node *node)
{
    node->create_index = 0;
    node->modify_index = 0;
    sort(node->tagged_addresses, node->n_tagged_addresses, compare_pairs);
    sort(node->meta, node->n_meta, compare_pairs);
}

static void settle_service(Fedstate__Service *service)
{
    service->create_index = 0;
    service->modify_index = 0;
    sort(service->tagged_addresses, service->n_tagged_addresses,
         compare_addresses);
    sort(service->meta, service->n_meta, compare_pairs);
}

static void settle_gateway(Fedstate__CheckServiceNode *gateway,
                           bool ignore_output)
{
    size_t i;

    if (gateway->node != NULL)
        settle_node(gateway->node);
    if (gateway->service != NULL)
        settle_service(gateway->service);
    for (i = 0; i < gateway->n_checks; i++) {
        Fedstate__Check *check = gateway->checks[i];

        check->create_index = 0;
        check->modify_index = 0;
        /* The copy owns its text: cut it there. What was empty is shared. */
        if (ignore_output && check->output[0] != '\0')
            check->output[0] = '\0';
    }
    sort(gateway->checks, gateway->n_checks, compare_checks);
}

void fedstate_canonical(const Fedstate__FederationState *state,
                        bool ignore_output, struct base_buf *out)
{
    Fedstate__FederationState *copy = base_pb_dup(state);
    size_t i;

    copy->updated_at_ns = 0;
    copy->primary_modify_index = 0;
    copy->create_index = 0;
    copy->modify_index = 0;
    copy->operator_owned = false;
    for (i = 0; i < copy->n_mesh_gateways; i++)
        settle_gateway(copy->mesh_gateways[i], ignore_output);
    sort(copy->mesh_gateways, copy->n_mesh_gateways, compare_gateways);
    base_pb_pack(copy, out);
    base_pb_free(copy);
}
