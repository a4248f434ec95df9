/* The route table: federation.md section 11, row by row. */
#include <string.h>

#include "base/alloc.h"
#include "gateway/routes.h"
#include "gateway_world.h"
#include "suite.h"

static struct routes *make(bool expose)
{
    struct base_addr far[] = {
        gw_addr("192.0.2.2:8443"), gw_addr("192.0.2.1:8443"),
        gw_addr("192.0.2.2:8443"), gw_addr("10.0.0.9:8443")};
    struct routes_server servers[] = {{"S1", gw_addr("10.0.0.1:8300")},
                                      {"s2", gw_addr("10.0.0.2:8300")},
                                      {"bad.name", gw_addr("10.0.0.3:8300")},
                                      {"", gw_addr("10.0.0.4:8300")}};
    struct routes_site sites[] = {
        {"DC2", far, 4}, {"dc1", far, 4}, {"dc3", NULL, 0}, {"d.c", far, 4}};
    struct routes_input input = {.datacenter = "dc1",
                                 .domain = "Example.Org",
                                 .expose_servers = expose,
                                 .servers = servers,
                                 .server_count = 4,
                                 .sites = sites,
                                 .site_count = 4,
                                 .self = {gw_addr("10.0.0.9:8443")}};

    return routes_new(&input);
}

/* targets: how many; -1: no row at all. */
static const struct {
    const char *name;
    int targets;
    bool wan;
    const char *first;
} rows[] = {
    /* A server whose name cannot be asked for still serves "any of them". */
    {"server.dc1.example.org", 4, false, "10.0.0.1:8300"},
    {"s1.server.dc1.example.org", 1, false, "10.0.0.1:8300"},
    {"s2.server.dc1.example.org", 1, false, "10.0.0.2:8300"},
    {"s3.server.dc1.example.org", -1, false, NULL},
    {"bad.name.server.dc1.example.org", -1, false, NULL},
    {".server.dc1.example.org", -1, false, NULL},
    /* Equal addresses once, never the gateway itself. */
    {"server.dc2.example.org", 2, true, "192.0.2.1:8443"},
    {"any.server.dc2.example.org", 2, true, "192.0.2.1:8443"},
    {"*.server.dc2.example.org", 2, true, "192.0.2.1:8443"},
    {"a.b.server.dc2.example.org", -1, true, NULL},
    {".server.dc2.example.org", -1, true, NULL},
    {"server.dc3.example.org", 0, true, NULL},
    {"x.server.dc3.example.org", 0, true, NULL},
    {"server.dc4.example.org", -1, false, NULL},
    {"server.d.c.example.org", -1, false, NULL},
    {"server.dc1.consul", -1, false, NULL},
    {"dc1.example.org", -1, false, NULL},
    {"example.org", -1, false, NULL},
    {"server", -1, false, NULL},
    {"", -1, false, NULL},
};

START_TEST(a_name_finds_its_row)
{
    struct routes *routes = make(true);
    const struct route *row = routes_find(routes, rows[_i].name);
    char text[BASE_ADDR_TEXT_MAX];

    if (rows[_i].targets < 0) {
        ck_assert_ptr_null(row);
    } else {
        ck_assert_ptr_nonnull(row);
        ck_assert_uint_eq(row->target_count, (size_t)rows[_i].targets);
        ck_assert(row->wan == rows[_i].wan);
        if (rows[_i].first != NULL)
            ck_assert_str_eq(base_addr_format(&row->targets[0], text),
                             rows[_i].first);
    }
    routes_free(routes);
}
END_TEST

START_TEST(nothing_is_routed_unless_servers_are_exposed)
{
    struct routes *routes = make(false);
    size_t count;

    routes_rows(routes, &count);
    ck_assert_uint_eq(count, 0);
    ck_assert_ptr_null(routes_find(routes, "server.dc1.example.org"));
    ck_assert_ptr_null(routes_find(NULL, "server.dc1.example.org"));
    routes_free(routes);
}
END_TEST

START_TEST(a_row_holds_so_many_targets_and_no_more)
{
    struct base_addr addrs[ROUTES_TARGETS_MAX + 10];
    struct routes_site site = {"dc2", addrs, ROUTES_TARGETS_MAX + 10};
    struct routes_input input = {.datacenter = "dc1",
                                 .domain = "consul",
                                 .expose_servers = true,
                                 .sites = &site,
                                 .site_count = 1};
    struct routes *routes;
    size_t i;

    for (i = 0; i < ROUTES_TARGETS_MAX + 10; i++) {
        addrs[i] = gw_addr("192.0.2.1:1");
        addrs[i].port = (uint16_t)(i + 1);
    }
    routes = routes_new(&input);
    ck_assert_uint_eq(routes_find(routes, "server.dc2.consul")->target_count,
                      ROUTES_TARGETS_MAX);
    routes_free(routes);
}
END_TEST

struct lines {
    char text[1024];
};

static void take_line(void *ctx, const struct base_log_record *record)
{
    struct lines *lines = ctx;
    char *line =
        base_asprintf("%s %s -> %s\n", record->text, record->pairs[0].value.str,
                      record->pairs[1].value.str);

    strncat(lines->text, line, sizeof(lines->text) - strlen(lines->text) - 1);
    base_free(line);
}

static int64_t no_time(void *ctx)
{
    (void)ctx;
    return 0;
}

START_TEST(changes_are_told_row_by_row)
{
    struct base_addr one = gw_addr("192.0.2.1:8443");
    struct routes_server servers[] = {{"s1", gw_addr("10.0.0.1:8300")},
                                      {"s2", gw_addr("10.0.0.2:8300")}};
    struct routes_site site = {"dc2", &one, 1};
    struct routes_input input = {.datacenter = "dc1",
                                 .domain = "consul",
                                 .expose_servers = true,
                                 .servers = servers,
                                 .server_count = 1,
                                 .sites = &site,
                                 .site_count = 1};
    struct lines lines = {""};
    struct base_log_sink sink = {take_line, no_time, &lines};
    struct base_log log = {&sink, "gateway", BASE_LOG_INFO};
    struct routes *before = routes_new(&input);
    struct routes *after;

    ck_assert_uint_eq(routes_log_changes(before, before, &log), 0);
    input.servers = servers + 1;
    site.gateway_count = 0;
    after = routes_new(&input);
    ck_assert_uint_eq(routes_log_changes(before, after, &log), 5);
    ck_assert_str_eq(lines.text,
                     "route changed *.server.dc2.consul -> nobody\n"
                     "route removed s1.server.dc1.consul -> 10.0.0.1:8300\n"
                     "route added s2.server.dc1.consul -> 10.0.0.2:8300\n"
                     "route changed server.dc1.consul -> 10.0.0.2:8300\n"
                     "route changed server.dc2.consul -> nobody\n");
    ck_assert_uint_eq(routes_log_changes(after, NULL, &log), 4);
    routes_free(before);
    routes_free(after);
}
END_TEST

Suite *gateway_routes_suite(void)
{
    Suite *suite = suite_create("gateway_routes");
    TCase *tcase = tcase_create("routes");

    tcase_add_loop_test(tcase, a_name_finds_its_row, 0,
                        (int)BASE_COUNT_OF(rows));
    tcase_add_test(tcase, nothing_is_routed_unless_servers_are_exposed);
    tcase_add_test(tcase, a_row_holds_so_many_targets_and_no_more);
    tcase_add_test(tcase, changes_are_told_row_by_row);
    suite_add_tcase(suite, tcase);
    return suite;
}
