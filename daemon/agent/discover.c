/* Each text of the list in its turn; a file's content is read anew each time. */
#include "agent/discover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/discover_text.h"
#include "base/alloc.h"
#include "base/error.h"

#define WATCH_MS 1000u
#define SPACE " \t"

/* A job on the bulk worker, and what it may touch. If nobody waits for it any
 * more it frees itself. */
struct file_job {
    struct discovery *discovery; /* NULL: forgotten */
    char path[512];
    bool only_stat;
    int error; /* an errno */
    struct stat stat;
    char *content; /* NUL-terminated */
};

/* What the resolver is asked with; freed when it answers. */
struct asking {
    struct discovery *discovery; /* NULL: forgotten */
    bool with_port;
};

struct discovery {
    struct base_env *env;
    const char *const *texts;
    size_t count;

    discovery_fn done; /* NULL: nothing runs */
    void *done_arg;
    struct base_timer start;
    size_t next; /* text under way */
    char *found[DISCOVER_TARGETS_MAX];
    size_t found_count;
    char why[160];
    struct file_job *reading;
    struct asking *asking;

    void (*changed)(void *arg);
    void *changed_arg;
    struct base_timer watch;
    struct file_job *watching;
    size_t watch_next;
    uint64_t seen; /* digest of all files' sizes and times */
    uint64_t digest;
    bool have_seen;
};

int discover_check(const char *text, const char **why)
{
    struct discover_text parsed;

    return discover_text_parse(&parsed, text, why);
}

/* ---- jobs ----------------------------------------------------------------- */

static void read_content(struct file_job *job, int fd)
{
    size_t size = (size_t)job->stat.st_size;
    ssize_t len;

    if (!S_ISREG(job->stat.st_mode) || size > DISCOVER_FILE_BYTES_MAX) {
        job->error = S_ISREG(job->stat.st_mode) ? EFBIG : EINVAL;
        return;
    }
    job->content = base_alloc(size + 1);
    len = read(fd, job->content, size);
    if (len < 0)
        job->error = errno;
    job->content[len > 0 ? len : 0] = '\0';
}

static void work(void *arg)
{
    struct file_job *job = arg;
    int fd = open(job->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &job->stat) != 0)
        job->error = errno;
    else if (!job->only_stat)
        read_content(job, fd);
    if (fd >= 0)
        close(fd);
}

static void job_free(struct file_job *job)
{
    base_free(job->content);
    base_free(job);
}

static struct file_job *job_start(struct discovery *discovery,
                                  const char *path, bool only_stat,
                                  base_job_done_fn done)
{
    struct file_job *job;

    BASE_NEW(job);
    job->discovery = discovery;
    job->only_stat = only_stat;
    strcpy(job->path, path);
    if (base_env_submit(discovery->env, BASE_WORKER_BULK, work, done, job) == 0)
        return job;
    job_free(job);
    return NULL;
}

static void job_forget(struct file_job *job)
{
    if (job)
        job->discovery = NULL;
}

/* ---- one run -------------------------------------------------------------- */

static void go_on(struct discovery *discovery);

static void complain(struct discovery *discovery, const char *what,
                     const char *why)
{
    snprintf(discovery->why, sizeof(discovery->why), "%.100s: %.50s", what,
             why);
}

static void add(struct discovery *discovery, char *target)
{
    if (discovery->found_count < DISCOVER_TARGETS_MAX)
        discovery->found[discovery->found_count++] = target;
    else
        base_free(target);
}

static void add_addrs(struct discovery *discovery, bool with_port,
                      const struct base_addr *addrs, size_t count)
{
    char address[BASE_ADDR_TEXT_MAX];
    size_t i;

    for (i = 0; i < count; i++) {
        if (with_port) {
            add(discovery, base_strdup(base_addr_format(&addrs[i], address)));
        } else {
            base_addr_format_ip(&addrs[i], address);
            add(discovery, base_asprintf(strchr(address, ':') ? "[%s]" : "%s",
                                         address));
        }
    }
}

static void on_resolved(void *arg, int status, const struct base_addr *addrs,
                        size_t count)
{
    struct asking *asking = arg;
    struct discovery *discovery = asking->discovery;
    bool with_port = asking->with_port;

    base_free(asking);
    if (discovery == NULL)
        return;
    discovery->asking = NULL;
    if (status != 0)
        complain(discovery, discovery->texts[discovery->next],
                 base_strerror(status));
    add_addrs(discovery, with_port, addrs, count);
    discovery->next++;
    go_on(discovery);
}

static int resolve(struct discovery *discovery, const char *name,
                   enum base_resolve_type type)
{
    struct asking *asking;
    int rv;

    BASE_NEW(asking);
    asking->discovery = discovery;
    asking->with_port = type == BASE_RESOLVE_SRV;
    rv = base_env_resolve(discovery->env, name, type, on_resolved, asking);
    if (rv != 0)
        base_free(asking);
    else
        discovery->asking = asking;
    return rv;
}

/* Lines of targets; "#" begins a comment. */
static void add_lines(struct discovery *discovery, const char *path,
                      char *content)
{
    char *rest = content, *line;
    struct base_target target;

    while ((line = strsep(&rest, "\n")) != NULL) {
        size_t len;

        line[strcspn(line, "#\r")] = '\0';
        line += strspn(line, SPACE);
        len = strcspn(line, SPACE);
        if (*line == '\0')
            continue;
        if (line[len + strspn(line + len, SPACE)] == '\0')
            line[len] = '\0';
        if (strpbrk(line, SPACE) == NULL &&
            base_target_parse(&target, line, 1) == 0)
            add(discovery, base_strdup(line));
        else
            complain(discovery, path, "a line is no address");
    }
}

