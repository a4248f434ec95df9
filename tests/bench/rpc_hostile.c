/*
 * The server port of an agent, with its limits, while a process of strangers
 * from 250 addresses floods it; and an honest caller beside them, who asks on
 * his connection every millisecond and opens a new one five times a second.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "rpc_load.h"

#define CONNECTIONS_MAX 8000u
#define SOURCES 250u
#define ASKED_MAX 100000u

/* What the strangers do. */
struct flood {
    const char *what;
    unsigned connections; /* open at any time, as far as they are let */
    unsigned per_second;  /* opened, at most */
    const void *says;     /* then silence */
    size_t says_len;
};

static uint8_t hello[1024]; /* a good one */
static size_t hello_len;

static void make_hello(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    BIO *out = BIO_new(BIO_s_mem());
    static const unsigned char alpn[] = "\x11isthmus/rpc-multi";

    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
    SSL_set_connect_state(ssl);
    SSL_set_alpn_protos(ssl, alpn, sizeof(alpn) - 1);
    SSL_do_handshake(ssl);
    hello_len = (size_t)BIO_read(out, hello, sizeof(hello));
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

/* ---- strangers ---- */

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int stranger(const struct base_addr *server, unsigned number)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(server->port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int on = 1;

    if (fd < 0)
        return -1;
    from.sin_addr.s_addr =
        htonl(0x7f010001u + (number % SOURCES << 8)); /* 127.1.x.1 */
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&from, sizeof(from)) != 0 ||
        (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 &&
         errno != EINPROGRESS)) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Says its part when connected; hangs up when anything comes. True if it is
 * over. */
static bool serve_stranger(const struct flood *flood, int poll_fd,
                           const struct epoll_event *event)
{
    struct epoll_event only_in = {EPOLLIN, {.fd = event->data.fd}};

    if ((event->events & ~(unsigned)EPOLLOUT) != 0) {
        close(event->data.fd);
        return true;
    }
    if (flood->says_len > 0 && send(event->data.fd, flood->says,
                                    flood->says_len, MSG_NOSIGNAL) < 0) {
        close(event->data.fd);
        return true;
    }
    epoll_ctl(poll_fd, EPOLL_CTL_MOD, event->data.fd, &only_in);
    return false;
}

static void run_flood(const struct flood *flood, const struct base_addr *server)
{
    int poll_fd = epoll_create1(0);
    unsigned open = 0, number = 0;
    double began_s = now_s();
    struct epoll_event events[256];
    int i, count;

    for (;;) {
        while (open < flood->connections &&
               number < (now_s() - began_s) * flood->per_second) {
            struct epoll_event event = {EPOLLIN | EPOLLOUT, {0}};

            event.data.fd = stranger(server, number++);
            if (event.data.fd < 0)
                continue;
            epoll_ctl(poll_fd, EPOLL_CTL_ADD, event.data.fd, &event);
            open++;
        }
        count = epoll_wait(poll_fd, events, 256, 2);
        for (i = 0; i < count; i++)
            open -= serve_stranger(flood, poll_fd, &events[i]);
    }
}

static pid_t start_flood(const struct flood *flood,
                         const struct base_addr *server)
{
    pid_t pid = flood->connections > 0 ? fork() : 0;

    if (pid == 0 && flood->connections > 0) {
        nice(5); /* they would have machines of their own */
        run_flood(flood, server);
    }
    return pid;
}

/* ---- the honest one ---- */

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

static double resident_mib(pid_t pid)
{
    char *path = base_asprintf("/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "r");
    unsigned long all = 0, resident = 0;

    if (file == NULL || fscanf(file, "%lu %lu", &all, &resident) != 2)
        rpc_bench_die("the server has no size");
    fclose(file);
    base_free(path);
    return (double)resident * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

static void print_percentiles(double *us, size_t count)
{
    if (count == 0) {
        printf(" | | |");
        return;
    }
    qsort(us, count, sizeof(*us), compare);
    printf(" %.2f | %.2f | %.1f |", us[count / 2] / 1e3,
           us[count * 99 / 100] / 1e3, us[count - 1] / 1e3);
}

static void measure(const struct flood *flood, const char *folder,
                    double seconds)
{
    double *asked_us = base_calloc(ASKED_MAX, sizeof(double));
    double *fresh_us = base_calloc(ASKED_MAX, sizeof(double));
    size_t asked = 0, fresh = 0, tried = 0, lost = 0;
    double us;
    struct rpc_caller *steady, *comer;
    struct base_addr server;
    double from_s, next_s;
    int life;
    pid_t pid = rpc_place_start(folder, 0, &server, &life), strangers;

    steady = rpc_caller_open(folder, &server);
    comer = rpc_caller_open(folder, &server);
    rpc_caller_ask(steady, false);
    strangers = start_flood(flood, &server);
    sleep(3); /* until the floor is full */
    for (from_s = next_s = now_s(); now_s() < from_s + seconds;) {
        us = rpc_caller_ask(steady, false);
        if (us >= 0)
            asked_us[asked++] = us;
        lost += us < 0;
        if (now_s() >= next_s) {
            us = rpc_caller_ask(comer, true);
            if (us >= 0)
                fresh_us[fresh++] = us;
            tried++;
            next_s += 0.2;
        }
        usleep(1000);
    }
    printf("| %s |", flood->what);
    print_percentiles(asked_us, asked);
    print_percentiles(fresh_us, fresh);
    printf(" %zu of %zu | %.0f |\n", tried - fresh, tried, resident_mib(pid));
    if (lost > 0)
        printf("%zu calls were lost\n", lost);
    fflush(stdout);
    if (strangers > 0) {
        kill(strangers, SIGKILL);
        waitpid(strangers, NULL, 0);
    }
    rpc_caller_close(steady);
    rpc_caller_close(comer);
    close(life);
    waitpid(pid, NULL, 0);
    base_free(asked_us);
    base_free(fresh_us);
}

void rpc_hostile_run(const char *folder, double seconds)
{
    struct rlimit files = {0};
    struct flood floods[] = {
        {"nobody", 0, 0, NULL, 0},
        {"8,000 that say nothing", CONNECTIONS_MAX, 4000, NULL, 0},
        {"8,000 that stop in the handshake", CONNECTIONS_MAX, 4000, "\x16\x03",
         2},
        {"500 handshakes a second", CONNECTIONS_MAX, 500, hello, 0},
        {"5,000 handshakes a second", CONNECTIONS_MAX, 5000, hello, 0},
    };
    size_t i;

    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    make_hello();
    floods[3].says_len = floods[4].says_len = hello_len;
    printf("| strangers | a call: p50 ms | p99 | max | a new connection: "
           "p50 ms | p99 | max | failed | server MiB |\n"
           "| --- | --: | --: | --: | --: | --: | --: | --: | --: |\n");
    fflush(stdout);
    for (i = 0; i < BASE_COUNT_OF(floods); i++)
        measure(&floods[i], folder, seconds);
}
