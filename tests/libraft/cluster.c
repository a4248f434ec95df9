/* The simulated cluster: transport, state machine, checker. */
#include "cluster.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"

#define PORT 8300
#define PIECE_MAX 60000u

#define MUST(condition, ...)                                                 \
    do {                                                                     \
        if (!(condition)) {                                                  \
            fprintf(stderr, "broken at %" PRIu64 " ms: ",                    \
                    base_sim_now_ns(cluster->sim) / 1000000u);               \
            fprintf(stderr, __VA_ARGS__);                                    \
            fprintf(stderr, "\n");                                           \
            abort();                                                         \
        }                                                                    \
    } while (0)

/* ---- transport: a datagram is message(4) pieces(2) piece(2) sender(1) and
 * bytes. Pieces may overtake each other; a later long message drops an earlier
 * one that is not complete. ---- */

#define HEADER_BYTES 9u

static const struct cluster_server *find_server(const struct cluster *cluster,
                                                const char *id)
{
    unsigned i;

    for (i = 0; i < cluster->count; i++) {
        if (strcmp(cluster->servers[i].id, id) == 0)
            return &cluster->servers[i];
    }
    return NULL;
}

static int transport_send(void *ctx, const struct raft_server *to,
                          const void *data, size_t len)
{
    struct cluster_server *server = ctx;
    struct base_addr addr;
    size_t count = (len + PIECE_MAX - 1) / PIECE_MAX;
    size_t i;

    if (server->packets == NULL)
        return BASE_EUNREACH;
    /* One who has no configuration yet knows its leader's id only. */
    if (base_addr_parse(&addr, to->address, 0) < 0) {
        const struct cluster_server *known = find_server(server->cluster,
                                                         to->id);

        if (known == NULL)
            return BASE_EUNREACH;
        addr = known->addr;
    }
    server->message_number++;
    for (i = 0; i < count; i++) {
        size_t at = i * PIECE_MAX;
        size_t bytes = len - at < PIECE_MAX ? len - at : PIECE_MAX;
        struct base_buf packet = BASE_BUF_INIT;

        base_buf_append_u32be(&packet, server->message_number);
        base_buf_append_u16be(&packet, (uint16_t)count);
        base_buf_append_u16be(&packet, (uint16_t)i);
        base_buf_append_u8(&packet, (uint8_t)server->number);
        base_buf_append(&packet, (const uint8_t *)data + at, bytes);
        base_net_packets_send(server->net, server->packets, &addr,
                              base_buf_data(&packet), base_buf_len(&packet));
        base_buf_close(&packet);
    }
    return 0;
}

/* All pieces are of the full size but the last. */
static void gather_piece(struct cluster_server *server, unsigned sender,
                         uint32_t message, uint16_t count, uint16_t piece,
                         const struct base_cursor *rest)
{
    struct gathering *gathering = &server->gathering[sender];
    size_t len = base_cursor_left(rest);

    if (piece >= count || count > PIECES_MAX || len > PIECE_MAX ||
        (len < PIECE_MAX && piece + 1 < count))
        return;
    if (gathering->message != message) {
        base_free(gathering->bytes);
        *gathering = (struct gathering){.message = message};
        gathering->bytes = base_alloc((size_t)count * PIECE_MAX);
    }
    if (gathering->bytes == NULL || gathering->have[piece])
        return;
    gathering->have[piece] = true;
    gathering->count++;
    memcpy(gathering->bytes + (size_t)piece * PIECE_MAX, rest->at, len);
    if (piece + 1 == count)
        gathering->len = (size_t)piece * PIECE_MAX + len;
    if (gathering->count == count) {
        uint8_t *bytes = gathering->bytes;

        gathering->bytes = NULL;
        raft_node_receive(server->node, bytes, gathering->len);
        base_free(bytes);
    }
}

