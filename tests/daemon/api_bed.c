#include "api_bed.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "suite.h"

#define IP "127.0.0.1"

static void nap(void)
{
    struct timespec time = {0, 5000000};

    nanosleep(&time, NULL);
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void api_until(bool (*condition)(void *arg), void *arg, const char *what)
{
    uint64_t end = now_ms() + API_DEADLINE_MS;

    while (!condition(arg)) {
        ck_assert_msg(now_ms() < end, "not in time: %s", what);
        nap();
    }
}

/* ---- connections ---------------------------------------------------------- */

static struct sockaddr_in address_of(uint16_t port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};

    inet_pton(AF_INET, IP, &addr.sin_addr);
    return addr;
}

static int try_connect(const struct api_bed *bed)
{
    struct sockaddr_in addr = address_of(bed->port);
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    struct timeval timeout = {API_DEADLINE_MS / 1000, 0};
    int fd = socket(bed->unix_socket ? AF_UNIX : AF_INET,
                    SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    snprintf(path.sun_path, sizeof(path.sun_path), "%s/api.sock", bed->folder);
    if (bed->unix_socket
            ? connect(fd, (struct sockaddr *)&path, sizeof(path)) == 0
            : connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
        return fd;
    close(fd);
    return -1;
}

int api_connect(const struct api_bed *bed)
{
    int fd = try_connect(bed);

    ck_assert_msg(fd >= 0, "cannot connect: %s", strerror(errno));
    return fd;
}

void api_send(int fd, const char *bytes)
{
    size_t len = strlen(bytes);

    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

        if (n <= 0)
            return; /* refused half-way: the answer tells */
        bytes += n;
        len -= (size_t)n;
    }
}

/* Up to and with the empty line. */
static char *read_headers(int fd)
{
    struct base_buf buf = BASE_BUF_INIT;
    char byte;

    for (;;) {
        size_t len = base_buf_len(&buf);

        if (len >= 4 &&
            memcmp(base_buf_data(&buf) + len - 4, "\r\n\r\n", 4) == 0)
            return base_buf_take_string(&buf);
        if (recv(fd, &byte, 1, 0) != 1) {
            base_buf_close(&buf);
            return NULL;
        }
        base_buf_append(&buf, &byte, 1);
    }
}

const char *api_header(const struct api_answer *answer, const char *key)
{
    static char value[256];
    const char *line = answer->headers;
    size_t len = strlen(key);

    while ((line = strstr(line, "\r\n")) != NULL) {
        line += 2;
        if (strncasecmp(line, key, len) == 0 && line[len] == ':') {
            line += len + 1;
            line += strspn(line, " ");
            snprintf(value, sizeof(value), "%.*s", (int)strcspn(line, "\r"),
                     line);
            return value;
        }
    }
    return NULL;
}

bool api_read(int fd, struct api_answer *answer)
{
    const char *length;
    size_t wanted, have = 0;

    *answer = (struct api_answer){0, read_headers(fd), NULL};
    if (answer->headers == NULL)
        return false;
    ck_assert_int_eq(sscanf(answer->headers, "HTTP/1.1 %d ", &answer->status),
                     1);
    length = api_header(answer, "Content-Length");
    wanted = length ? strtoul(length, NULL, 10) : 0;
    answer->body = base_alloc(wanted + 1);
    while (have < wanted) {
        ssize_t n = recv(fd, answer->body + have, wanted - have, 0);

        ck_assert_msg(n > 0, "an answer cut off");
        have += (size_t)n;
    }
    answer->body[have] = '\0';
    return true;
}

void api_answer_close(struct api_answer *answer)
{
    base_free(answer->headers);
    base_free(answer->body);
}

bool api_is_closed(int fd)
{
    char byte;

    return recv(fd, &byte, 1, 0) <= 0 && errno != EAGAIN;
}

/* ---- requests ------------------------------------------------------------- */

struct api_answer api_call(const struct api_bed *bed, const char *method,
                           const char *path, const char *body)
{
    struct api_answer answer;
    int fd = api_connect(bed);
    char *head = base_asprintf(
        "%s %s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
        "X-Consul-Token: %s\r\n%s%zu\r\n\r\n",
        method, path, bed->token ? bed->token : "",
        *method == 'P' ? "Content-Length: " : "X-Nothing: ",
        body ? strlen(body) : 0);

    api_send(fd, head);
    if (body)
        api_send(fd, body);
    base_free(head);
    ck_assert_msg(api_read(fd, &answer), "%s %s: no answer", method, path);
    close(fd);
    return answer;
}

json_t *api_json(const struct api_bed *bed, const char *path)
{
    struct api_answer answer = api_call(bed, "GET", path, NULL);
    json_error_t error;
    json_t *json;

    ck_assert_msg(answer.status == 200, "GET %s: %d %s", path, answer.status,
                  answer.body);
    ck_assert_str_eq(api_header(&answer, "Content-Type"), "application/json");
    json = json_loads(answer.body, JSON_DECODE_ANY, &error);
    ck_assert_msg(json != NULL, "GET %s: %s: %s", path, error.text,
                  answer.body);
    api_answer_close(&answer);
    return json;
}

void api_put(const struct api_bed *bed, const char *path, const char *body)
{
    struct api_answer answer = api_call(bed, "PUT", path, body);

    ck_assert_msg(answer.status == 200, "PUT %s: %d %s", path, answer.status,
                  answer.body);
    api_answer_close(&answer);
}

/* ---- metrics -------------------------------------------------------------- */

static int64_t metric(const struct api_bed *bed, const char *list,
                      const char *name, const char *label, const char *field)
{
    json_t *page = api_json(bed, "/v1/agent/metrics"), *item;
    int64_t value = 0;
    size_t i;

    json_array_foreach(json_object_get(page, list), i, item)
    {
        const char *key, *has = "";
        json_t *text;

        if (strcmp(json_string_value(json_object_get(item, "Name")), name) !=
            0)
            continue;
        json_object_foreach(json_object_get(item, "Labels"), key, text)
            has = json_string_value(text);
        if (strcmp(has, label) == 0)
            value = json_integer_value(json_object_get(item, field));
    }
    json_decref(page);
    return value;
}

int64_t api_gauge(const struct api_bed *bed, const char *name)
{
    return metric(bed, "Gauges", name, "", "Value");
}

int64_t api_counter(const struct api_bed *bed, const char *name,
                    const char *label)
{
    return metric(bed, "Counters", name, label, "Count");
}

/* ---- the agent ------------------------------------------------------------ */

/* A port that nobody has now, for both TCP and UDP, most likely. */
static uint16_t free_port(void)
{
    struct sockaddr_in addr = address_of(0);
    socklen_t len = sizeof(addr);
    static uint16_t last[8]; /* closed again, they may be given again */
    static size_t count;
    size_t i;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    getsockname(fd, (struct sockaddr *)&addr, &len);
    for (i = 0; i < BASE_COUNT_OF(last); i++) {
        if (last[i] == ntohs(addr.sin_port)) {
            uint16_t other = free_port(); /* while this one is held */

            close(fd);
            return other;
        }
    }
    close(fd);
    last[count++ % BASE_COUNT_OF(last)] = ntohs(addr.sin_port);
    return ntohs(addr.sin_port);
}

static void make_certificates(const struct api_bed *bed)
{
    char *command = base_asprintf(
        "cd %s && %s tls ca create >log 2>&1 && "
        "%s tls cert create -server -dc dc1 -node s1 >>log 2>&1",
        bed->folder, ISTHMUS_BIN, ISTHMUS_BIN);

    ck_assert_int_eq(system(command), 0);
    base_free(command);
}

static void write_federation(const struct api_bed *bed, FILE *file)
{
    const char *at = bed->folder;

    fprintf(file,
            "\"ca_file\":\"%s/consul-agent-ca.pem\","
            "\"cert_file\":\"%s/dc1-server-consul-0.pem\","
            "\"key_file\":\"%s/dc1-server-consul-0-key.pem\","
            "\"verify_incoming\":true,\"verify_outgoing\":true,"
            "\"verify_server_hostname\":true,"
            "\"connect\":{\"enable_mesh_gateway_wan_federation\":true},",
            at, at, at);
}

static void write_config(struct api_bed *bed)
{
    char *path = base_asprintf("%s/agent.json", bed->folder);
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    bed->port = free_port();
    fprintf(file, "{%s", bed->keys ? bed->keys : "");
    if (bed->federation)
        write_federation(bed, file);
    if (bed->unix_socket)
        fprintf(file, "\"addresses\":{\"http\":\"unix://%s/api.sock\"},",
                bed->folder);
    if (bed->https)
        bed->https_port = free_port();
    fprintf(file,
            "\"node_name\":\"s1\",\"datacenter\":\"dc1\",\"server\":true,"
            "\"bootstrap_expect\":%u,\"bind_addr\":\"" IP "\","
            "\"client_addr\":\"" IP "\",\"data_dir\":\"%s/data\","
            "\"log_level\":\"warn\",\"check_update_interval\":\"1s\","
            "\"ports\":{\"http\":%u,\"https\":%d,\"server\":%u,"
            "\"serf_lan\":%u,\"serf_wan\":%u}}",
            bed->expect ? bed->expect : 1, bed->folder, bed->port,
            bed->https ? bed->https_port : -1, free_port(), free_port(),
            free_port());
    fclose(file);
    base_free(path);
}

static void run_agent(const struct api_bed *bed)
{
    char *config = base_asprintf("%s/agent.json", bed->folder);
    char *log = base_asprintf("%s/log", bed->folder);
    struct rlimit files = {bed->files, bed->files};
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (bed->files > 0)
        setrlimit(RLIMIT_NOFILE, &files);
    dup2(fd, 1);
    dup2(fd, 2);
    execl(ISTHMUS_BIN, "isthmus", "agent", "-config-file", config,
          (char *)NULL);
    _exit(127);
}

static void show_log(const struct api_bed *bed)
{
    char *command = base_asprintf("cat %s/log >&2", bed->folder);

    if (system(command) != 0)
        fprintf(stderr, "no log\n");
    base_free(command);
}

/* True once it answers; a process that ended fails the start. */
static bool answers(void *arg)
{
    struct api_bed *bed = arg;
    struct api_answer answer;
    bool ready;
    int fd;

    if (waitpid(bed->pid, NULL, WNOHANG) == bed->pid) {
        show_log(bed);
        bed->pid = 0;
        ck_abort_msg("the agent has ended");
    }
    fd = try_connect(bed);
    if (fd < 0)
        return false;
    close(fd);
    if (bed->expect > 1)
        return true;
    answer = api_call(bed, "GET", "/v1/agent/self", NULL);
    ready = answer.status == 200 &&
            strstr(answer.body, "\"in_sync\":\"true\"") != NULL;
    api_answer_close(&answer);
    return ready;
}

void api_bed_start(struct api_bed *bed)
{
    if (bed->folder[0] == '\0') {
        strcpy(bed->folder, "/tmp/isthmus-api-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(bed->folder));
        if (bed->federation)
            make_certificates(bed);
    }
    write_config(bed);
    bed->pid = fork();
    if (bed->pid == 0)
        run_agent(bed);
    api_until(answers, bed, "the agent's first answer");
}

int api_bed_wait(struct api_bed *bed)
{
    uint64_t end = now_ms() + API_DEADLINE_MS;
    int status;

    while (waitpid(bed->pid, &status, WNOHANG) != bed->pid) {
        ck_assert_msg(now_ms() < end, "the agent does not end");
        nap();
    }
    bed->pid = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    show_log(bed);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void api_bed_stop(struct api_bed *bed)
{
    kill(bed->pid, SIGTERM);
    ck_assert_int_eq(api_bed_wait(bed), 0);
}

static int remove_one(const char *path, const struct stat *status, int type,
                      struct FTW *at)
{
    (void)status;
    (void)type;
    (void)at;
    return remove(path);
}

void api_bed_close(struct api_bed *bed)
{
    if (bed->pid > 0)
        api_bed_stop(bed);
    nftw(bed->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    bed->folder[0] = '\0';
}
