/*
 * The WAN between network namespaces, as a relay of IP packets: a TUN device
 * "wan" in each namespace that is named, and between any two of them delay,
 * jitter, loss and reordering, drawn from a seed. Kernels without netem have
 * nothing else. A packet goes to whoever has its destination address.
 *
 *   wanlink -seed 1 -delay-ms 20 -jitter-ms 4 -loss 0.005 -reorder 0.01
 *           NAMESPACE=IP...
 *
 * Prints "ready" once all devices are there; the caller gives them their
 * addresses. A byte of input asks for a line of what passed; its end ends us.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define ENDS_MAX 32
#define PACKET_BYTES_MAX 2048
#define WAITING_MAX 65536 /* 128 MiB; more are lost, as in any full queue */
#define PER_TURN 64

struct end {
    int fd;
    uint32_t address; /* network order */
};

struct packet {
    uint64_t due_ns, sequence;
    const struct end *to;
    size_t len;
    unsigned char data[PACKET_BYTES_MAX];
};

static struct {
    uint64_t seed;
    double delay_ms, jitter_ms, loss, reorder;
    struct end ends[ENDS_MAX];
    nfds_t end_count;
    struct packet *waiting[WAITING_MAX]; /* a heap by due time */
    size_t waiting_count;
    uint64_t last_due_ns[ENDS_MAX]; /* packets to one end keep their order */
    uint64_t sequence;
    uint64_t passed, lost, reordered, unknown;
} wan = {.seed = 1};

static void die(const char *what)
{
    fprintf(stderr, "wanlink: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Of [0, 1): xorshift64*, by Vigna. */
static double draw(void)
{
    wan.seed ^= wan.seed >> 12;
    wan.seed ^= wan.seed << 25;
    wan.seed ^= wan.seed >> 27;
    return (double)((wan.seed * UINT64_C(2685821657736338717)) >> 11) /
           9007199254740992.0;
}

/* ---- devices -------------------------------------------------------------- */

static int open_tun(const char *namespace)
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), there, fd;
    char path[256];

    snprintf(path, sizeof(path), "/run/netns/%s", namespace);
    there = open(path, O_RDONLY | O_CLOEXEC);
    if (home < 0 || there < 0 || setns(there, CLONE_NEWNET) != 0)
        die(path);
    fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    strcpy(request.ifr_name, "wan");
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0)
        die("/dev/net/tun");
    if (setns(home, CLONE_NEWNET) != 0)
        die("the way home");
    close(there);
    close(home);
    return fd;
}

static void add_end(char *argument)
{
    char *equals = strchr(argument, '=');
    struct in_addr address;

    if (equals == NULL || wan.end_count == ENDS_MAX ||
        inet_pton(AF_INET, equals + 1, &address) != 1) {
        fprintf(stderr, "wanlink: wanted NAMESPACE=IP, not %s\n", argument);
        exit(2);
    }
    *equals = '\0';
    wan.ends[wan.end_count++] =
        (struct end){open_tun(argument), address.s_addr};
}

/* ---- packets that wait ---------------------------------------------------- */

static int is_before(const struct packet *a, const struct packet *b)
{
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns
                                  : a->sequence < b->sequence;
}

static void swap(size_t a, size_t b)
{
    struct packet *packet = wan.waiting[a];

    wan.waiting[a] = wan.waiting[b];
    wan.waiting[b] = packet;
}

static void push(struct packet *packet)
{
    size_t at = wan.waiting_count++;

    wan.waiting[at] = packet;
    for (; at > 0 && is_before(wan.waiting[at], wan.waiting[(at - 1) / 2]);
         at = (at - 1) / 2)
        swap(at, (at - 1) / 2);
}

static struct packet *pop(void)
{
    struct packet *first = wan.waiting[0];
    size_t at = 0;

    wan.waiting[0] = wan.waiting[--wan.waiting_count];
    for (;;) {
        size_t least = at, child;

        for (child = 2 * at + 1; child <= 2 * at + 2; child++)
            if (child < wan.waiting_count &&
                is_before(wan.waiting[child], wan.waiting[least]))
                least = child;
        if (least == at)
            return first;
        swap(at, least);
        at = least;
    }
}

/* ---- the link ------------------------------------------------------------- */

static const struct end *end_of(const unsigned char *data, size_t len)
{
    uint32_t address;
    nfds_t i;

    if (len < 20 || data[0] >> 4 != 4)
        return NULL;
    memcpy(&address, data + 16, sizeof(address));
    for (i = 0; i < wan.end_count; i++)
        if (wan.ends[i].address == address)
            return &wan.ends[i];
    return NULL;
}