static void on_packet(void *arg, const struct base_addr *from,
                      const void *data, size_t len)
{
    struct cluster_server *server = arg;
    struct base_cursor cursor = base_cursor_of(data, len);
    uint32_t message = base_cursor_u32be(&cursor);
    uint16_t count = base_cursor_u16be(&cursor);
    uint16_t piece = base_cursor_u16be(&cursor);
    uint8_t sender = base_cursor_u8(&cursor);

    (void)from;
    if (cursor.failed || sender >= CLUSTER_MAX || server->node == NULL)
        return;
    if (count == 1)
        raft_node_receive(server->node, cursor.at, base_cursor_left(&cursor));
    else
        gather_piece(server, sender, message, count, piece, &cursor);
}

static const struct raft_transport_ops transport_ops = {
    .version = 1, .send = transport_send};

/* ---- the state machine ---- */

static void remember(struct cluster *cluster, const struct raft_entry *entry,
                     unsigned number)
{
    struct cluster_fact *fact;

    while (cluster->fact_cap <= entry->index) {
        raft_index cap = cluster->fact_cap == 0 ? 1024 : cluster->fact_cap * 2;

        cluster->facts = base_reallocarray(cluster->facts, (size_t)cap,
                                           sizeof(*cluster->facts));
        memset(cluster->facts + cluster->fact_cap, 0,
               (size_t)(cap - cluster->fact_cap) * sizeof(*cluster->facts));
        cluster->fact_cap = cap;
    }
    fact = &cluster->facts[entry->index];
    if (fact->term == 0)
        *fact = (struct cluster_fact){entry->term, entry->checksum};
    /* State Machine Safety. */
    MUST(fact->term == entry->term && fact->checksum == entry->checksum,
         "server %u applies another entry at %" PRIu64, number, entry->index);
    if (entry->index > cluster->fact_count)
        cluster->fact_count = entry->index;
}

static int fsm_apply(void *ctx, const struct raft_entry *entries, size_t count,
                     void **results)
{
    struct cluster_server *server = ctx;
    struct cluster *cluster = server->cluster;
    size_t i;

    (void)results;
    for (i = 0; i < count; i++) {
        MUST(entries[i].index > server->applied,
             "server %u applies %" PRIu64 " again", server->number,
             entries[i].index);
        remember(cluster, &entries[i], server->number);
        server->applied = entries[i].index;
        server->state_count++;
        server->state_sum =
            server->state_sum * 0x100000001b3ull + entries[i].checksum;
    }
    return 0;
}

/* An image: sum, count and applied, and ballast so that it takes chunks. */
struct image {
    uint64_t words[3];
    size_t at;
    size_t total;
};

#define BALLAST_BYTES (600u << 10)

static int fsm_snapshot(void *ctx, void **image)
{
    struct cluster_server *server = ctx;
    struct image *new_image;

    BASE_NEW(new_image);
    new_image->words[0] = server->state_sum;
    new_image->words[1] = server->state_count;
    new_image->words[2] = server->applied;
    new_image->total = sizeof(new_image->words) + BALLAST_BYTES;
    server->cluster->counts.snapshots++;
    *image = new_image;
    return 0;
}

static uint8_t image_byte(const struct image *image, size_t at)
{
    if (at < sizeof(image->words))
        return ((const uint8_t *)image->words)[at];
    return (uint8_t)(image->words[0] >> (at % 8 * 8));
}

static int fsm_snapshot_read(void *ctx, void *arg, size_t limit,
                             struct base_buf *out)
{
    struct image *image = arg;

    (void)ctx;
    while (limit-- > 0 && image->at < image->total)
        base_buf_append_u8(out, image_byte(image, image->at++));
    return image->at == image->total;
}

static void fsm_snapshot_free(void *ctx, void *image)
{
    (void)ctx;
    base_free(image);
}

struct restoring {
    struct image image;
    size_t at;
    bool bad;
};

static int fsm_restore_begin(void *ctx)
{
    struct cluster_server *server = ctx;

    base_free(server->restoring);
    BASE_NEW(server->restoring);
    return 0;
}

