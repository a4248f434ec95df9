/*
 * The table of peers by WAN name: found or made at a packet, bounded, and swept
 * once a second for connections without use (federation.md section 5).
 */
#include <ctype.h>
#include <string.h>

#include "base/error.h"
#include "peer.h"

#define RENEW_AFTER_MS 10000u

/* Each packet of one connection may have gone into a void that shows no end
 * (a gateway's host lost power): what gossip suspects is not trusted, and the
 * next packet dials anew, by another gateway if there is one. */
static bool is_doubted(const struct wanfed_peer *peer)
{
    struct gossip_memberlist *memberlist = peer->transport->memberlist;
    struct gossip_node node;

    if (memberlist == NULL ||
        !gossip_memberlist_find(memberlist, peer->name, &node))
        return false;
    return node.state != GOSSIP_ALIVE &&
           node.state_change_ms > peer->opened_ms;
}

static struct wanfed_peer *find(struct wanfed_transport *transport,
                                const char *name, char key[WANFED_NAME_BYTES])
{
    struct wanfed_peer *peer;
    size_t len = strlen(name);
    size_t i;

    for (i = 0; i < len && i < WANFED_NAME_BYTES - 1; i++)
        key[i] = (char)tolower((unsigned char)name[i]);
    key[i] = '\0';
    HASH_FIND(hh, transport->peers, key, i, peer);
    return peer;
}

bool wanfed_peers_gateway(struct wanfed_transport *transport, const char *name,
                          struct base_addr *out)
{
    char key[WANFED_NAME_BYTES];
    const struct wanfed_peer *peer = find(transport, name, key);

    if (peer == NULL || peer->state != WANFED_PEER_UP)
        return false;
    *out = peer->stream->peer;
    return true;
}

void wanfed_peers_heard(struct wanfed_transport *transport, const char *key,
                        bool again)
{
    uint64_t now = base_env_now_ms(transport->env);
    struct wanfed_peer *peer;

    HASH_FIND(hh, transport->peers, key, strlen(key), peer);
    if (peer == NULL)
        return;
    wanfed_peer_retry(peer);
    /* Not one that is young: that may be the answer to our own new connection,
     * and two peers would renew for ever. */
    if (again && peer->state == WANFED_PEER_UP &&
        now - peer->opened_ms > RENEW_AFTER_MS && peer->queue.count == 0)
        wanfed_peer_hang_up(peer);
}

static void forget(struct wanfed_peer *peer)
{
    struct wanfed_transport *transport = peer->transport;

    HASH_DEL(transport->peers, peer);
    transport->peer_count--;
    base_gauge_set(transport->counters.peers, (int64_t)transport->peer_count);
    wanfed_peer_free(peer);
}

/* The one that was not asked for the longest, among those that hold nothing. */
static bool forget_idle(struct wanfed_transport *transport)
{
    struct wanfed_peer *oldest = NULL;
    struct wanfed_peer *peer;
    struct wanfed_peer *next;

    HASH_ITER(hh, transport->peers, peer, next)
    {
        if (peer->state == WANFED_PEER_IDLE &&
            (oldest == NULL || peer->asked_ms < oldest->asked_ms))
            oldest = peer;
    }
    if (oldest != NULL)
        forget(oldest);
    return oldest != NULL;
}

static struct wanfed_peer *find_or_make(struct wanfed_transport *transport,
                                        const char *name, const char *node,
                                        const char *dc)
{
    char key[WANFED_NAME_BYTES];
    struct wanfed_peer *peer = find(transport, name, key);

    if (peer != NULL)
        return peer;
    if (transport->peer_count >= transport->config.peers_max &&
        !forget_idle(transport))
        return NULL;
    peer = wanfed_peer_new(transport, key, name, node, dc);
    HASH_ADD_KEYPTR(hh, transport->peers, peer->key, strlen(peer->key), peer);
    transport->peer_count++;
    base_gauge_set(transport->counters.peers, (int64_t)transport->peer_count);
    wanfed_need_sweep(transport);
    return peer;
}

int wanfed_peers_send(struct wanfed_transport *transport, const char *name,
                      const char *node, const char *dc, const void *data,
                      size_t len)
{
    struct wanfed_peer *peer = find_or_make(transport, name, node, dc);

    if (peer == NULL) {
        base_counter_add(transport->counters.refused_peers, 1);
        return BASE_EFULL;
    }
    return wanfed_peer_send(peer, data, len);
}

int wanfed_peers_warm(struct wanfed_transport *transport, const char *name,
                      const char *node, const char *dc)
{
    struct wanfed_peer *peer = find_or_make(transport, name, node, dc);

    if (peer == NULL)
        return BASE_EFULL;
    wanfed_peer_warm(peer);
    return 0;
}

void wanfed_peers_sweep(struct wanfed_transport *transport)
{
    uint64_t now = base_env_now_ms(transport->env);
    struct wanfed_peer *peer;
    struct wanfed_peer *next;

    HASH_ITER(hh, transport->peers, peer, next)
    {
        bool idle =
            now - peer->asked_ms >= transport->config.idle_timeout_ms;
        bool up = peer->state == WANFED_PEER_UP;

        if (up && !idle && is_doubted(peer)) {
            base_counter_add(transport->counters.closed_doubted, 1);
            wanfed_peer_hang_up(peer);
        } else if (idle && (up || peer->state == WANFED_PEER_IDLE)) {
            forget(peer);
        }
    }
}

void wanfed_peers_retry(struct wanfed_transport *transport)
{
    struct wanfed_peer *peer;
    struct wanfed_peer *next;

    HASH_ITER(hh, transport->peers, peer, next)
    {
        wanfed_peer_retry(peer);
    }
}

void wanfed_peers_renew(struct wanfed_transport *transport,
                        rpc_is_way_fn is_way, void *arg)
{
    struct wanfed_peer *peer;
    struct wanfed_peer *next;

    HASH_ITER(hh, transport->peers, peer, next)
    {
        if (peer->state == WANFED_PEER_UP &&
            !is_way(arg, peer->dc, &peer->stream->peer))
            wanfed_peer_hang_up(peer);
    }
}

void wanfed_peers_close(struct wanfed_transport *transport)
{
    struct wanfed_peer *peer;
    struct wanfed_peer *next;

    HASH_ITER(hh, transport->peers, peer, next)
    {
        forget(peer);
    }
}
