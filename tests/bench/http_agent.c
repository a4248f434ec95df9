/* The agent and the connections of http_bench.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "http_bench.h"

#define START_US 20000000u
#define ANSWER_BYTES_MAX (1u << 20)

static void die(const char *what)
{
    fprintf(stderr, "http-bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

uint64_t http_now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static void nap(void)
{
    struct timespec time = {0, 1000000};

    nanosleep(&time, NULL);
}

/* ---- connections ---- */

static int dial(const struct http_agent *agent)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(agent->port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    if (fd < 0)
        die("socket (ulimit -n)");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
        return fd;
    close(fd);
    return -1;
}

void http_peer_open(struct http_peer *peer, const struct http_agent *agent)
{
    memset(peer, 0, sizeof(*peer));
    peer->fd = dial(agent);
    if (peer->fd < 0)
        die("connect");
    fcntl(peer->fd, F_SETFL, O_NONBLOCK);
}

void http_peer_send(struct http_peer *peer, const char *bytes, size_t len)
{
    if (send(peer->fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
        die("send");
}

static size_t body_len(const char *head)
{
    const char *length = strcasestr(head, "\r\nContent-Length:");

    if (strncmp(head, "HTTP/1.1 200 ", 13) != 0 || length == NULL) {
        fprintf(stderr, "http-bench: unexpected answer: %s\n", head);
        exit(1);
    }
    return strtoul(length + 17, NULL, 10);
}

/* The header, byte by byte behind a peek, so that no body is swallowed. */
static bool read_head(struct http_peer *peer)
{
    char *head = peer->head;
    ssize_t got = recv(peer->fd, head + peer->head_len,
                       sizeof(peer->head) - 1 - peer->head_len, 0);
    char *end;
    size_t have;

    if (got <= 0) {
        if (got == 0 || errno != EAGAIN)
            die("an answer cut off");
        return false;
    }
    peer->head_len += (size_t)got;
    head[peer->head_len] = '\0';
    end = strstr(head, "\r\n\r\n");
    if (end == NULL)
        return false;
    have = peer->head_len - (size_t)(end + 4 - head);
    peer->left = body_len(head);
    peer->left -= have < peer->left ? have : peer->left;
    peer->in_body = true;
    return true;
}

bool http_peer_read(struct http_peer *peer)
{
    static char sink[65536];

    if (!peer->in_body && !read_head(peer))
        return false;
    while (peer->left > 0) {
        ssize_t got = recv(peer->fd, sink,
                           peer->left < sizeof(sink) ? peer->left
                                                     : sizeof(sink),
                           0);

        if (got <= 0) {
            if (got == 0 || errno != EAGAIN)
                die("an answer cut off");
            return false;
        }
        peer->left -= (size_t)got;
    }
    peer->in_body = false;
    peer->head_len = 0;
    return true;
}

/* ---- questions ---- */

const char *http_ask(const struct http_agent *agent, const char *method,
                     const char *path, const char *body)
{
    static char answer[ANSWER_BYTES_MAX];
    char *request = base_asprintf(
        "%s %s HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n"
        "Content-Length: %zu\r\n\r\n%s",
        method, path, body ? strlen(body) : 0, body ? body : "");
    size_t len = 0;
    ssize_t got = 1;
    int fd = dial(agent);

    if (fd < 0)
        die("connect");
    if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
        die("send");
    while (got > 0 && len < sizeof(answer) - 1) {
        got = recv(fd, answer + len, sizeof(answer) - 1 - len, 0);
        len += got > 0 ? (size_t)got : 0;
    }
    answer[len] = '\0';
    close(fd);
    base_free(request);
    (void)body_len(answer);
    return answer;
}

int64_t http_gauge(const struct http_agent *agent, const char *name)
{
    const char *at =
        http_ask(agent, "GET", "/v1/agent/metrics?format=prometheus", NULL);
    size_t len = strlen(name);

    while ((at = strstr(at, name)) != NULL) {
        if (at[-1] == '\n' && at[len] == ' ')
            return strtoll(at + len, NULL, 10);
        at += len;
    }
    return -1;
}

void http_until_gauge(const struct http_agent *agent, const char *name,
                      int64_t value)
{
    uint64_t end = http_now_us() + START_US;

    while (http_gauge(agent, name) != value) {
        if (http_now_us() > end)
            die("a gauge does not come to its value");
        nap();
    }
}

/* ---- the agent ---- */

static uint16_t free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) != 0)
        die("no free port");
    close(fd);
    return ntohs(at.sin_port);
}

static void run_agent(const struct http_agent *agent)
{
    char *folder = base_asprintf("-data-dir=%s/data", agent->folder);
    char *ports = base_asprintf(
        "{\"ports\":{\"http\":%u,\"server\":%u,\"serf_lan\":%u,"
        "\"serf_wan\":%u}}",
        agent->port, free_port(), free_port(), free_port());
    char *path = base_asprintf("%s/ports.json", agent->folder);
    char *config = base_asprintf("-config-file=%s", path);
    FILE *file = fopen(path, "w");

    if (file == NULL || fputs(ports, file) < 0 || fclose(file) != 0)
        die(path);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execl(ISTHMUS_BIN, "isthmus", "agent", "-server", "-bootstrap",
          "-node=bench", "-bind=127.0.0.1", "-log-level=err", folder, config,
          (char *)NULL);
    die(ISTHMUS_BIN);
}

void http_agent_start(struct http_agent *agent)
{
    uint64_t end = http_now_us() + START_US;
    int fd;

    strcpy(agent->folder, "/tmp/http-bench-XXXXXX");
    if (mkdtemp(agent->folder) == NULL)
        die(agent->folder);
    agent->port = free_port();
    agent->pid = fork();
    if (agent->pid == 0)
        run_agent(agent);
    while ((fd = dial(agent)) < 0 && http_now_us() < end)
        nap();
    close(fd);
    while (strstr(http_ask(agent, "GET", "/v1/catalog/services?stale", NULL),
                  "consul\"") == NULL &&
           http_now_us() < end)
        nap();
}

void http_agent_stop(struct http_agent *agent)
{
    char *command = base_asprintf("rm -r %s", agent->folder);

    kill(agent->pid, SIGTERM);
    waitpid(agent->pid, NULL, 0);
    if (system(command) != 0)
        die(agent->folder);
    base_free(command);
}

uint64_t http_agent_resident_kib(const struct http_agent *agent)
{
    char *path = base_asprintf("/proc/%d/status", (int)agent->pid);
    FILE *file = fopen(path, "r");
    uint64_t value = 0;
    char line[200];

    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, "VmRSS:", 6) == 0)
            value = strtoull(line + 6, NULL, 10);
    if (file != NULL)
        fclose(file);
    base_free(path);
    return value;
}