static int fsm_restore_write(void *ctx, const void *data, size_t len)
{
    struct cluster_server *server = ctx;
    struct restoring *restoring = server->restoring;
    const uint8_t *bytes = data;
    size_t i;

    for (i = 0; i < len; i++, restoring->at++) {
        if (restoring->at < sizeof(restoring->image.words))
            ((uint8_t *)restoring->image.words)[restoring->at] = bytes[i];
        else if (bytes[i] != image_byte(&restoring->image, restoring->at))
            restoring->bad = true;
    }
    return 0;
}

static int fsm_restore_end(void *ctx, bool ok)
{
    struct cluster_server *server = ctx;
    struct cluster *cluster = server->cluster;
    struct restoring *restoring = server->restoring;

    if (ok) {
        MUST(!restoring->bad && restoring->at == sizeof(restoring->image.words) +
                                                     BALLAST_BYTES,
             "server %u restores a damaged snapshot", server->number);
        server->state_sum = restoring->image.words[0];
        server->state_count = restoring->image.words[1];
        server->applied = restoring->image.words[2];
        cluster->counts.restores++;
    }
    base_free(restoring);
    server->restoring = NULL;
    return 0;
}

static const struct raft_fsm_ops fsm_ops = {
    .version = 1,
    .apply = fsm_apply,
    .snapshot = fsm_snapshot,
    .snapshot_read = fsm_snapshot_read,
    .snapshot_free = fsm_snapshot_free,
    .restore_begin = fsm_restore_begin,
    .restore_write = fsm_restore_write,
    .restore_end = fsm_restore_end};

/* ---- life ---- */

static void on_fatal(void *ctx, int err, const char *why)
{
    struct cluster_server *server = ctx;

    (void)err;
    (void)why;
    server->fatal = true;
}

static void link_between(void *arg, const struct base_sim_host *from,
                         const struct base_sim_host *to,
                         struct base_sim_link *link)
{
    struct cluster *cluster = arg;
    unsigned a = 0, b = 0, i;

    for (i = 0; i < cluster->count; i++) {
        if (cluster->servers[i].host == from)
            a = i;
        if (cluster->servers[i].host == to)
            b = i;
    }
    link->up = !cluster->cut[a][b];
    link->loss_ppm = cluster->loss_ppm;
    link->duplicate_ppm = cluster->duplicate_ppm;
    if (cluster->delay_max_us != 0)
        link->delay_max_us = cluster->delay_max_us;
}

static void boot(struct cluster *cluster, struct cluster_server *server)
{
    struct raft_node_config config = {0};

    server->env = base_sim_host_env(server->host, "main");
    server->net = base_sim_host_net(server->host, server->env);
    MUST(base_net_packets(server->net, &server->addr, on_packet, server,
                          &server->packets) == 0,
         "no socket");
    server->boots++;
    server->applied = 0;
    server->state_sum = 0;
    server->state_count = 0;
    server->role_seen = RAFT_FOLLOWER;
    server->last_seen = 0;
    server->last_term = 0;
    server->fatal = false;
    config.id = server->id;
    config.storage = raft_storage_memory_open(server->env, server->disk);
    config.transport.ops = &transport_ops;
    config.transport.ctx = server;
    config.fsm.ops = &fsm_ops;
    config.fsm.ctx = server;
    config.on_fatal = on_fatal;
    config.ctx = server;
    config.snapshot_threshold = cluster->snapshot_threshold;
    config.snapshot_trailing = cluster->snapshot_threshold / 4;
    MUST(raft_node_new(server->env, &config, &server->node) == 0, "no node");
}

static void on_done(void *arg, int status)
{
    *(int *)arg = status;
}

static bool is_ready(void *arg)
{
    return raft_node_is_ready(((struct cluster_server *)arg)->node);
}

static bool is_set(void *arg)
{
    return *(int *)arg != 1;
}