/* Jitter alone keeps the order; a packet that is to be reordered may pass
 * others by as much as the whole delay. */
static void take(const unsigned char *data, size_t len)
{
    const struct end *to = end_of(data, len);
    struct packet *packet;
    uint64_t *last;
    double ms;

    if (to == NULL) {
        wan.unknown++;
        return;
    }
    if (draw() < wan.loss || wan.waiting_count == WAITING_MAX) {
        wan.lost++;
        return;
    }
    packet = malloc(sizeof(*packet));
    if (packet == NULL)
        die("memory");
    last = &wan.last_due_ns[to - wan.ends];
    ms = wan.delay_ms + (2 * draw() - 1) * wan.jitter_ms;
    packet->due_ns = now_ns() + (uint64_t)(ms > 0 ? ms * 1e6 : 0);
    if (draw() < wan.reorder) {
        packet->due_ns += (uint64_t)(draw() * wan.delay_ms * 1e6);
        wan.reordered++;
    } else if (packet->due_ns < *last) {
        packet->due_ns = *last;
    } else {
        *last = packet->due_ns;
    }
    packet->sequence = wan.sequence++;
    packet->to = to;
    packet->len = len;
    memcpy(packet->data, data, len);
    push(packet);
}

static void read_end(const struct end *end)
{
    unsigned char data[PACKET_BYTES_MAX];
    ssize_t len;
    int i;

    for (i = 0; i < PER_TURN; i++) {
        len = read(end->fd, data, sizeof(data));
        if (len <= 0)
            return;
        take(data, (size_t)len);
    }
}

static void deliver(void)
{
    while (wan.waiting_count > 0 && wan.waiting[0]->due_ns <= now_ns()) {
        struct packet *packet = pop();

        /* A device that is down or full takes none: lost, too. */
        if (write(packet->to->fd, packet->data, packet->len) < 0)
            wan.lost++;
        else
            wan.passed++;
        free(packet);
    }
}

static struct timespec until_next(void)
{
    uint64_t now = now_ns(), due = now + 1000000000u;

    if (wan.waiting_count > 0)
        due = wan.waiting[0]->due_ns;
    due = due > now ? due - now : 0;
    return (struct timespec){(time_t)(due / 1000000000u),
                             (long)(due % 1000000000u)};
}

static void report(void)
{
    printf("passed=%llu lost=%llu reordered=%llu unknown=%llu\n",
           (unsigned long long)wan.passed, (unsigned long long)wan.lost,
           (unsigned long long)wan.reordered, (unsigned long long)wan.unknown);
    fflush(stdout);
}

/* Each byte of input asks for a report; its end ends us. */
static int asked(void)
{
    char byte;
    ssize_t len = read(STDIN_FILENO, &byte, 1);

    if (len == 1)
        report();
    return len > 0;
}

static void relay(void)
{
    struct pollfd fds[ENDS_MAX + 1];
    struct timespec wait;
    nfds_t i;

    for (i = 0; i < wan.end_count; i++)
        fds[i] = (struct pollfd){wan.ends[i].fd, POLLIN, 0};
    fds[wan.end_count] = (struct pollfd){STDIN_FILENO, POLLIN, 0};
    for (;;) {
        wait = until_next();
        if (ppoll(fds, wan.end_count + 1, &wait, NULL) < 0 && errno != EINTR)
            die("poll");
        for (i = 0; i < wan.end_count; i++)
            if (fds[i].revents & POLLIN)
                read_end(&wan.ends[i]);
        if (fds[wan.end_count].revents && !asked())
            return;
        deliver();
    }
}

int main(int argc, char **argv)
{
    const struct {
        const char *name;
        double *value;
    } options[] = {{"-delay-ms", &wan.delay_ms},
                   {"-jitter-ms", &wan.jitter_ms},
                   {"-loss", &wan.loss},
                   {"-reorder", &wan.reorder}};
    size_t j;
    int i;

    for (i = 1; i < argc; i++) {
        if (argv[i][0] != '-') {
            add_end(argv[i]);
            continue;
        }
        if (i + 1 < argc && strcmp(argv[i], "-seed") == 0)
            wan.seed = strtoull(argv[i + 1], NULL, 0) | 1;
        for (j = 0; i + 1 < argc && j < sizeof(options) / sizeof(options[0]);
             j++)
            if (strcmp(argv[i], options[j].name) == 0)
                *options[j].value = strtod(argv[i + 1], NULL);
        i++;
    }
    printf("ready\n");
    fflush(stdout);
    relay();
    return 0;
}
