/* Discovery strings: what they may say, what they find, files that change. */
#include "agent/discover.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/loop.h"
#include "base/sim.h"
#include "suite.h"

static const struct {
    const char *text, *fault; /* NULL: good */
} texts[] = {
    {"10.0.0.1", NULL},
    {"name/host:80", NULL},
    {"provider=dns name=gw.example", NULL},
    {"provider=dns  name=gw.example type=a", NULL},
    {"provider=dns name=_gw._tcp.example type=srv", NULL},
    {"provider=file path=/etc/gateways", NULL},
    {"", "wanted host"},
    {"provider=cloud name=x", "dns or file"},
    {"provider= name=x", "empty, too long or given twice"},
    {"provider=dns", "needs name="},
    {"provider=dns name=x type=mx", "a or srv"},
    {"provider=dns name=x name=y", "given twice"},
    {"provider=dns name=x tpye=srv", "words provider="},
    {"provider=file path=gateways", "absolute"},
    {"provider=file", "needs path="},
    {"provider=file path=/a type=a", "nothing else"},
};

START_TEST(what_a_text_may_say)
{
    const char *why = NULL;
    int rv = discover_check(texts[_i].text, &why);

    if (texts[_i].fault == NULL)
        ck_assert_int_eq(rv, 0);
    else
        ck_assert_msg(rv < 0 && strstr(why, texts[_i].fault), "%s: %s",
                      texts[_i].text, why);
}
END_TEST

/* ---- what they find ------------------------------------------------------- */

static struct {
    unsigned calls, changes;
    size_t count;
    char targets[8][64];
    char why[160];
} seen;

static void on_found(void *arg, const char *const *targets, size_t count,
                     const char *why)
{
    size_t i;

    (void)arg;
    seen.calls++;
    seen.count = count;
    for (i = 0; i < count && i < BASE_COUNT_OF(seen.targets); i++)
        snprintf(seen.targets[i], sizeof(seen.targets[i]), "%s", targets[i]);
    snprintf(seen.why, sizeof(seen.why), "%s", why);
}

START_TEST(names_are_resolved_each_time)
{
    static const char *const list[] = {
        "10.9.9.9:1", "provider=dns name=gw.example type=a",
        "provider=dns name=_gw._tcp.example type=srv",
        "provider=dns name=none.example type=a"};
    struct base_sim *sim = base_sim_new(1);
    struct base_addr addr, addrs[2];
    struct base_env *env;
    struct discovery *discovery;

    base_addr_parse_ip(&addr, "10.0.0.1");
    env = base_sim_host_env(base_sim_host_new(sim, "host", &addr, 1), "main");
    base_addr_parse_ip(&addrs[0], "10.1.0.1");
    base_addr_parse_ip(&addrs[1], "2001:db8::1");
    addrs[0].port = addrs[1].port = 8443;
    base_sim_set_name(sim, "gw.example", addrs, 2);
    base_sim_set_name(sim, "_gw._tcp.example", addrs, 2);
    memset(&seen, 0, sizeof(seen));
    discovery = discovery_new(env, list, BASE_COUNT_OF(list));
    discovery_run(discovery, on_found, NULL);
    ck_assert_uint_eq(seen.calls, 0); /* never inside the call */
    base_sim_run_for_ms(sim, 1000);
    ck_assert_uint_eq(seen.calls, 1);
    ck_assert_uint_eq(seen.count, 5);
    ck_assert_str_eq(seen.targets[0], "10.9.9.9:1");
    ck_assert_str_eq(seen.targets[1], "10.1.0.1");
    ck_assert_str_eq(seen.targets[2], "[2001:db8::1]");
    ck_assert_str_eq(seen.targets[3], "10.1.0.1:8443");
    ck_assert_str_eq(seen.targets[4], "[2001:db8::1]:8443");
    ck_assert_ptr_nonnull(strstr(seen.why, "none.example"));

    base_sim_set_name(sim, "gw.example", addrs, 1);
    discovery_run(discovery, on_found, NULL);
    base_sim_run_for_ms(sim, 1000);
    ck_assert_uint_eq(seen.count, 4);
    discovery_run(discovery, on_found, NULL);
    discovery_free(discovery); /* nothing comes any more */
    base_sim_run_for_ms(sim, 1000);
    ck_assert_uint_eq(seen.calls, 2);
    base_sim_free(sim);
}
END_TEST

/* ---- files ---------------------------------------------------------------- */

static char path[] = "/tmp/isthmus-test-discover-XXXXXX";

static void write_file(const char *content)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    fputs(content, file);
    ck_assert_int_eq(fclose(file), 0);
}

static void on_changed(void *arg)
{
    (void)arg;
    seen.changes++;
}

static bool has_called(void *arg)
{
    return seen.calls >= *(unsigned *)arg;
}

static bool has_changed(void *arg)
{
    return seen.changes >= *(unsigned *)arg;
}

START_TEST(a_file_is_read_when_it_changes)
{
    struct base_log log = {0};
    struct base_metrics *metrics = base_metrics_new();
    struct base_workers *workers = base_workers_new();
    struct base_loop *loop = base_loop_new("main", &log, metrics, workers);
    char *text = NULL;
    const char *list[1];
    struct discovery *discovery;
    unsigned calls = 1, changes = 1;
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    close(fd);
    text = base_asprintf("provider=file path=%s", path);
    list[0] = text;
    memset(&seen, 0, sizeof(seen));
    write_file("# gateways\n 10.0.0.1:8443 # the first\n\nnot an address!:x\n"
               "gw.example\n");
    discovery = discovery_new(base_loop_env(loop), list, 1);
    discovery_run(discovery, on_found, NULL);
    ck_assert(base_loop_run_until(loop, has_called, &calls, 5000));
    ck_assert_uint_eq(seen.count, 2);
    ck_assert_str_eq(seen.targets[0], "10.0.0.1:8443");
    ck_assert_str_eq(seen.targets[1], "gw.example");

    discovery_watch(discovery, on_changed, NULL);
    /* The first look only learns what is there. */
    base_loop_run_until(loop, has_changed, &changes, 300);
    ck_assert_uint_eq(seen.changes, 0);
    write_file("10.0.0.2:8443\n");
    ck_assert(base_loop_run_until(loop, has_changed, &changes, 5000));

    unlink(path);
    calls = 2;
    discovery_run(discovery, on_found, NULL);
    ck_assert(base_loop_run_until(loop, has_called, &calls, 5000));
    ck_assert_uint_eq(seen.count, 0);
    ck_assert_ptr_nonnull(strstr(seen.why, "No such file"));
    discovery_free(discovery);
    base_loop_free(loop);
    base_workers_free(workers);
    base_metrics_free(metrics);
    base_free(text);
}
END_TEST

Suite *discover_suite(void)
{
    Suite *suite = suite_create("discovery strings");
    TCase *tcase = tcase_create("discover");

    tcase_set_timeout(tcase, 30);
    tcase_add_loop_test(tcase, what_a_text_may_say, 0,
                        (int)BASE_COUNT_OF(texts));
    tcase_add_test(tcase, names_are_resolved_each_time);
    tcase_add_test(tcase, a_file_is_read_when_it_changes);
    suite_add_tcase(suite, tcase);
    return suite;
}