struct cluster *cluster_new_with(uint64_t seed, unsigned count,
                                 unsigned voters, uint32_t snapshot_threshold)
{
    struct cluster *cluster;
    unsigned i;

    BASE_NEW(cluster);
    cluster->sim = base_sim_new(seed);
    cluster->count = count;
    cluster->snapshot_threshold = snapshot_threshold;
    base_sim_set_link(cluster->sim, link_between, cluster);
    for (i = 0; i < count; i++) {
        struct cluster_server *server = &cluster->servers[i];
        char text[BASE_ADDR_TEXT_MAX];

        server->cluster = cluster;
        server->number = i;
        snprintf(server->id, sizeof(server->id), "s%u", i);
        snprintf(text, sizeof(text), "10.0.0.%u:%u", i + 1, PORT);
        base_addr_parse(&server->addr, text, 0);
        server->host =
            base_sim_host_new(cluster->sim, server->id, &server->addr, 1);
        server->disk = raft_memory_disk_new();
        cluster_server_entry(cluster, i, RAFT_VOTER,
                             &cluster->configuration.servers[i]);
        boot(cluster, server);
    }
    cluster->configuration.server_count = voters;
    for (i = 0; i < voters; i++) {
        struct cluster_server *server = &cluster->servers[i];
        int status = 1;

        base_sim_run_until_true(cluster->sim, is_ready, server, 1000);
        MUST(raft_node_bootstrap(server->node, &cluster->configuration,
                                 on_done, &status) == 0,
             "no bootstrap");
        base_sim_run_until_true(cluster->sim, is_set, &status, 1000);
        MUST(status == 0, "bootstrap said %d", status);
    }
    return cluster;
}

struct cluster *cluster_new(uint64_t seed, unsigned count, unsigned voters)
{
    return cluster_new_with(seed, count, voters, UINT32_MAX);
}

void cluster_server_entry(const struct cluster *cluster, unsigned server,
                          enum raft_suffrage suffrage,
                          struct raft_server *out)
{
    memset(out, 0, sizeof(*out));
    snprintf(out->id, sizeof(out->id), "%s", cluster->servers[server].id);
    base_addr_format(&cluster->servers[server].addr, out->address);
    out->suffrage = suffrage;
}

static void put_down(struct cluster_server *server)
{
    unsigned i;

    raft_node_free(server->node);
    server->node = NULL;
    if (server->packets != NULL)
        base_net_packets_close(server->net, server->packets);
    server->packets = NULL;
    base_free(server->restoring);
    server->restoring = NULL;
    for (i = 0; i < CLUSTER_MAX; i++) {
        base_free(server->gathering[i].bytes);
        server->gathering[i] = (struct gathering){0};
    }
}

void cluster_free(struct cluster *cluster)
{
    unsigned i;

    for (i = 0; i < cluster->count; i++) {
        /* As at a loss of power: no event comes to free what is under way. */
        base_sim_host_crash(cluster->servers[i].host);
        put_down(&cluster->servers[i]);
        raft_memory_disk_free(cluster->servers[i].disk);
    }
    base_sim_free(cluster->sim);
    base_free(cluster->facts);
    base_free(cluster->leaders);
    base_free(cluster);
}

void cluster_start(struct cluster *cluster, unsigned server)
{
    if (cluster->servers[server].node == NULL)
        boot(cluster, &cluster->servers[server]);
}

void cluster_crash(struct cluster *cluster, unsigned server)
{
    if (cluster->servers[server].node == NULL)
        return;
    cluster->counts.crashes++;
    base_sim_note(cluster->sim, "crash s%u", server);
    base_sim_host_crash(cluster->servers[server].host);
    put_down(&cluster->servers[server]);
}

void cluster_cut_one_way(struct cluster *cluster, unsigned from, unsigned to,
                         bool cut)
{
    cluster->cut[from][to] = cut;
}

void cluster_cut(struct cluster *cluster, unsigned a, unsigned b, bool cut)
{
    cluster->cut[a][b] = cut;
    cluster->cut[b][a] = cut;
}

void cluster_isolate(struct cluster *cluster, unsigned server, bool cut)
{
    unsigned i;

    for (i = 0; i < cluster->count; i++) {
        if (i != server)
            cluster_cut(cluster, server, i, cut);
    }
}

void cluster_heal(struct cluster *cluster)
{
    memset(cluster->cut, 0, sizeof(cluster->cut));
    cluster->loss_ppm = 0;
    cluster->duplicate_ppm = 0;
}

/* ---- the checker ---- */

