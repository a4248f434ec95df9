/*
 * One file a service, named by the hash of its id, written aside and renamed by
 * the bulk worker. An entry has one job under way at most; changes meanwhile
 * gather, and the next job takes them all.
 */
#include <dirent.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/local_private.h"
#include "agent/stable_files.h"
#include "base/alloc.h"
#include "base/error.h"
#include "http/json_model.h"
#include "http/json_put.h"
#include "http/service_form.h"

#define FILE_BYTES_MAX (2u << 20)
#define AGAIN_MS 100u

struct local_job {
    struct local_job *next;
    struct local_state *local; /* NULL: it has gone */
    char *service_id;
    char *path;
    char *text; /* NULL: remove the file */
    uint64_t since;
    int status;
};

struct local_wait {
    struct local_wait *next;
    uint64_t until; /* the change that must be on disk */
    int status;
    void (*done)(void *arg, int status);
    void *arg;
};

static char *path_of(const struct local_state *local, const char *service_id)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned len = 0, i;
    char hex[2 * EVP_MAX_MD_SIZE + 1] = "";

    EVP_Digest(service_id, strlen(service_id), hash, &len, EVP_sha256(), NULL);
    for (i = 0; i < len; i++)
        sprintf(hex + 2 * (size_t)i, "%02x", hash[i]);
    return base_asprintf("%s/%s.json", local->files.folder, hex);
}

/* ---- waiting -------------------------------------------------------------- */

static uint64_t older(uint64_t a, uint64_t b)
{
    return b != 0 && b < a ? b : a;
}

/* The oldest change that is not on disk yet; UINT64_MAX if all are. */
static uint64_t oldest(const struct local_state *local)
{
    uint64_t since = UINT64_MAX;
    const struct local_job *job;
    size_t i;

    for (i = 0; i < local->count; i++)
        since = older(since, local->entries[i]->unkept_since);
    for (job = local->files.jobs; job; job = job->next)
        since = older(since, job->since);
    for (job = local->files.unqueued; job; job = job->next)
        since = older(since, job->since);
    return since;
}

static void on_tell(void *arg)
{
    struct local_state *local = arg;
    struct local_wait **link = &local->files.waits, *over = NULL, *wait;
    uint64_t since = oldest(local);

    while ((wait = *link) != NULL) {
        if (wait->until >= since) {
            link = &wait->next;
            continue;
        }
        *link = wait->next;
        wait->next = over;
        over = wait;
    }
    while ((wait = over) != NULL) {
        over = wait->next;
        wait->done(wait->arg, wait->status);
        base_free(wait);
    }
}

int local_state_when_kept(struct local_state *local,
                          void (*done)(void *arg, int status), void *arg)
{
    struct local_wait *wait;

    BASE_NEW(wait);
    wait->until = local->files.changes;
    wait->done = done;
    wait->arg = arg;
    wait->next = local->files.waits;
    local->files.waits = wait;
    base_timer_start_ms(&local->files.tell, 0);
    return 0;
}

/* ---- jobs ----------------------------------------------------------------- */

static void job_free(struct local_job *job)
{
    base_free(job->service_id);
    base_free(job->path);
    free(job->text); /* jansson's */
    base_free(job);
}

/* On the worker. */
static void run(void *arg)
{
    struct local_job *job = arg;

    if (job->text)
        job->status = stable_write_file(job->path, job->text,
                                        strlen(job->text));
    else if (unlink(job->path) != 0 && errno != ENOENT)
        job->status = base_error_from_errno(errno);
}

static void unlink_job(struct local_job **list, const struct local_job *job)
{
    while (*list != job)
        list = &(*list)->next;
    *list = job->next;
}

static void complain(struct local_state *local, const struct local_job *job)
{
    struct local_wait *wait;

    base_log(&local->log, BASE_LOG_ERROR,
             "a service cannot be kept on disk: it is lost at the next start",
             kv_str("service", job->service_id), kv_str("file", job->path),
             kv_str("error", base_strerror(job->status)));
    for (wait = local->files.waits; wait; wait = wait->next)
        if (wait->until >= job->since)
            wait->status = job->status;
}

static void write_entry(struct local_entry *entry);

static void on_done(void *arg)
{
    struct local_job *job = arg;
    struct local_state *local = job->local;
    struct local_entry *entry;

    if (local) {
        unlink_job(&local->files.jobs, job);
        if (job->status != 0)
            complain(local, job);
        entry = job->text ? local_find(local, job->service_id) : NULL;
        if (entry) {
            entry->keeping = false;
            if (entry->unkept_since != 0)
                write_entry(entry);
        }
        base_timer_start_ms(&local->files.tell, 0);
    }
    job_free(job);
}

