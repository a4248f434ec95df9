/*
 * What is there: services sorted by id, each with its checks and their timers.
 * Every change is handed to the files and to the sync.
 */
#include "agent/local_state.h"

#include <string.h>

#include "agent/local_private.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/pb.h"

#define ID_BYTES_MAX 1024u

/* ---- finding -------------------------------------------------------------- */

static size_t place(const struct local_state *local, const char *id,
                    bool *found)
{
    size_t low = 0, high = local->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(local->entries[middle]->service->id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = low < local->count &&
             strcmp(local->entries[low]->service->id, id) == 0;
    return low;
}

struct local_entry *local_find(const struct local_state *local,
                               const char *service_id)
{
    bool found;
    size_t at = place(local, service_id, &found);

    return found ? local->entries[at] : NULL;
}

struct local_entry *local_find_check(const struct local_state *local,
                                     const char *check_id, size_t *at)
{
    size_t i, j;

    for (i = 0; i < local->count; i++)
        for (j = 0; j < local->entries[i]->check_count; j++)
            if (strcmp(local->entries[i]->checks[j]->check_id, check_id) ==
                0) {
                *at = j;
                return local->entries[i];
            }
    return NULL;
}

/* ---- what left ------------------------------------------------------------ */

void local_mark_gone(struct local_state *local, const char *service_id,
                     const char *check_id)
{
    struct local_gone *gone;
    size_t i;

    for (i = 0; i < local->gone_count; i++)
        if (service_id ? local->gone[i].service_id &&
                             strcmp(local->gone[i].service_id, service_id) == 0
                       : local->gone[i].check_id &&
                             strcmp(local->gone[i].check_id, check_id) == 0)
            return;
    local->gone = base_reallocarray(local->gone, local->gone_count + 1,
                                    sizeof(*local->gone));
    gone = &local->gone[local->gone_count++];
    gone->service_id = base_strdup(service_id);
    gone->check_id = service_id ? NULL : base_strdup(check_id);
}

void local_forget_gone(struct local_state *local, size_t at)
{
    base_free(local->gone[at].service_id);
    base_free(local->gone[at].check_id);
    local->gone[at] = local->gone[--local->gone_count];
}

/* It is back: it must not be taken out of the catalog again. */
static void unmark(struct local_state *local, const struct local_entry *entry)
{
    size_t i = 0, j;

    while (i < local->gone_count) {
        const struct local_gone *gone = &local->gone[i];
        bool back = gone->service_id &&
                    strcmp(gone->service_id, entry->service->id) == 0;

        for (j = 0; j < entry->check_count && !back; j++)
            back = gone->check_id &&
                   strcmp(gone->check_id, entry->checks[j]->check_id) == 0;
        if (back)
            local_forget_gone(local, i);
        else
            i++;
    }
}

/* ---- checks --------------------------------------------------------------- */

static void set_text(char **field, const char *text)
{
    char *copy = base_strndup(text, strnlen(text, LOCAL_OUTPUT_BYTES_MAX));

    if (*field != protobuf_c_empty_string)
        base_free(*field);
    *field = copy;
}

static void tell(const struct local_state *local)
{
    if (local->changed)
        local->changed(local->changed_ctx);
}

static void changed(struct local_entry *entry, bool output_alone)
{
    struct local_state *local = entry->local;

    entry->version = ++local->versions;
    tell(local);
    if (!output_alone) {
        entry->dirty = true;
        local_files_keep(entry);
        local_sync_soon(local);
        return;
    }
    /* Federation.md section 6: chatty checks cost no writes. */
    entry->output_dirty = true;
    if (!entry->dirty && !base_timer_is_running(&entry->output_timer))
        base_timer_start_ms(&entry->output_timer,
                            local->check_update_interval_ms);
}

void local_set_check(struct local_entry *entry, size_t at, const char *status,
                     const char *output)
{
    Fedstate__Check *check = entry->checks[at];
    bool same_status = strcmp(check->status, status) == 0;

    if (same_status && strcmp(check->output, output) == 0)
        return;
    set_text(&check->status, status);
    set_text(&check->output, output);
    changed(entry, same_status);
}

static void on_output_due(void *arg)
{
    struct local_entry *entry = arg;

    if (!entry->output_dirty)
        return;
    entry->dirty = true;
    local_files_keep(entry);
    local_sync_soon(entry->local);
}

int local_state_check(struct local_state *local, const char *check_id,
                      const char *status, const char *output)
{
    size_t at;
    struct local_entry *entry = local_find_check(local, check_id, &at);
    char *text;

    if (strcmp(status, "passing") != 0 && strcmp(status, "warning") != 0 &&
        strcmp(status, "critical") != 0)
        return BASE_EINVAL;
    if (entry == NULL)
        return BASE_ENOTFOUND;
    if (entry->state[at].run)
        return BASE_EINVAL;
    text = base_strndup(output, strnlen(output, LOCAL_OUTPUT_BYTES_MAX));
    local_set_check(entry, at, status, text);
    base_free(text);
    local_checks_said(&entry->state[at]);
    return 0;
}

/* ---- entries -------------------------------------------------------------- */

static void entry_free(struct local_entry *entry)
{
    size_t i;

    base_timer_stop(&entry->output_timer);
    local_checks_stop(entry);
    for (i = 0; i < entry->check_count; i++)
        base_pb_free(entry->checks[i]);
    base_free(entry->state);
    base_free(entry->checks);
    base_pb_free(entry->service);
    base_free(entry);
}

/* The record belongs to this node and this service, whatever it said. */
static Fedstate__Check *own_check(const struct local_state *local,
                                  const Fedstate__Service *service,
                                  const Fedstate__Check *check)
{
    Fedstate__Check own = *check;

    own.node = local->node->node;
    own.service_id = service->id;
    own.service_name = service->service;
    own.create_index = own.modify_index = 0;
    return base_pb_dup(&own);
}

static struct local_entry *entry_new(struct local_state *local,
                                     const Fedstate__Service *service,
                                     Fedstate__Check *const *checks,
                                     const struct check_spec *specs,
                                     size_t count)
{
    struct local_entry *entry;
    size_t i;

    BASE_NEW(entry);
    entry->local = local;
    entry->service = base_pb_dup(service);
    entry->service->create_index = entry->service->modify_index = 0;
    entry->checks = base_calloc(count + 1, sizeof(*entry->checks));
    entry->state = base_calloc(count + 1, sizeof(*entry->state));
    entry->check_count = count;
    base_timer_init(&entry->output_timer, local->env, "check-output",
                    on_output_due, entry);
    for (i = 0; i < count; i++)
        entry->checks[i] = own_check(local, service, checks[i]);
    local_checks_start(entry, specs);
    return entry;
}

static void insert(struct local_state *local, size_t at,
                   struct local_entry *entry)
{
    local->entries = base_reallocarray(local->entries, local->count + 1,
                                       sizeof(*local->entries));
    memmove(local->entries + at + 1, local->entries + at,
            (local->count - at) * sizeof(*local->entries));
    local->entries[at] = entry;
    local->count++;
}

static bool is_id(const char *text)
{
    return *text != '\0' && strlen(text) <= ID_BYTES_MAX;
}

/* Check ids are unique on a node. */
static int check_ids(const struct local_state *local,
                     const Fedstate__Service *service,
                     Fedstate__Check *const *checks, size_t count)
{
    size_t i, j, at;

    for (i = 0; i < count; i++) {
        const struct local_entry *owner;

        if (!is_id(checks[i]->check_id) || *checks[i]->status == '\0')
            return BASE_EINVAL;
        owner = local_find_check(local, checks[i]->check_id, &at);
        if (strcmp(checks[i]->check_id, LOCAL_CHECK_RESERVED) == 0 ||
            (owner && strcmp(owner->service->id, service->id) != 0))
            return BASE_EEXIST;
        for (j = 0; j < i; j++)
            if (strcmp(checks[j]->check_id, checks[i]->check_id) == 0)
                return BASE_EEXIST;
    }
    return 0;
}

static int validate(const struct local_state *local,
                    const Fedstate__Service *service,
                    Fedstate__Check *const *checks, size_t count)
{
    /* The node's own checks are those of a service without id and name. */
    if ((*service->id != '\0' || *service->service != '\0') &&
        (!is_id(service->id) || !is_id(service->service)))
        return BASE_EINVAL;
    if (strcmp(service->id, LOCAL_SERVICE_RESERVED) == 0)
        return BASE_EEXIST;
    if (count > LOCAL_CHECKS_MAX || (local->count >= LOCAL_SERVICES_MAX &&
                                     local_find(local, service->id) == NULL))
        return BASE_EFULL;
    return check_ids(local, service, checks, count);
}

static bool has_check(const struct local_entry *entry, const char *check_id)
{
    size_t i;

    for (i = 0; i < entry->check_count; i++)
        if (strcmp(entry->checks[i]->check_id, check_id) == 0)
            return true;
    return false;
}

/* A check that is registered again goes on from where it was, whatever Status
 * the form had: nothing flaps because somebody repeats himself. So Consul. */
static void go_on(struct local_entry *entry, const struct local_entry *old)
{
    size_t i, j;

    for (i = 0; i < entry->check_count; i++)
        for (j = 0; j < old->check_count; j++) {
            const Fedstate__Check *before = old->checks[j];

            if (strcmp(entry->checks[i]->check_id, before->check_id) != 0 ||
                strcmp(entry->checks[i]->type, before->type) != 0)
                continue;
            set_text(&entry->checks[i]->status, before->status);
            set_text(&entry->checks[i]->output, before->output);
        }
}

/* Takes old out for entry: its checks that are not there any more go. */
static void replace(struct local_state *local, size_t at,
                    struct local_entry *entry)
{
    struct local_entry *old = local->entries[at];
    size_t i;

    go_on(entry, old);
    for (i = 0; i < old->check_count; i++)
        if (!has_check(entry, old->checks[i]->check_id))
            local_mark_gone(local, NULL, old->checks[i]->check_id);
    entry->keeping = old->keeping; /* its file is the same */
    entry->unkept_since = old->unkept_since;
    local->entries[at] = entry;
    entry_free(old);
}

static int put(struct local_state *local, const Fedstate__Service *service,
               Fedstate__Check *const *checks, const struct check_spec *specs,
               size_t check_count)
{
    struct local_entry *entry;
    bool found;
    size_t at;
    int rv = validate(local, service, checks, check_count);

    if (rv != 0)
        return rv;
    entry = entry_new(local, service, checks, specs, check_count);
    at = place(local, service->id, &found);
    if (found)
        replace(local, at, entry);
    else
        insert(local, at, entry);
    unmark(local, entry);
    changed(entry, false);
    return 0;
}

int local_state_register(struct local_state *local,
                         const Fedstate__Service *service,
                         Fedstate__Check *const *checks,
                         const struct check_spec *specs, size_t check_count)
{
    if (*service->id == '\0')
        return BASE_EINVAL;
    return put(local, service, checks, specs, check_count);
}

/* The entry as it is, but for one check, with which it ends if one is given. */
static int put_but(struct local_state *local, const struct local_entry *entry,
                   const char *check_id, const Fedstate__Check *check,
                   const struct check_spec *spec)
{
    Fedstate__Service node = FEDSTATE__SERVICE__INIT;
    size_t old = entry ? entry->check_count : 0, count = 0, i;
    Fedstate__Check **checks = base_calloc(old + 1, sizeof(*checks));
    struct check_spec *specs = base_calloc(old + 1, sizeof(*specs));
    int rv;

    for (i = 0; i < old; i++)
        if (strcmp(entry->checks[i]->check_id, check_id) != 0) {
            checks[count] = entry->checks[i];
            specs[count++] = entry->state[i].spec;
        }
    if (check) {
        checks[count] = (Fedstate__Check *)(uintptr_t)check;
        specs[count++] = *spec;
    }
    rv = put(local, entry ? entry->service : &node, checks, specs, count);
    base_free(checks);
    base_free(specs);
    return rv;
}

int local_state_put_check(struct local_state *local, const char *service_id,
                          const Fedstate__Check *check,
                          const struct check_spec *spec)
{
    const struct local_entry *entry = local_find(local, service_id);

    if (entry == NULL && *service_id != '\0')
        return BASE_ENOTFOUND;
    return put_but(local, entry, check->check_id, check, spec);
}

int local_state_remove_check(struct local_state *local, const char *check_id)
{
    size_t at;
    const struct local_entry *entry = local_find_check(local, check_id, &at);

    if (entry == NULL)
        return BASE_ENOTFOUND;
    return put_but(local, entry, check_id, NULL, NULL);
}

int local_load_entry(struct local_state *local,
                     const Fedstate__Service *service,
                     Fedstate__Check *const *checks,
                     const struct check_spec *specs, size_t check_count)
{
    struct local_entry *entry;
    bool found;
    size_t at;
    int rv = validate(local, service, checks, check_count);

    at = place(local, service->id, &found);
    if (rv != 0 || found)
        return rv != 0 ? rv : BASE_EEXIST;
    entry = entry_new(local, service, checks, specs, check_count);
    entry->dirty = true;
    insert(local, at, entry);
    return 0;
}

int local_state_deregister(struct local_state *local, const char *service_id)
{
    bool found;
    size_t at = place(local, service_id, &found);
    struct local_entry *entry;

    if (!found || *service_id == '\0')
        return BASE_ENOTFOUND;
    entry = local->entries[at];
    local->count--;
    memmove(local->entries + at, local->entries + at + 1,
            (local->count - at) * sizeof(*local->entries));
    local_mark_gone(local, entry->service->id, NULL);
    local_files_remove(local, entry->service->id);
    entry_free(entry);
    local_sync_soon(local);
    tell(local);
    return 0;
}

/* ---- looking -------------------------------------------------------------- */

size_t local_state_count(const struct local_state *local)
{
    return local->count;
}

const Fedstate__Service *local_state_at(const struct local_state *local,
                                        size_t position,
                                        Fedstate__Check *const **checks,
                                        size_t *check_count)
{
    const struct local_entry *entry = local->entries[position];

    *checks = entry->checks;
    *check_count = entry->check_count;
    return entry->service;
}

const Fedstate__Service *local_state_find(const struct local_state *local,
                                          const char *service_id)
{
    const struct local_entry *entry = local_find(local, service_id);

    return entry && *service_id != '\0' ? entry->service : NULL;
}

void local_state_on_change(struct local_state *local, void (*heard)(void *ctx),
                           void *ctx)
{
    local->changed = heard;
    local->changed_ctx = ctx;
}

bool local_state_in_sync(const struct local_state *local)
{
    size_t i;

    for (i = 0; i < local->count; i++)
        if (local->entries[i]->dirty)
            return false;
    return local->sync.node_known && local->gone_count == 0 &&
           !local->sync.compare_due;
}

/* ---- life ----------------------------------------------------------------- */

int local_state_new(const struct local_state_config *config,
                    struct local_state **out, char **why)
{
    struct local_state *local;
    int rv;

    *out = NULL;
    BASE_NEW(local);
    local->env = config->env;
    local->log = base_log_named(&config->env->log, "agent.local");
    local->rpc = config->rpc;
    local->token = config->token;
    local->node = base_pb_dup(config->node);
    local->check_update_interval_ms = config->check_update_interval_ms;
    local->net = config->net;
    local->tls = config->tls;
    local->tls_ctx = config->tls_ctx;
    local_sync_init(local);
    rv = local_files_init(local, config->folder, why);
    if (rv != 0) {
        local_state_free(local);
        return rv;
    }
    *out = local;
    return 0;
}

void local_state_set_token(struct local_state *local, const char *token)
{
    local->token = token;
}

void local_state_free(struct local_state *local)
{
    if (local == NULL)
        return;
    local_sync_close(local);
    local_files_close(local);
    while (local->count > 0)
        entry_free(local->entries[--local->count]);
    while (local->gone_count > 0)
        local_forget_gone(local, local->gone_count - 1);
    base_free(local->entries);
    base_free(local->gone);
    base_pb_free(local->node);
    base_free(local);
}