const struct raft *cluster_core(const struct cluster *cluster, unsigned server)
{
    if (cluster->servers[server].node == NULL)
        return NULL;
    return raft_node_core(cluster->servers[server].node);
}

/* Leader Completeness: a leader's log holds everything that any server has
 * applied. Asked when it becomes one. */
static void check_completeness(struct cluster *cluster, unsigned number,
                               const struct raft *core)
{
    raft_index index;

    for (index = raft_first_index(core); index <= cluster->fact_count;
         index++) {
        const struct cluster_fact *fact = &cluster->facts[index];

        if (fact->term == 0)
            continue;
        MUST(index <= raft_last_index(core) &&
                 raft_term_at(core, index) == fact->term,
             "leader %u of term %" PRIu64 " lacks committed entry %" PRIu64,
             number, raft_current_term(core), index);
    }
    cluster->counts.leader_checks++;
}

static void check_leader(struct cluster *cluster, unsigned number,
                         const struct raft *core)
{
    raft_term term = raft_current_term(core);
    size_t i;

    for (i = 0; i < cluster->leader_count; i++) {
        if (cluster->leaders[i].term != term)
            continue;
        /* Election Safety. */
        MUST(cluster->leaders[i].server == number,
             "two leaders in term %" PRIu64 ": %u and %u", term,
             cluster->leaders[i].server, number);
        return;
    }
    if (cluster->leader_count == cluster->leader_cap) {
        cluster->leader_cap =
            cluster->leader_cap == 0 ? 64 : cluster->leader_cap * 2;
        cluster->leaders =
            base_reallocarray(cluster->leaders, cluster->leader_cap,
                              sizeof(*cluster->leaders));
    }
    cluster->leaders[cluster->leader_count].term = term;
    cluster->leaders[cluster->leader_count].server = number;
    cluster->leader_count++;
    cluster->counts.elections++;
    check_completeness(cluster, number, core);
}

/* Log Matching, where it would break first: at the last entries of two logs
 * that agree on a later one. */
static void check_matching(struct cluster *cluster, const struct raft *a,
                           const struct raft *b)
{
    raft_index last = raft_last_index(a) < raft_last_index(b)
                          ? raft_last_index(a)
                          : raft_last_index(b);
    raft_index first = raft_first_index(a) > raft_first_index(b)
                           ? raft_first_index(a)
                           : raft_first_index(b);
    raft_index looked = 0;
    bool agreed = false;

    while (last >= first && last > 0 && looked < 20) {
        const struct raft_entry *left = raft_entry_at(a, last);
        const struct raft_entry *right = raft_entry_at(b, last);

        if (left == NULL || right == NULL)
            return;
        MUST(left->term != right->term || left->checksum == right->checksum,
             "logs differ within a term at %" PRIu64, last);
        MUST(!agreed || left->term == right->term,
             "logs agree after %" PRIu64 " and not there", last);
        agreed = left->term == right->term;
        last--;
        looked++;
    }
}

void cluster_check(struct cluster *cluster)
{
    unsigned i, j;

    for (i = 0; i < cluster->count; i++) {
        struct cluster_server *server = &cluster->servers[i];
        const struct raft *core = cluster_core(cluster, i);

        if (core == NULL || !raft_node_is_ready(server->node))
            continue;
        if (raft_role(core) == RAFT_LEADER)
            check_leader(cluster, i, core);
        if (server->last_seen >= raft_first_index(core) &&
            raft_term_at(core, server->last_seen) != server->last_term)
            cluster->counts.truncations++;
        if (raft_last_index(core) != server->last_seen) {
            for (j = 0; j < cluster->count; j++) {
                const struct raft *other = cluster_core(cluster, j);

                if (j != i && other != NULL)
                    check_matching(cluster, core, other);
            }
        }
        server->last_seen = raft_last_index(core);
        server->last_term = raft_term_at(core, server->last_seen);
    }
}

/* ---- running ---- */