/* True if the worker has it. */
static bool submit(struct local_state *local, struct local_job *job)
{
    if (base_env_submit(local->env, BASE_WORKER_BULK, run, on_done, job) != 0) {
        base_timer_start_ms(&local->files.again, AGAIN_MS);
        return false;
    }
    job->next = local->files.jobs;
    local->files.jobs = job;
    return true;
}

static struct local_job *job_new(struct local_state *local,
                                 const char *service_id, char *text,
                                 uint64_t since)
{
    struct local_job *job;

    BASE_NEW(job);
    job->local = local;
    job->service_id = base_strdup(service_id);
    job->path = path_of(local, service_id);
    job->text = text;
    job->since = since;
    return job;
}

static json_t *spec_json(const struct check_spec *spec)
{
    json_t *object = json_object();

    json_put_uint(object, "TTLMs", spec->ttl_ms);
    json_put_text(object, "TCP", spec->tcp);
    json_put_text(object, "HTTP", spec->http);
    json_put_text(object, "Method", spec->method);
    json_put_text(object, "Headers", spec->headers);
    json_put_bool(object, "SkipVerify", spec->skip_verify);
    json_put_uint(object, "IntervalMs", spec->interval_ms);
    json_put_uint(object, "TimeoutMs", spec->timeout_ms);
    json_put_uint(object, "PassingAfter", spec->passing_after);
    json_put_uint(object, "CriticalAfter", spec->critical_after);
    json_put_uint(object, "DeregisterMs", spec->deregister_ms);
    return object;
}

static char *text_of(const struct local_entry *entry)
{
    json_t *root = json_object(), *checks = json_array();
    char *text;
    size_t i;

    for (i = 0; i < entry->check_count; i++) {
        json_t *check = json_from_check(entry->checks[i], NULL);

        json_put(check, "Spec", spec_json(&entry->state[i].spec));
        json_array_append_new(checks, check);
    }
    if (*entry->service->id != '\0') /* else the node's own checks */
        json_put(root, "Service", json_from_service(entry->service));
    json_put(root, "Checks", checks);
    text = json_dumps(root, JSON_INDENT(2));
    json_decref(root);
    return text;
}

static void write_entry(struct local_entry *entry)
{
    struct local_job *job = job_new(entry->local, entry->service->id,
                                    text_of(entry), entry->unkept_since);

    if (submit(entry->local, job)) {
        entry->keeping = true;
        entry->unkept_since = 0;
    } else {
        job_free(job);
    }
}

static void on_again(void *arg)
{
    struct local_state *local = arg;
    struct local_job *list = local->files.unqueued, *job;
    size_t i;

    local->files.unqueued = NULL;
    while ((job = list) != NULL) {
        list = job->next;
        if (!submit(local, job)) {
            job->next = local->files.unqueued;
            local->files.unqueued = job;
        }
    }
    for (i = 0; i < local->count; i++)
        if (local->entries[i]->unkept_since != 0 && !local->entries[i]->keeping)
            write_entry(local->entries[i]);
}

/* A service that is back must not lose its new file to an old removal. */
static void forget_removal(struct local_state *local, const char *service_id)
{
    struct local_job **link = &local->files.unqueued, *job;

    while ((job = *link) != NULL) {
        if (strcmp(job->service_id, service_id) != 0) {
            link = &job->next;
            continue;
        }
        *link = job->next;
        job_free(job);
    }
}

void local_files_keep(struct local_entry *entry)
{
    struct local_files *files = &entry->local->files;

    files->changes++;
    if (files->folder == NULL)
        return;
    forget_removal(entry->local, entry->service->id);
    if (entry->unkept_since == 0)
        entry->unkept_since = files->changes;
    if (!entry->keeping)
        write_entry(entry);
}

void local_files_remove(struct local_state *local, const char *service_id)
{
    struct local_job *job;

    local->files.changes++;
    if (local->files.folder == NULL)
        return;
    job = job_new(local, service_id, NULL, local->files.changes);
    if (!submit(local, job)) {
        job->next = local->files.unqueued;
        local->files.unqueued = job;
    }
}

/* ---- loading -------------------------------------------------------------- */

static uint32_t number(struct json_reader *reader, const json_t *json,
                       const char *name)
{
    return (uint32_t)json_read_uint(reader, json, "Spec.", name, UINT32_MAX);
}

static void read_spec(struct json_reader *reader, const json_t *json,
                      struct check_spec *spec)
{
    struct check_url url;
    struct base_target target;

