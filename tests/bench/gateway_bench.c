/*
 * The two ends of what gateway_bench.py measures: TLS servers and TLS clients,
 * a thread a connection, so that only what is between them differs. Without
 * words, or with flags, it runs that script.
 *
 *   serve CERT KEY            TLS: hears one letter, then echoes (e) or discards
 *   hold                      accepts TCP and says nothing
 *     both print their port, and run until standard input ends
 *   rate IP PORT NAME N S     new connections a second, N at once, for S s
 *   flow IP PORT NAME N S     MiB/s from N clients, for S s, and bytes
 *   trip IP PORT NAME N COUNT median us of COUNT round trips of 256 B
 *   idle IP PORT NAME N       N connections that say a hello and no more, from
 *                             127.1.0.0/16; prints "open", waits for the end
 *                             of standard input
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 64
#define CHUNK_BYTES (64u * 1024u)
#define TRIP_BYTES 256
#define IDLE_PER_SOURCE 1000u
#define TRIPS_MAX 100000
#define SCRIPT_WORDS_MAX 32

static SSL_CTX *context;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- servers --------------------------------------------------------------
 */

static void talk(SSL *ssl)
{
    static _Thread_local char chunk[CHUNK_BYTES];
    char letter;
    int got;

    if (SSL_accept(ssl) != 1 || SSL_read(ssl, &letter, 1) != 1)
        return;
    while ((got = SSL_read(ssl, chunk, sizeof(chunk))) > 0)
        if (letter == 'e' && SSL_write(ssl, chunk, got) != got)
            return;
}

static void *serve_one(void *arg)
{
    int fd = (int)(intptr_t)arg;
    SSL *ssl = SSL_new(context);

    SSL_set_fd(ssl, fd);
    talk(ssl);
    SSL_free(ssl);
    ERR_clear_error();
    close(fd);
    return NULL;
}

static void *hold_one(void *arg)
{
    return arg; /* the connection stays open */
}

static void *accept_all(void *arg)
{
    void *(*one)(void *) = context != NULL ? serve_one : hold_one;
    int listener = (int)(intptr_t)arg;

    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        int on = 1;
        pthread_t thread;

        if (fd < 0)
            continue;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (one == hold_one)
            continue;
        if (pthread_create(&thread, NULL, one, (void *)(intptr_t)fd) != 0)
            close(fd);
        else
            pthread_detach(thread);
    }
    return NULL;
}

static void run_server(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pthread_t thread;

    if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
        listen(fd, 1024) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) < 0)
        die("listen");
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);
    if (pthread_create(&thread, NULL, accept_all, (void *)(intptr_t)fd) != 0)
        die("thread");
    while (getchar() != EOF)
        ;
}

/* ---- clients --------------------------------------------------------------
 */

static struct {
    struct sockaddr_in to;
    const char *name;
    double end_s;
    int trips;
    atomic_ullong count; /* connections or bytes */
    atomic_int failures;
    double trip_us[TRIPS_MAX];
} load;

