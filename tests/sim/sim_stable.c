#include "sim/sim_stable.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

struct blob {
    struct blob *next;
    char *name;
    struct base_buf data;
};

struct saving {
    struct sim_stable *stable;
    struct saving *prev, *next;
    char *name;
    struct base_buf data;
    void (*done)(void *arg, int status);
    void *arg;
};

struct sim_stable {
    struct base_env *env;
    struct blob *blobs;
    struct saving *savings;
};

static struct blob *find(struct sim_stable *stable, const char *name)
{
    struct blob *blob;

    for (blob = stable->blobs; blob; blob = blob->next)
        if (strcmp(blob->name, name) == 0)
            return blob;
    return NULL;
}

static void saving_free(struct saving *saving)
{
    if (saving->prev)
        saving->prev->next = saving->next;
    else
        saving->stable->savings = saving->next;
    if (saving->next)
        saving->next->prev = saving->prev;
    base_free(saving->name);
    base_buf_close(&saving->data);
    base_free(saving);
}

static int load(void *ctx, const char *name, struct base_buf *out)
{
    struct blob *blob = find(ctx, name);

    if (blob == NULL)
        return BASE_ENOTFOUND;
    base_buf_append(out, base_buf_data(&blob->data), base_buf_len(&blob->data));
    return 0;
}

static void save_job(void *arg)
{
    struct saving *saving = arg;
    struct blob *blob = find(saving->stable, saving->name);

    if (blob == NULL) {
        BASE_NEW(blob);
        blob->name = base_strdup(saving->name);
        blob->next = saving->stable->blobs;
        saving->stable->blobs = blob;
    }
    base_buf_reset(&blob->data);
    base_buf_append(&blob->data, base_buf_data(&saving->data),
                    base_buf_len(&saving->data));
}

static void save_done(void *arg)
{
    struct saving *saving = arg;
    void (*done)(void *, int) = saving->done;
    void *done_arg = saving->arg;

    saving_free(saving);
    done(done_arg, 0);
}

static int save(void *ctx, const char *name, const void *data, size_t len,
                void (*done)(void *arg, int status), void *arg)
{
    struct sim_stable *stable = ctx;
    struct saving *saving;
    int rv;

    BASE_NEW(saving);
    saving->stable = stable;
    saving->name = base_strdup(name);
    base_buf_append(&saving->data, data, len);
    saving->done = done;
    saving->arg = arg;
    saving->next = stable->savings;
    if (saving->next)
        saving->next->prev = saving;
    stable->savings = saving;
    rv = base_env_submit(stable->env, BASE_WORKER_BULK, save_job, save_done,
                         saving);
    if (rv != 0)
        saving_free(saving);
    return rv;
}

struct sim_stable *sim_stable_new(void)
{
    struct sim_stable *stable;

    return BASE_NEW(stable);
}

static void forget_savings(struct sim_stable *stable)
{
    while (stable->savings)
        saving_free(stable->savings);
}

void sim_stable_free(struct sim_stable *stable)
{
    forget_savings(stable);
    while (stable->blobs) {
        struct blob *blob = stable->blobs;

        stable->blobs = blob->next;
        base_free(blob->name);
        base_buf_close(&blob->data);
        base_free(blob);
    }
    base_free(stable);
}

struct server_stable sim_stable_ops(struct sim_stable *stable,
                                    struct base_env *env)
{
    static const struct server_stable_ops ops = {.version = 1,
                                                 .load = load,
                                                 .save = save};

    forget_savings(stable);
    stable->env = env;
    return (struct server_stable){&ops, stable};
}
