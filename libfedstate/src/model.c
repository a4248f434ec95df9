/*
 * Questions about one record. Everything here may have come from another
 * datacenter, so no field is taken to be there or to make sense.
 */
#include "fedstate/model.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "canonical.h"
#include "fedstate/error.h"
#include "internal.h"

bool fedstate_same(const Fedstate__FederationState *a,
                   const Fedstate__FederationState *b, bool ignore_output)
{
    struct base_buf left = BASE_BUF_INIT;
    struct base_buf right = BASE_BUF_INIT;
    bool same;

    fedstate_canonical(a, ignore_output, &left);
    fedstate_canonical(b, ignore_output, &right);
    same = base_buf_len(&left) == base_buf_len(&right) &&
           memcmp(base_buf_data(&left), base_buf_data(&right),
                  base_buf_len(&left)) == 0;
    base_buf_close(&left);
    base_buf_close(&right);
    return same;
}

int fedstate_dc_compare(const char *a, const char *b)
{
    return strcasecmp(a != NULL ? a : "", b != NULL ? b : "");
}

const char *fedstate_pair(Fedstate__Pair *const *pairs, size_t count,
                          const char *key)
{
    size_t i;

    for (i = 0; i < count; i++)
        if (pairs[i]->key != NULL && strcmp(pairs[i]->key, key) == 0)
            return pairs[i]->value != NULL ? pairs[i]->value : "";
    return NULL;
}

bool fedstate_gateway_usable(const Fedstate__CheckServiceNode *gateway)
{
    const char *federation;
    size_t i;

    if (gateway->service == NULL)
        return false;
    federation = fedstate_pair(gateway->service->meta, gateway->service->n_meta,
                               FEDSTATE_META_FEDERATION);
    if (federation == NULL || strcmp(federation, "1") != 0)
        return false;
    for (i = 0; i < gateway->n_checks; i++) {
        const char *status = gateway->checks[i]->status;

        if (status != NULL && strcmp(status, "critical") == 0)
            return false;
    }
    return true;
}

/* An IP that can be dialled, with a port. */
static bool take(const char *ip, uint32_t port, struct base_addr *out)
{
    struct base_addr addr;

    if (ip == NULL || ip[0] == '\0' || port == 0 || port > UINT16_MAX ||
        base_addr_parse_ip(&addr, ip) < 0 || base_addr_is_any(&addr))
        return false;
    addr.port = (uint16_t)port;
    *out = addr;
    return true;
}

static bool take_tagged(const Fedstate__Service *service, const char *tag,
                        struct base_addr *out)
{
    size_t i;

    for (i = 0; i < service->n_tagged_addresses; i++) {
        const Fedstate__TaggedAddress *tagged = service->tagged_addresses[i];
        uint32_t port;

        if (tagged->address == NULL || tagged->tag == NULL ||
            strcmp(tagged->tag, tag) != 0)
            continue;
        port = tagged->address->port;
        return take(tagged->address->address, port != 0 ? port : service->port,
                    out);
    }
    return false;
}

bool fedstate_gateway_addr(const Fedstate__CheckServiceNode *gateway, bool wan,
                           struct base_addr *out)
{
    const Fedstate__Service *service = gateway->service;
    const Fedstate__Node *node = gateway->node;
    const char *tag = wan ? "wan" : "lan";

    if (service == NULL)
        return false;
    if (take_tagged(service, tag, out) ||
        take(service->address, service->port, out))
        return true;
    if (node == NULL)
        return false;
    return take(fedstate_pair(node->tagged_addresses, node->n_tagged_addresses,
                              tag),
                service->port, out) ||
           take(node->address, service->port, out);
}

/* Section 2: 1 to 63 of [a-z0-9-], no '-' at either end. */
static bool is_dc_name(const char *name)
{
    size_t len = strlen(name);

    return len >= 1 && len <= FEDSTATE_DC_BYTES_MAX && name[0] != '-' &&
           name[len - 1] != '-' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

static const char *check_gateway(const Fedstate__CheckServiceNode *gateway)
{
    if (gateway->node == NULL || gateway->node->node == NULL ||
        gateway->node->node[0] == '\0')
        return "a mesh gateway without a node name";
    if (gateway->service == NULL)
        return "a mesh gateway without a service";
    if (gateway->service->kind == NULL ||
        strcmp(gateway->service->kind, FEDSTATE_KIND_GATEWAY) != 0)
        return "a service that is not of kind mesh-gateway";
    return NULL;
}

static int refuse(int err, const char *words, const char **why)
{
    if (why != NULL)
        *why = words;
    return err;
}

int fedstate_check(const Fedstate__FederationState *state, const char **why)
{
    size_t i;

    if (state == NULL || state->datacenter == NULL ||
        state->datacenter[0] == '\0')
        return refuse(FEDSTATE_ENODC, fedstate_strerror(FEDSTATE_ENODC), why);
    if (!is_dc_name(state->datacenter))
        return refuse(FEDSTATE_EINVAL,
                      "a datacenter's name is 1 to 63 of a-z, 0-9 and '-', "
                      "with no '-' at either end",
                      why);
    if (state->n_mesh_gateways > FEDSTATE_GATEWAYS_MAX)
        return refuse(FEDSTATE_EINVAL,
                      "more than 1,024 mesh gateways in one datacenter", why);
    for (i = 0; i < state->n_mesh_gateways; i++) {
        const char *words = check_gateway(state->mesh_gateways[i]);

        if (words != NULL)
            return refuse(FEDSTATE_EINVAL, words, why);
    }
    return 0;
}