static int dial(uint32_t from)
{
    struct sockaddr_in source = {.sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl(from)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;

    if (from != 0) {
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
        if (bind(fd, (struct sockaddr *)&source, sizeof(source)) < 0)
            die("bind");
    }
    if (fd < 0 ||
        connect(fd, (struct sockaddr *)&load.to, sizeof(load.to)) < 0) {
        close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

static SSL *open_tls(void)
{
    int fd = dial(0);
    SSL *ssl = SSL_new(context);

    SSL_set_fd(ssl, fd);
    SSL_set_tlsext_host_name(ssl, load.name);
    if (fd >= 0 && SSL_connect(ssl) == 1)
        return ssl;
    load.failures++;
    SSL_free(ssl);
    close(fd);
    return NULL;
}

static void close_tls(SSL *ssl)
{
    int fd = SSL_get_fd(ssl);

    SSL_free(ssl);
    close(fd);
}

static void *make_rate(void *arg)
{
    while (now_s() < load.end_s) {
        SSL *ssl = open_tls();

        if (ssl == NULL)
            continue;
        load.count++;
        close_tls(ssl);
    }
    return arg;
}

static void *make_flow(void *arg)
{
    static char chunk[CHUNK_BYTES];
    SSL *ssl = open_tls();

    if (ssl == NULL || SSL_write(ssl, "d", 1) != 1)
        return NULL;
    while (now_s() < load.end_s &&
           SSL_write(ssl, chunk, sizeof(chunk)) == (int)sizeof(chunk))
        load.count += sizeof(chunk);
    close_tls(ssl);
    return arg;
}

static void *make_trips(void *arg)
{
    char bytes[TRIP_BYTES] = {0};
    SSL *ssl = open_tls();
    int i;

    if (ssl == NULL || SSL_write(ssl, "e", 1) != 1)
        return NULL;
    for (i = 0; i < load.trips; i++) {
        double began_s = now_s();
        int got = 0, n = 1;

        SSL_write(ssl, bytes, sizeof(bytes));
        while (got < TRIP_BYTES && n > 0) {
            n = SSL_read(ssl, bytes + got, TRIP_BYTES - got);
            got += n;
        }
        load.trip_us[i] = (now_s() - began_s) * 1e6;
    }
    close_tls(ssl);
    return arg;
}

static void run_threads(void *(*run)(void *), int count)
{
    pthread_t threads[THREADS_MAX];
    int i;

    for (i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, run, NULL) != 0)
            die("thread");
    for (i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

static int compare_us(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return left < right ? -1 : left > right;
}

/* ---- idle connections -----------------------------------------------------
 */

static int make_hello(char *out, int size)
{
    SSL *ssl = SSL_new(context);
    BIO *in = BIO_new(BIO_s_mem()), *hello = BIO_new(BIO_s_mem());
    int len;

    SSL_set_bio(ssl, in, hello);
    SSL_set_tlsext_host_name(ssl, load.name);
    SSL_connect(ssl); /* wants an answer, which will not come */
    len = BIO_read(hello, out, size);
    SSL_free(ssl);
    return len;
}

static void run_idle(unsigned count)
{
    char hello[4096];
    int len = make_hello(hello, sizeof(hello));
    unsigned i;

    for (i = 0; i < count; i++) {
        int fd = dial(0x7f010001u + i / IDLE_PER_SOURCE);

        if (fd < 0 || write(fd, hello, (size_t)len) != len)
            die("idle connection");
    }
    printf("open\n");
    fflush(stdout);
    while (getchar() != EOF)
        ;
}

/* ---- the command line -----------------------------------------------------
 */

static void allow_descriptors(void)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void make_server_context(const char *cert, const char *key)
{
    context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_num_tickets(context, 0);
    if (SSL_CTX_use_certificate_file(context, cert, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
        exit(1);
}

static void run_client(const char *mode, int count, double last)
{
    double began_s = now_s();

    load.end_s = began_s + last;
    load.trips = last < TRIPS_MAX ? (int)last : TRIPS_MAX;
    if (strcmp(mode, "rate") == 0) {
        run_threads(make_rate, count);
        printf("%.1f %llu\n", (double)load.count / (now_s() - began_s),
               (unsigned long long)load.count);
    } else if (strcmp(mode, "flow") == 0) {
        run_threads(make_flow, count);
        printf("%.1f %llu\n",
               (double)load.count / (now_s() - began_s) / 1048576.0,
               (unsigned long long)load.count);
    } else if (strcmp(mode, "trip") == 0) {
        run_threads(make_trips, 1);
        qsort(load.trip_us, (size_t)load.trips, sizeof(*load.trip_us),
              compare_us);
        printf("%.1f %d\n", load.trip_us[load.trips / 2], load.trips);
    } else {
        run_idle((unsigned)count);
    }
}

/* It lies where this file does, beside the folder of test data. */
static void run_script(int argc, char **argv)
{
    const char *words[SCRIPT_WORDS_MAX + 6] = {"python3", "-B"};
    char path[4096];
    int count = 2, i;

    snprintf(path, sizeof(path), "%.*sgateway_bench.py",
             (int)(strlen(TEST_DATA) - strlen("data")), TEST_DATA);
    words[count++] = path;
    words[count++] = ISTHMUS_BIN;
    words[count++] = argv[0];
    for (i = 1; i < argc && i <= SCRIPT_WORDS_MAX; i++)
        words[count++] = argv[i];
    execvp("python3", (char **)(uintptr_t)words);
    die("python3");
}

int main(int argc, char **argv)
{
    allow_descriptors();
    if (argc == 1 || argv[1][0] == '-')
        run_script(argc, argv);
    if (argc == 4 && strcmp(argv[1], "serve") == 0) {
        make_server_context(argv[2], argv[3]);
        run_server();
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "hold") == 0) {
        run_server();
        return 0;
    }
    if (argc < 6 || atoi(argv[5]) < 1 ||
        (strcmp(argv[1], "idle") != 0 &&
         (argc < 7 || atoi(argv[5]) > THREADS_MAX))) {
        fprintf(stderr, "usage: see the top of gateway_bench.c\n");
        return 2;
    }
    context = SSL_CTX_new(TLS_client_method());
    load.to.sin_family = AF_INET;
    load.to.sin_port = htons((uint16_t)atoi(argv[3]));
    load.name = argv[4];
    if (inet_pton(AF_INET, argv[2], &load.to.sin_addr) != 1)
        return 2;
    run_client(argv[1], atoi(argv[5]), argc > 6 ? atof(argv[6]) : 0);
    if (load.failures > 0) {
        fprintf(stderr, "%d connections failed\n", load.failures);
        return 1;
    }
    return 0;
}