static void on_read(void *arg)
{
    struct file_job *job = arg;
    struct discovery *discovery = job->discovery;

    if (discovery) {
        discovery->reading = NULL;
        if (job->error != 0)
            complain(discovery, job->path, strerror(job->error));
        else
            add_lines(discovery, job->path, job->content);
        discovery->next++;
    }
    job_free(job);
    if (discovery)
        go_on(discovery);
}

/* True if the answer comes later. */
static bool ask(struct discovery *discovery, const char *text)
{
    struct discover_text parsed;
    const char *why;
    int rv = discover_text_parse(&parsed, text, &why);

    if (rv != 0) {
        complain(discovery, text, why);
        return false;
    }
    switch (parsed.kind) {
    case DISCOVER_TARGET:
        add(discovery, base_strdup(text));
        return false;
    case DISCOVER_FILE:
        discovery->reading = job_start(discovery, parsed.value, false, on_read);
        rv = discovery->reading ? 0 : BASE_EFULL;
        break;
    case DISCOVER_DNS_A:
        rv = resolve(discovery, parsed.value, BASE_RESOLVE_HOST);
        break;
    case DISCOVER_DNS_SRV:
        rv = resolve(discovery, parsed.value, BASE_RESOLVE_SRV);
        break;
    }
    if (rv != 0)
        complain(discovery, text, base_strerror(rv));
    return rv == 0;
}

static void drop_found(struct discovery *discovery)
{
    while (discovery->found_count > 0)
        base_free(discovery->found[--discovery->found_count]);
}

static void go_on(struct discovery *discovery)
{
    discovery_fn done = discovery->done;

    while (discovery->next < discovery->count) {
        if (ask(discovery, discovery->texts[discovery->next]))
            return;
        discovery->next++;
    }
    discovery->done = NULL;
    done(discovery->done_arg, (const char *const *)discovery->found,
         discovery->found_count, discovery->why);
}

static void on_start(void *arg)
{
    go_on(arg);
}

void discovery_run(struct discovery *discovery, discovery_fn done, void *arg)
{
    drop_found(discovery);
    discovery->why[0] = '\0';
    discovery->next = 0;
    discovery->done = done;
    discovery->done_arg = arg;
    base_timer_start_ms(&discovery->start, 0);
}

/* ---- files that change ---------------------------------------------------- */

static void mix(uint64_t *digest, uint64_t value)
{
    *digest = (*digest ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    *digest ^= *digest >> 32;
}

static void watch_next(struct discovery *discovery);

static void on_stat(void *arg)
{
    struct file_job *job = arg;
    struct discovery *discovery = job->discovery;

    if (discovery) {
        discovery->watching = NULL;
        mix(&discovery->digest, (uint64_t)job->error);
        mix(&discovery->digest, (uint64_t)job->stat.st_ino);
        mix(&discovery->digest, (uint64_t)job->stat.st_size);
        mix(&discovery->digest, (uint64_t)job->stat.st_mtim.tv_sec);
        mix(&discovery->digest, (uint64_t)job->stat.st_mtim.tv_nsec);
    }
    job_free(job);
    if (discovery)
        watch_next(discovery);
}

/* The next file of the list; after the last one, the verdict. */
static void watch_next(struct discovery *discovery)
{
    struct discover_text parsed;
    const char *why;
    bool is_news;

    while (discovery->watch_next < discovery->count) {
        const char *text = discovery->texts[discovery->watch_next++];

        if (discover_text_parse(&parsed, text, &why) != 0 ||
            parsed.kind != DISCOVER_FILE)
            continue;
        discovery->watching =
            job_start(discovery, parsed.value, true, on_stat);
        if (discovery->watching)
            return;
    }
    is_news = discovery->have_seen && discovery->digest != discovery->seen;
    discovery->seen = discovery->digest;
    discovery->have_seen = true;
    base_timer_start_ms(&discovery->watch, WATCH_MS);
    if (is_news)
        discovery->changed(discovery->changed_arg);
}

static void on_watch(void *arg)
{
    struct discovery *discovery = arg;

    discovery->watch_next = 0;
    discovery->digest = 0;
    watch_next(discovery);
}

static bool names_a_file(const struct discovery *discovery)
{
    struct discover_text parsed;
    const char *why;
    size_t i;

    for (i = 0; i < discovery->count; i++)
        if (discover_text_parse(&parsed, discovery->texts[i], &why) == 0 &&
            parsed.kind == DISCOVER_FILE)
            return true;
    return false;
}

void discovery_watch(struct discovery *discovery, void (*changed)(void *arg),
                     void *arg)
{
    if (!names_a_file(discovery))
        return;
    discovery->changed = changed;
    discovery->changed_arg = arg;
    base_timer_start_ms(&discovery->watch, 0);
}

/* ---- life ----------------------------------------------------------------- */

struct discovery *discovery_new(struct base_env *env, const char *const *texts,
                                size_t count)
{
    struct discovery *discovery;

    BASE_NEW(discovery);
    discovery->env = env;
    discovery->texts = texts;
    discovery->count = count;
    base_timer_init(&discovery->start, env, "discovery", on_start, discovery);
    base_timer_init(&discovery->watch, env, "discovery-watch", on_watch,
                    discovery);
    return discovery;
}

void discovery_free(struct discovery *discovery)
{
    if (discovery == NULL)
        return;
    base_timer_stop(&discovery->start);
    base_timer_stop(&discovery->watch);
    job_forget(discovery->reading);
    job_forget(discovery->watching);
    if (discovery->asking)
        discovery->asking->discovery = NULL;
    drop_found(discovery);
    base_free(discovery);
}