bool cluster_run_until(struct cluster *cluster, bool (*done)(void *arg),
                       void *arg, uint64_t within_ms)
{
    uint64_t until = base_sim_now_ns(cluster->sim) + within_ms * 1000000u;

    while (done == NULL || !done(arg)) {
        if (base_sim_now_ns(cluster->sim) >= until)
            return done == NULL;
        if (base_sim_step(cluster->sim))
            cluster_check(cluster);
        else /* everybody is down: only time passes */
            base_sim_run_until(cluster->sim, until);
    }
    return true;
}

void cluster_run_ms(struct cluster *cluster, uint64_t duration_ms)
{
    cluster_run_until(cluster, NULL, NULL, duration_ms);
}

int cluster_leader(const struct cluster *cluster)
{
    raft_term best = 0;
    int leader = -1;
    unsigned i;

    for (i = 0; i < cluster->count; i++) {
        const struct raft *core = cluster_core(cluster, i);

        if (core == NULL || cluster->servers[i].fatal ||
            raft_role(core) != RAFT_LEADER || raft_current_term(core) < best)
            continue;
        best = raft_current_term(core);
        leader = (int)i;
    }
    return leader;
}

static bool has_leader(void *arg)
{
    return cluster_leader(arg) >= 0;
}

bool cluster_run_until_leader(struct cluster *cluster, uint64_t within_ms)
{
    return cluster_run_until(cluster, has_leader, cluster, within_ms);
}

static void on_proposed(void *arg, int status, raft_index index, void *result)
{
    struct cluster *cluster = arg;

    (void)result;
    if (status == 0) {
        cluster->counts.acked++;
        if (index > cluster->acked_max)
            cluster->acked_max = index;
    }
    cluster->proposals_open--;
}

int cluster_propose(struct cluster *cluster, unsigned server, size_t len)
{
    uint8_t *data;
    size_t i;
    int rv;

    if (cluster->servers[server].node == NULL)
        return RAFT_ESTOPPED;
    data = base_alloc(len + 1);
    for (i = 0; i < len; i++)
        data[i] = (uint8_t)base_sim_random_below(cluster->sim, 256);
    rv = raft_node_propose(cluster->servers[server].node, data, len,
                           on_proposed, cluster);
    if (rv == 0)
        cluster->proposals_open++;
    base_free(data);
    return rv;
}

struct acked_wait {
    struct cluster *cluster;
    uint64_t wanted;
};

static bool all_acked(void *arg)
{
    struct acked_wait *wait = arg;

    return wait->cluster->counts.acked >= wait->wanted;
}

bool cluster_commit(struct cluster *cluster, unsigned count,
                    uint64_t within_ms)
{
    struct acked_wait wait = {cluster, cluster->counts.acked + count};
    uint64_t until = base_sim_now_ns(cluster->sim) + within_ms * 1000000u;

    while (cluster->counts.acked < wait.wanted &&
           base_sim_now_ns(cluster->sim) < until) {
        uint64_t left = wait.wanted - cluster->counts.acked;
        int leader = cluster_leader(cluster);

        while (leader >= 0 && left-- > 0)
            (void)cluster_propose(cluster, (unsigned)leader, 32);
        cluster_run_until(cluster, all_acked, &wait, 500);
    }
    return cluster->counts.acked >= wait.wanted;
}

bool cluster_converged(const struct cluster *cluster)
{
    const struct cluster_server *first = NULL;
    const struct raft_configuration *members;
    int leader = cluster_leader(cluster);
    unsigned i;

    if (leader < 0)
        return false;
    members = raft_node_configuration(cluster->servers[leader].node);
    for (i = 0; i < cluster->count; i++) {
        const struct cluster_server *server = &cluster->servers[i];

        if (server->node == NULL ||
            raft_configuration_find(members, server->id) == NULL)
            continue;
        if (first == NULL)
            first = server;
        if (server->state_count != first->state_count ||
            server->state_sum != first->state_sum ||
            server->applied < cluster->acked_max)
            return false;
    }
    return first != NULL;
}

static bool converged(void *arg)
{
    return cluster_converged(arg);
}

bool cluster_run_until_converged(struct cluster *cluster, uint64_t within_ms)
{
    return cluster_run_until(cluster, converged, cluster, within_ms);
}
