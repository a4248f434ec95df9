/* From what HAProxy has to what it should have: the lists and the commands. */
#include <string.h>

#include "base/alloc.h"
#include "gateway/haproxy_state.h"
#include "suite.h"

#define CONFIGURATION                                                          \
    "global\n    description isthmus-0a\n    stats socket /run/x.sock\n"       \
    "frontend isthmus\n    default_backend refused\n"                          \
    "backend refused\n    tcp-request content reject\n"                        \
    "# servers of this datacenter\nbackend b\n"                                \
    "    server 10.0.0.2:1 10.0.0.2:1 source 10.0.0.9:0\n"                     \
    "    server 10.0.0.1:1 10.0.0.1:1\n"                                       \
    "backend empty\n    # nobody is there now\n"

#define TABLE "Name: HAProxy\ndescription: isthmus-0a\n\n1\n# be_id be_name\n"

/* running: rows below TABLE. commands: what CONFIGURATION asks for then. */
static const struct {
    const char *running, *commands;
    bool same;
} cases[] = {
    {"3 b 1 10.0.0.1:1 10.0.0.1 2 0 1\n3 b 2 10.0.0.2:1 10.0.0.2 2 0 1\n", "",
     true},
    {"3 b 2 10.0.0.2:1 10.0.0.2 2 0 1\n",
     "add server b/10.0.0.1:1 10.0.0.1:1\nenable server b/10.0.0.1:1\n", false},
    {"", /* its words go along */
     "add server b/10.0.0.1:1 10.0.0.1:1\nenable server b/10.0.0.1:1\n"
     "add server b/10.0.0.2:1 10.0.0.2:1 source 10.0.0.9:0\n"
     "enable server b/10.0.0.2:1\n",
     false},
    {"3 b 1 10.0.0.1:1 10.0.0.1 0 1 1\n3 b 2 10.0.0.2:1 10.0.0.2 2 0 1\n",
     "enable server b/10.0.0.1:1\n", false},
    {"3 b 1 10.0.0.1:1 10.0.0.1 2 0 1\n3 b 2 10.0.0.2:1 10.0.0.2 2 0 1\n"
     "3 b 3 10.0.0.3:1 10.0.0.3 2 0 1\n",
     "disable server b/10.0.0.3:1\ndel server b/10.0.0.3:1\n", false},
    /* In maintenance, with connections that are still open: good enough, and
     * taken away when they have ended. */
    {"3 b 1 10.0.0.1:1 10.0.0.1 2 0 1\n3 b 2 10.0.0.2:1 10.0.0.2 2 0 1\n"
     "4 empty 1 10.0.0.3:1 10.0.0.3 0 1 1\n",
     "del server empty/10.0.0.3:1\n", true},
};

START_TEST(the_difference_as_commands)
{
    struct haproxy_state wanted, running;
    struct base_buf commands = BASE_BUF_INIT;
    char *answer = base_asprintf(TABLE "%s\n", cases[_i].running);
    char *text;

    haproxy_state_wanted(&wanted, CONFIGURATION);
    ck_assert_uint_eq(wanted.count, 2);
    ck_assert(haproxy_state_running(&running, answer));
    ck_assert_str_eq(running.description, wanted.description);
    ck_assert_int_eq(haproxy_state_same(&running, &wanted), cases[_i].same);
    haproxy_state_diff(&running, &wanted, &commands);
    text = base_buf_take_string(&commands);
    ck_assert_str_eq(text, cases[_i].commands);
    base_free(text);
    base_free(answer);
    haproxy_state_close(&running);
    haproxy_state_close(&wanted);
}
END_TEST

static const char *const no_tables[] = {
    "",
    "\n",
    "Unknown command: 'show servers state'\n",
    "Name: HAProxy\ndescription: isthmus-0a\n",
    "description: x\n\n2\n# be_id\n",
    TABLE "3 b 1 10.0.0.1:1 10.0.0.1 2\n", /* cut off before its state */
    TABLE "b\n",
};

START_TEST(another_answer_is_no_state)
{
    struct haproxy_state state;

    ck_assert(!haproxy_state_running(&state, no_tables[_i]));
    ck_assert_uint_eq(state.count, 0);
}
END_TEST

Suite *gateway_haproxy_suite(void)
{
    Suite *suite = suite_create("gateway_haproxy");
    TCase *tcase = tcase_create("state");

    tcase_add_loop_test(tcase, the_difference_as_commands, 0,
                        (int)(sizeof(cases) / sizeof(*cases)));
    tcase_add_loop_test(tcase, another_answer_is_no_state, 0,
                        (int)(sizeof(no_tables) / sizeof(*no_tables)));
    suite_add_tcase(suite, tcase);
    return suite;
}
