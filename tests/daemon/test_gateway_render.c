/* The route table as text for HAProxy and nginx, and the process that keeps
 * such a file in place: gateway_feed.py says what holds. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "gateway/render.h"
#include "gateway_world.h"
#include "suite.h"

static struct routes *make_routes(const char *domain)
{
    struct base_addr far[] = {gw_addr("192.0.2.1:8443"),
                              gw_addr("[2001:db8::1]:8443")};
    struct base_addr near[] = {gw_addr("192.0.2.3:8443")};
    struct routes_server servers[] = {{"s1", gw_addr("10.0.0.1:8300")},
                                      {"s2", gw_addr("10.0.0.2:8300")},
                                      {"x; }", gw_addr("10.0.0.3:8300")}};
    struct routes_site sites[] = {
        {"dc2", far, 2}, {"dc3", near, 1}, {"dc4", NULL, 0}};
    struct routes_input input = {.datacenter = "dc1",
                                 .domain = domain,
                                 .expose_servers = true,
                                 .servers = servers,
                                 .server_count = 3,
                                 .sites = sites,
                                 .site_count = 3};

    return routes_new(&input);
}

static char *make_text(render_fn render, const char *path, const char *domain)
{
    struct routes *routes = make_routes(domain);
    struct render_input input = {
        .routes = routes,
        .listen = {gw_addr("10.0.0.9:8443"), gw_addr("198.51.100.9:8443")},
        .from_lan = gw_addr("10.0.0.9:8443"),
        .from_wan = gw_addr("198.51.100.9:8443"),
        .path = path};
    char *text = render(&input);

    routes_free(routes);
    return text;
}

/* Lines that must be there, in this order. */
static void expect(const char *text, const char *const *lines, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        const char *found = strstr(text, lines[i]);

        ck_assert_msg(found != NULL, "missing: %s\nin:\n%s", lines[i], text);
        text = found + strlen(lines[i]);
    }
}

START_TEST(haproxy_has_every_row)
{
    static const char *const lines[] = {
        "    stats socket /run/i.cfg.sock mode 600 level admin\n",
        "    bind 10.0.0.9:8443\n    bind 198.51.100.9:8443\n",
        "    tcp-request content reject\n    default_backend refused\n",
        "    use_backend _.server.dc2.consul if { req.ssl_sni -i -m reg "
        "^[^.]+\\.server\\.dc2\\.consul$ }\n",
        "    use_backend s1.server.dc1.consul if { req.ssl_sni -i "
        "s1.server.dc1.consul }\n",
        "backend refused\n    tcp-request content reject\n",
        "backend _.server.dc2.consul\n"
        "    server 192.0.2.1:8443 192.0.2.1:8443 source 198.51.100.9:0\n"
        "    server 2001:db8::1:8443 [2001:db8::1]:8443\n",
        "backend _.server.dc4.consul\n    # nobody is there now\n",
        "backend s1.server.dc1.consul\n"
        "    server 10.0.0.1:8300 10.0.0.1:8300 source 10.0.0.9:0\n",
        "backend server.dc1.consul\n"
        "    server 10.0.0.1:8300 10.0.0.1:8300 source 10.0.0.9:0\n"
        "    server 10.0.0.2:8300 10.0.0.2:8300 source 10.0.0.9:0\n",
    };
    char *text = make_text(render_haproxy, "/run/i.cfg", "consul");

    expect(text, lines, BASE_COUNT_OF(lines));
    ck_assert_ptr_null(strstr(text, "x; }"));
    base_free(text);
}
END_TEST

START_TEST(nginx_has_every_row)
{
    static const char *const lines[] = {
        "pid /run/i.cfg.pid;\n",
        "        default refused;\n",
        "        \"~*^[^.]+\\.server\\.dc2\\.consul$\" "
        "_.server.dc2.consul;\n",
        "        s1.server.dc1.consul s1.server.dc1.consul;\n",
        "        default \"\";\n",
        "        _.server.dc3.consul 198.51.100.9;\n",
        "        s1.server.dc1.consul 10.0.0.9;\n",
        "    upstream _.server.dc2.consul {\n        least_conn;\n"
        "        server 192.0.2.1:8443 max_fails=1 fail_timeout=10s;\n"
        "        server [2001:db8::1]:8443 max_fails=1",
        "    upstream _.server.dc4.consul {\n        least_conn;\n"
        "        # nobody is there now\n        server 127.0.0.1:9 down;\n",
        "        listen 10.0.0.9:8443;\n        listen 198.51.100.9:8443;\n",
    };
    char *text = make_text(render_nginx, "/run/i.cfg", "consul");

    expect(text, lines, BASE_COUNT_OF(lines));
    ck_assert_ptr_null(strstr(text, "x; }"));
    /* Targets of both families: no source fits both. */
    ck_assert_ptr_null(strstr(text, "_.server.dc2.consul 198"));
    base_free(text);
}
END_TEST

START_TEST(what_is_printed_has_no_files)
{
    char *haproxy = make_text(render_haproxy, NULL, "consul");
    char *nginx = make_text(render_nginx, NULL, "consul");

    ck_assert_ptr_null(strstr(haproxy, "stats socket"));
    ck_assert_ptr_null(strstr(nginx, "pid"));
    base_free(haproxy);
    base_free(nginx);
}
END_TEST

START_TEST(a_domain_breaks_out_of_nothing)
{
    char *haproxy = make_text(render_haproxy, NULL, "consul }\n    bind :1");
    char *nginx = make_text(render_nginx, NULL, "x; } daemon off");

    ck_assert_ptr_null(strstr(haproxy, "bind :1"));
    ck_assert_ptr_null(strstr(nginx, "daemon off"));
    base_free(haproxy);
    base_free(nginx);
}
END_TEST

START_TEST(a_file_is_kept_in_place)
{
    ck_assert_int_eq(
        system("python3 -B '" TEST_DATA "/gateway_feed.py' '" ISTHMUS_BIN "'"),
        0);
}
END_TEST

Suite *gateway_render_suite(void)
{
    Suite *suite = suite_create("gateway_render");
    TCase *tcase = tcase_create("text");

    tcase_add_test(tcase, haproxy_has_every_row);
    tcase_add_test(tcase, nginx_has_every_row);
    tcase_add_test(tcase, what_is_printed_has_no_files);
    tcase_add_test(tcase, a_domain_breaks_out_of_nothing);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("run");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, a_file_is_kept_in_place);
    suite_add_tcase(suite, tcase);
    return suite;
}
