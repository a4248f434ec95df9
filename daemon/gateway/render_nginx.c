/*
 * nginx (1.21.4 and later, with its stream and ssl_preread modules): an
 * upstream a row, a map from names to them, and a map from them to the address
 * that nginx dials from. A name that no row has gets an upstream whose only
 * server is down: the connection is closed.
 */
#include "gateway/render.h"

#include <sys/socket.h>

static void put_main(struct base_buf *text, const struct render_input *input)
{
    if (input->path != NULL)
        base_buf_printf(text, "\npid %s.pid;\n", input->path);
    base_buf_printf(
        text,
        "# Where the stream module is a file of its own, as in Debian.\n"
        "include /etc/nginx/modules-enabled/*-mod-stream.conf;\n"
        "worker_processes auto;\n"
        "worker_rlimit_nofile 16384;\n"
        "# At this level a connection is told when it comes, is joined to a\n"
        "# target and ends. There is no access log: under systemd there is no\n"
        "# /dev/stdout to open, and a file would grow for ever.\n"
        "error_log stderr info;\n"
        "events {\n"
        "    worker_connections 8192;\n"
        "}\n"
        "\nstream {\n"
        "    access_log off;\n");
}

static void put_key(struct base_buf *text, const struct route *row)
{
    base_buf_printf(text, "        ");
    if (*row->pattern == '*') {
        base_buf_printf(text, "\"~*");
        render_regex(text, row->pattern);
        base_buf_printf(text, "\"");
    } else {
        base_buf_printf(text, "%s", row->pattern);
    }
}

static void put_names(struct base_buf *text, const struct route *rows,
                      size_t count)
{
    size_t i;

    base_buf_printf(text,
                    "\n    # The name in the hello decides, in any case.\n"
                    "    map $ssl_preread_server_name $isthmus_row {\n"
                    "        default refused;\n");
    for (i = 0; i < count; i++) {
        put_key(text, &rows[i]);
        base_buf_printf(text, " ");
        render_group(text, &rows[i]);
        base_buf_printf(text, ";\n");
    }
    base_buf_printf(text, "    }\n");
}

/* A row has one source: none if its targets are of several families. */
static const struct base_addr *row_source(const struct render_input *input,
                                          const struct route *row)
{
    const struct base_addr *from = NULL;
    size_t i;

    for (i = 0; i < row->target_count; i++) {
        from = render_source(input, row, &row->targets[i]);
        if (from == NULL)
            return NULL;
    }
    return from;
}

static void put_sources(struct base_buf *text, const struct render_input *input,
                        const struct route *rows, size_t count)
{
    char ip[BASE_ADDR_TEXT_MAX];
    size_t i;

    base_buf_printf(text, "\n    # Between datacenters only gateways are seen, "
                          "by their WAN address.\n"
                          "    map $isthmus_row $isthmus_source {\n"
                          "        default \"\";\n");
    for (i = 0; i < count; i++) {
        const struct base_addr *from = row_source(input, &rows[i]);
        bool v6 = from != NULL && from->family == AF_INET6;

        if (from == NULL)
            continue;
        base_buf_printf(text, "        ");
        render_group(text, &rows[i]);
        base_buf_printf(text, " %s%s%s;\n", v6 ? "[" : "",
                        base_addr_format_ip(from, ip), v6 ? "]" : "");
    }
    base_buf_printf(text, "    }\n");
}

static void put_upstream(struct base_buf *text, const struct route *row)
{
    char addr[BASE_ADDR_TEXT_MAX];
    size_t i;

    base_buf_printf(text, "\n    # %s\n    upstream ",
                    row->wan ? "gateways of another datacenter"
                             : "servers of this datacenter");
    render_group(text, row);
    base_buf_printf(text, " {\n        least_conn;\n");
    if (row->target_count == 0) /* an upstream has to have one */
        base_buf_printf(text, "        # nobody is there now\n"
                              "        server 127.0.0.1:9 down;\n");
    for (i = 0; i < row->target_count; i++)
        base_buf_printf(text,
                        "        server %s max_fails=1 fail_timeout=10s;\n",
                        base_addr_format(&row->targets[i], addr));
    base_buf_printf(text, "    }\n");
}

static void put_server(struct base_buf *text, const struct render_input *input)
{
    char addr[BASE_ADDR_TEXT_MAX];
    size_t i;

    base_buf_printf(text, "\n    upstream refused {\n"
                          "        server 127.0.0.1:9 down;\n"
                          "    }\n"
                          "\n    server {\n");
    for (i = 0; i < RENDER_LISTENERS_MAX; i++)
        if (input->listen[i].family != 0)
            base_buf_printf(text, "        listen %s;\n",
                            base_addr_format(&input->listen[i], addr));
    base_buf_printf(text,
                    "        ssl_preread on;\n"
                    "        preread_buffer_size 16k;\n"
                    "        preread_timeout 5s;\n"
                    "        proxy_pass $isthmus_row;\n"
                    "        proxy_bind $isthmus_source;\n"
                    "        proxy_connect_timeout 2s;\n"
                    "        proxy_next_upstream on;\n"
                    "        proxy_next_upstream_tries 4;\n"
                    "        # Longer than any blocking query may wait.\n"
                    "        proxy_timeout 15m;\n"
                    "        proxy_half_close on;\n"
                    "        proxy_socket_keepalive on;\n"
                    "    }\n"
                    "}\n");
}

char *render_nginx(const struct render_input *input)
{
    struct base_buf text = BASE_BUF_INIT;
    size_t count, i;
    const struct route *rows = routes_rows(input->routes, &count);

    render_begin(&text, input);
    put_main(&text, input);
    put_names(&text, rows, count);
    put_sources(&text, input, rows, count);
    for (i = 0; i < count; i++)
        put_upstream(&text, &rows[i]);
    put_server(&text, input);
    return base_buf_take_string(&text);
}
