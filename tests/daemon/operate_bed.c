/* Processes, their folder and their addresses, as operate_bed.h tells. */
#include "operate_bed.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "cli/http_client.h"
#include "suite.h"

static const char key[] = "6peAATIGvGAXX+GdJcs6ahLR08H7qBQd6DQmwX4qkKY=";
static char folder[64];
static char network[24]; /* "127.x.y." */

const char *operate_key(void)
{
    return key;
}

const char *operate_folder(void)
{
    return folder;
}

void operate_until(bool (*condition)(void *arg), void *arg, const char *what)
{
    struct timespec nap = {0, 20000000}, now, end;

    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += OPERATE_DEADLINE_MS / 1000;
    while (!condition(arg)) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        ck_assert_msg(now.tv_sec < end.tv_sec, "not in time: %s", what);
        nanosleep(&nap, NULL);
    }
}

/* ---- processes ------------------------------------------------------------ */

/* The number is in a file: tests are processes of their own. */
static void keep_pid(size_t server, pid_t pid)
{
    char *path = base_asprintf("%s/pid%zu", folder, server);
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    fprintf(file, "%ld", (long)pid);
    fclose(file);
    base_free(path);
}

static pid_t kept_pid(size_t server)
{
    char *path = base_asprintf("%s/pid%zu", folder, server);
    FILE *file = fopen(path, "r");
    long pid = 0;

    if (file == NULL || fscanf(file, "%ld", &pid) != 1)
        pid = 0;
    if (file)
        fclose(file);
    base_free(path);
    return (pid_t)pid;
}

static void run_agent(size_t server, const char *join)
{
    char *log = base_asprintf("%s/log%zu", folder, server);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    char *node = base_asprintf("-node=n%zu", server);
    char *bind = base_asprintf("-bind=%s%zu", network, server + 1);
    char *client = base_asprintf("-client=%s%zu", network, server + 1);
    char *data = base_asprintf("-data-dir=%s/%zu", folder, server);
    char *encrypt = base_asprintf("-encrypt=%s", key);

    dup2(fd, 1);
    dup2(fd, 2);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execl(ISTHMUS_BIN, "isthmus", "agent", "-server", "-bootstrap-expect=3",
          node, bind, client, data, encrypt, join, (char *)NULL);
    _exit(127);
}

static void start(size_t server, const char *join)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        run_agent(server, join);
    keep_pid(server, pid);
}

void operate_start_alone(size_t server)
{
    start(server, NULL);
}

void operate_kill(size_t server)
{
    pid_t pid = kept_pid(server);
    int fd;

    if (pid <= 0)
        return;
    /* In a test's own process it is no child of ours, and dies some time after
     * the signal: until then its files are in use. */
    fd = pidfd_open(pid, 0);
    kill(pid, SIGKILL);
    if (fd >= 0) {
        struct pollfd dead = {.fd = fd, .events = POLLIN};

        ck_assert_int_eq(poll(&dead, 1, 20000), 1);
        close(fd);
    }
    (void)waitpid(pid, NULL, WNOHANG);
    keep_pid(server, 0);
}

static bool all_alive(void *arg)
{
    size_t i;

    (void)arg;
    for (i = 0; i < OPERATE_SERVERS; i++)
        if (operate_alive(i, false) != OPERATE_SERVERS ||
            operate_alive(i, true) != OPERATE_SERVERS)
            return false;
    return true;
}

void operate_bed_start(void)
{
    unsigned pid = (unsigned)getpid();
    size_t i;

    strcpy(folder, "/tmp/isthmus-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(network, sizeof(network), "127.%u.%u.", 16 + (pid >> 8) % 200,
             pid & 255);
    for (i = 0; i < OPERATE_SERVERS; i++) {
        char *retry = base_asprintf("-retry-join=%s%u", network, 1 + !i);

        start(i, retry);
        base_free(retry);
    }
    operate_until(all_alive, NULL, "three servers that see each other");
}

void operate_bed_stop(void)
{
    char *command = base_asprintf("rm -rf %s", folder);
    size_t i;

    for (i = 0; i < OPERATE_SERVERS; i++)
        operate_kill(i);
    ck_assert_int_eq(system(command), 0);
    base_free(command);
}

/* ---- asking --------------------------------------------------------------- */

static void target_of(struct http_target *target, size_t server)
{
    char *addr = base_asprintf("%s%zu:8500", network, server + 1);
    struct http_options options = {.addr = addr};
    char *why = NULL;

    ck_assert_msg(http_target_init(target, &options, &why) == 0, "%s", why);
    base_free(addr);
}

static int ask(size_t server, const char *method, const char *path,
               const char *body, json_t **out)
{
    struct http_target target;
    char *why = NULL;
    int rv;

    target_of(&target, server);
    rv = http_json_body(&target, method, path, body ? body : "",
                        body ? strlen(body) : 0, out, &why);
    base_free(why);
    http_target_close(&target);
    return rv;
}

json_t *operate_json(size_t server, const char *method, const char *path,
                     const char *body)
{
    json_t *answer = NULL;

    return ask(server, method, path, body, &answer) == 0 ? answer : NULL;
}

bool operate_do(size_t server, const char *method, const char *path,
                const char *body)
{
    return ask(server, method, path, body, NULL) == 0;
}

size_t operate_alive(size_t server, bool wan)
{
    json_t *members = operate_json(
        server, "GET", wan ? "/v1/agent/members?wan" : "/v1/agent/members",
        NULL);
    const json_t *member;
    size_t i, count = 0;

    json_array_foreach (members, i, member)
        if (json_integer_value(json_object_get(member, "Status")) == 1)
            count++;
    json_decref(members);
    return count;
}

char *operate_file(size_t server, const char *name)
{
    char *path = base_asprintf("%s/%zu/%s", folder, server, name);
    FILE *file = fopen(path, "r");
    char *text;
    size_t len;

    base_free(path);
    if (file == NULL)
        return NULL;
    text = base_calloc(1, 65536);
    len = fread(text, 1, 65535, file);
    text[len] = '\0';
    fclose(file);
    return text;
}

int operate_shell(size_t server, const char *line)
{
    char *command = base_asprintf(
        "cd %s && export ISTHMUS_HTTP_ADDR=%s%zu:8500 I=%s && %s", folder,
        network, server + 1, ISTHMUS_BIN, line);
    int status = system(command);

    base_free(command);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}
