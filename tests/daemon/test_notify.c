/* What a service manager hears, and what syslog takes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/notify.h"
#include "agent/syslog_sink.h"
#include "suite.h"

/* A manager that listens on an address; abstract if it begins with "@". */
static int manager(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    size_t len = strlen(path);

    memcpy(addr.sun_path, path, len);
    if (path[0] == '@')
        addr.sun_path[0] = '\0';
    ck_assert_int_eq(
        bind(fd, (const struct sockaddr *)&addr,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
        0);
    return fd;
}

START_TEST(the_manager_hears_of_it)
{
    static const char *const paths[] = {"@isthmus-test-%d",
                                        "/tmp/isthmus-test-%d.sock"};
    char path[64], heard[16] = "";
    int fd;

    snprintf(path, sizeof(path), paths[_i], (int)getpid());
    fd = manager(path);
    setenv("NOTIFY_SOCKET", path, 1);
    notify("READY=1");
    ck_assert_int_eq(recv(fd, heard, sizeof(heard), 0), 7);
    ck_assert_str_eq(heard, "READY=1");
    close(fd);
    if (path[0] == '/')
        unlink(path);
}
END_TEST

START_TEST(without_a_manager_nothing_happens)
{
    static const char *const paths[] = {"", "not-absolute", "/no/such/socket"};

    unsetenv("NOTIFY_SOCKET");
    notify("READY=1");
    setenv("NOTIFY_SOCKET", paths[_i], 1);
    notify("READY=1");
}
END_TEST

START_TEST(facilities_have_the_names_that_operators_know)
{
    int number = 0;

    ck_assert_int_eq(syslog_facility_parse("LOCAL0", &number), 0);
    ck_assert_int_eq(number, 16 << 3);
    ck_assert_int_eq(syslog_facility_parse("daemon", &number), 0);
    ck_assert_int_eq(number, 3 << 3);
    ck_assert_int_lt(syslog_facility_parse("LOCAL8", &number), 0);
    ck_assert_int_lt(syslog_facility_parse("", &number), 0);
}
END_TEST

Suite *notify_suite(void)
{
    Suite *suite = suite_create("notify");
    TCase *tcase = tcase_create("notify");

    tcase_add_loop_test(tcase, the_manager_hears_of_it, 0, 2);
    tcase_add_loop_test(tcase, without_a_manager_nothing_happens, 0, 3);
    tcase_add_test(tcase, facilities_have_the_names_that_operators_know);
    suite_add_tcase(suite, tcase);
    return suite;
}