    spec->ttl_ms = number(reader, json, "TTLMs");
    spec->tcp = json_read_text(reader, json, "Spec.", "TCP");
    spec->http = json_read_text(reader, json, "Spec.", "HTTP");
    spec->method = json_read_text(reader, json, "Spec.", "Method");
    spec->headers = json_read_text(reader, json, "Spec.", "Headers");
    spec->skip_verify = json_read_bool(reader, json, "Spec.", "SkipVerify");
    spec->interval_ms = number(reader, json, "IntervalMs");
    spec->timeout_ms = number(reader, json, "TimeoutMs");
    spec->passing_after = number(reader, json, "PassingAfter");
    spec->critical_after = number(reader, json, "CriticalAfter");
    spec->deregister_ms = number(reader, json, "DeregisterMs");
    if ((*spec->http != '\0' && !check_url_parse(spec->http, &url)) ||
        (*spec->tcp != '\0' && base_target_parse(&target, spec->tcp, 0) != 0))
        json_reader_fail(reader, "Spec: no address to check");
}

static int load_entry(struct local_state *local, struct json_reader *reader,
                      const json_t *root)
{
    const json_t *checks = json_read_array(reader, root, "", "Checks");
    const json_t *json = json_read_object(reader, root, "", "Service");
    size_t count = json_array_size(checks), i;
    Fedstate__Service none = FEDSTATE__SERVICE__INIT, *service = &none;
    Fedstate__Check **list =
        json_reader_alloc(reader, count, sizeof(*list));
    struct check_spec *specs = json_reader_alloc(reader, count, sizeof(*specs));

    if (json == NULL && checks == NULL)
        return BASE_EPARSE;
    if (json)
        service = service_from_json(reader, json, "Service.");
    for (i = 0; i < count; i++) {
        const json_t *check = json_array_get(checks, i);

        list[i] = check_from_json(reader, check, "Checks.");
        read_spec(reader, json_read_object(reader, check, "Checks.", "Spec"),
                  &specs[i]);
    }
    if (reader->why)
        return BASE_EPARSE;
    return local_load_entry(local, service, list, specs, count);
}

static void load_file(struct local_state *local, const char *path)
{
    struct base_buf bytes = BASE_BUF_INIT;
    struct json_reader reader = {0};
    json_t *root = NULL;
    int rv = stable_read_file(path, FILE_BYTES_MAX, &bytes);

    if (rv == 0) {
        root = json_read_body(&reader, base_buf_data(&bytes),
                              base_buf_len(&bytes));
        rv = root ? load_entry(local, &reader, root) : BASE_EPARSE;
    }
    if (rv != 0)
        base_log(&local->log, BASE_LOG_ERROR,
                 "a kept service cannot be loaded and is left alone",
                 kv_str("file", path),
                 kv_str("error", reader.why ? reader.why : base_strerror(rv)));
    json_decref(root);
    json_reader_close(&reader);
    base_buf_close(&bytes);
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);

    return len > end_len && strcmp(text + len - end_len, end) == 0;
}

static int load_all(struct local_state *local, char **why)
{
    DIR *folder = opendir(local->files.folder);
    const struct dirent *file;
    int rv;

    if (folder == NULL) {
        rv = base_error_from_errno(errno);
        *why = base_asprintf("%s: %s", local->files.folder, base_strerror(rv));
        return rv;
    }
    while ((file = readdir(folder)) != NULL) {
        char *path = base_asprintf("%s/%s", local->files.folder, file->d_name);

        if (ends_with(file->d_name, ".json"))
            load_file(local, path);
        else if (ends_with(file->d_name, ".json.tmp"))
            unlink(path); /* a write that power cut short */
        base_free(path);
    }
    closedir(folder);
    return 0;
}

/* ---- life ----------------------------------------------------------------- */

int local_files_init(struct local_state *local, const char *folder, char **why)
{
    struct local_files *files = &local->files;
    int rv;

    base_timer_init(&files->again, local->env, "local-files", on_again, local);
    base_timer_init(&files->tell, local->env, "local-kept", on_tell, local);
    if (folder == NULL)
        return 0;
    files->folder = base_strdup(folder);
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        rv = base_error_from_errno(errno);
        *why = base_asprintf("%s: %s", folder, base_strerror(rv));
        return rv;
    }
    return load_all(local, why);
}

void local_files_close(struct local_state *local)
{
    struct local_files *files = &local->files;
    struct local_job *job;
    struct local_wait *wait;

    base_timer_stop(&files->again);
    base_timer_stop(&files->tell);
    for (job = files->jobs; job; job = job->next)
        job->local = NULL;
    while ((job = files->unqueued) != NULL) {
        files->unqueued = job->next;
        job_free(job);
    }
    while ((wait = files->waits) != NULL) {
        files->waits = wait->next;
        base_free(wait);
    }
    base_free(files->folder);
}
