/*
 * HAProxy (2.6 and later): one frontend with a line a row, one backend a row.
 * A name is matched exactly or, for a wildcard, by a regular expression; order
 * does not matter, as no name matches two rows. What matches none ends in a
 * backend that rejects, so that refusals are counted in HAProxy's statistics.
 *
 * The text says in its description which text it is, but for the servers:
 * haproxy_live.h changes those of a running HAProxy, and sees by the
 * description that nothing else has to change.
 */
#include "gateway/render.h"

#include <inttypes.h>
#include <openssl/sha.h>
#include <string.h>

/* A number for a text; 0 is none. */
static uint64_t number_of(const struct base_buf *text)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    uint64_t number;

    SHA256(base_buf_data(text), base_buf_len(text), digest);
    memcpy(&number, digest, sizeof(number));
    return number | 1;
}

static void put_global(struct base_buf *text, const struct render_input *input,
                       uint64_t number)
{
    base_buf_printf(
        text,
        "\nglobal\n"
        "    # All but the servers below, in a number: as long as a HAProxy\n"
        "    # shows it (\"show info\"), the rest is changed with no reload.\n"
        "    description isthmus-%016" PRIx64 "\n"
        "    log stdout format raw daemon info\n"
        "    # Two for each of 16,384 connections, or what the system gives.\n"
        "    fd-hard-limit 33000\n",
        number);
    if (input->path != NULL)
        base_buf_printf(text,
                        "    # Ask it: echo \"show stat\" | socat - %s.sock\n"
                        "    stats socket %s.sock mode 600 level admin\n",
                        input->path, input->path);
    base_buf_printf(
        text,
        "\ndefaults\n"
        "    mode tcp\n"
        "    log global\n"
        "    timeout connect 2s\n"
        "    # Longer than any blocking query may wait.\n"
        "    timeout client 15m\n"
        "    timeout server 15m\n"
        "    timeout client-fin 1m\n"
        "    timeout server-fin 1m\n"
        "    balance leastconn\n"
        "    # Another target at once if one does not answer.\n"
        "    retries 3\n"
        "    option redispatch 1\n"
        "    option clitcpka\n"
        "    option srvtcpka\n");
}

static void put_condition(struct base_buf *text, const char *pattern)
{
    if (*pattern != '*') {
        base_buf_printf(text, "{ req.ssl_sni -i %s }", pattern);
        return;
    }
    base_buf_printf(text, "{ req.ssl_sni -i -m reg ");
    render_regex(text, pattern);
    base_buf_printf(text, " }");
}

static void put_frontend(struct base_buf *text,
                         const struct render_input *input)
{
    char addr[BASE_ADDR_TEXT_MAX];
    size_t count, i;
    const struct route *rows = routes_rows(input->routes, &count);

    base_buf_printf(text, "\nfrontend isthmus\n");
    for (i = 0; i < RENDER_LISTENERS_MAX; i++)
        if (input->listen[i].family != 0)
            base_buf_printf(text, "    bind %s\n",
                            base_addr_format(&input->listen[i], addr));
    base_buf_printf(
        text, "    log-format \"%%ci:%%cp name=%%[var(sess.name)] to=%%b "
              "target=%%si:%%sp out=%%B in=%%U ms=%%Tt end=%%ts\"\n"
              "    # The name is in the clear in the first bytes.\n"
              "    tcp-request inspect-delay 5s\n"
              "    tcp-request content set-var(sess.name) req.ssl_sni,lower "
              "if { req.ssl_hello_type 1 }\n"
              "    tcp-request content accept if { req.ssl_hello_type 1 }\n"
              "    tcp-request content reject\n"
              "    default_backend refused\n");
    for (i = 0; i < count; i++) {
        base_buf_printf(text, "    use_backend ");
        render_group(text, &rows[i]);
        base_buf_printf(text, " if ");
        put_condition(text, rows[i].pattern);
        base_buf_printf(text, "\n");
    }
    base_buf_printf(text, "\nbackend refused\n"
                          "    tcp-request content reject\n");
}

/* A server is called by its address, so that the file and the runtime socket
 * agree on names with no memory of the past. "[" is no letter of a name. */
static void put_server_name(struct base_buf *text, const struct base_addr *to)
{
    char ip[BASE_ADDR_TEXT_MAX];

    base_buf_printf(text, "    server %s:%u ", base_addr_format_ip(to, ip),
                    to->port);
}

static void put_servers(struct base_buf *text, const struct render_input *input,
                        const struct route *row)
{
    char addr[BASE_ADDR_TEXT_MAX];
    size_t i;

    if (row->target_count == 0)
        base_buf_printf(text, "    # nobody is there now\n");
    for (i = 0; i < row->target_count; i++) {
        const struct base_addr *to = &row->targets[i];
        const struct base_addr *from = render_source(input, row, to);

        put_server_name(text, to);
        base_buf_printf(text, "%s", base_addr_format(to, addr));
        if (from != NULL) {
            struct base_addr source = *from;

            source.port = 0;
            base_buf_printf(text, " source %s",
                            base_addr_format(&source, addr));
        }
        base_buf_printf(text, "\n");
    }
}

static void put_backend(struct base_buf *text, const struct route *row)
{
    base_buf_printf(text, "\n# %s\nbackend ",
                    row->wan ? "gateways of another datacenter"
                             : "servers of this datacenter");
    render_group(text, row);
    base_buf_printf(text, "\n");
}

/* number 0: without servers. */
static void put_all(struct base_buf *text, const struct render_input *input,
                    uint64_t number)
{
    size_t count, i;
    const struct route *rows = routes_rows(input->routes, &count);

    render_begin(text, input);
    put_global(text, input, number);
    put_frontend(text, input);
    for (i = 0; i < count; i++) {
        put_backend(text, &rows[i]);
        if (number != 0)
            put_servers(text, input, &rows[i]);
    }
}

char *render_haproxy(const struct render_input *input)
{
    struct base_buf frame = BASE_BUF_INIT, text = BASE_BUF_INIT;

    put_all(&frame, input, 0);
    put_all(&text, input, number_of(&frame));
    base_buf_close(&frame);
    return base_buf_take_string(&text);
}
