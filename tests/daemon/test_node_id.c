/* A node's id: made once, kept, and never exchanged in silence. */
#include "agent/node_id.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/stable_files.h"
#include "base/alloc.h"
#include "suite.h"

#define GIVEN "0f8fad5b-d9cb-469f-a165-70867728950e"
#define OTHER "7c9e6679-7425-40de-944b-e07fc1f90ae7"

static char folder[] = "/tmp/isthmus-nodeid-XXXXXX";
static char *path, *why;
static char id[NODE_ID_TEXT];

static void setup(void)
{
    strcpy(folder + sizeof(folder) - 7, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    path = base_asprintf("%s/node-id", folder);
    why = NULL;
}

static void teardown(void)
{
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);
    base_free(path);
    base_free(why);
}

static void put(const char *text)
{
    ck_assert_int_eq(stable_write_file(path, text, strlen(text)), 0);
}

START_TEST(made_once_and_kept)
{
    char again[NODE_ID_TEXT];

    ck_assert_int_eq(node_id_load(folder, NULL, id, &why), 0);
    ck_assert(uuid_is_valid(id));
    ck_assert_int_eq(id[14], '4'); /* RFC 9562: random */
    ck_assert_int_eq(node_id_load(folder, NULL, again, &why), 0);
    ck_assert_str_eq(again, id);
    ck_assert_ptr_null(why);
}
END_TEST

START_TEST(two_nodes_differ)
{
    char other[NODE_ID_TEXT];

    ck_assert_int_eq(node_id_load(folder, NULL, id, &why), 0);
    unlink(path);
    ck_assert_int_eq(node_id_load(folder, NULL, other, &why), 0);
    ck_assert_str_ne(id, other);
}
END_TEST

START_TEST(the_configured_one_is_kept)
{
    ck_assert_int_eq(node_id_load(folder, GIVEN, id, &why), 0);
    ck_assert_str_eq(id, GIVEN);
    ck_assert_int_eq(node_id_load(folder, NULL, id, &why), 0);
    ck_assert_str_eq(id, GIVEN);
    /* Letters' case makes no other node. */
    ck_assert_int_eq(node_id_load(folder,
                                  "0F8FAD5B-D9CB-469F-A165-70867728950E", id,
                                  &why),
                     0);
    ck_assert_str_eq(id, GIVEN);
}
END_TEST

START_TEST(another_ones_folder_is_refused)
{
    put(OTHER);
    ck_assert_int_ne(node_id_load(folder, GIVEN, id, &why), 0);
    ck_assert_ptr_nonnull(strstr(why, GIVEN));
    ck_assert_ptr_nonnull(strstr(why, OTHER));
}
END_TEST

START_TEST(a_bad_configured_id_is_refused)
{
    ck_assert_int_ne(node_id_load(folder, "node-1", id, &why), 0);
    ck_assert_ptr_nonnull(strstr(why, "node-1"));
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(white_space_at_the_end_is_no_matter)
{
    put(GIVEN " \r\n\n");
    ck_assert_int_eq(node_id_load(folder, NULL, id, &why), 0);
    ck_assert_str_eq(id, GIVEN);
}
END_TEST

/* A broken file is shown to the operator; a new id would be a new server. */
START_TEST(a_broken_file_stops_the_agent)
{
    static const char *const bad[] = {"", "\n", "x", GIVEN "0", "{}",
                                      "0f8fad5b-d9cb-469f-a165-70867728950g"};
    char *long_text = base_calloc(1, 1000);
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        put(bad[i]);
        ck_assert_int_ne(node_id_load(folder, NULL, id, &why), 0);
        ck_assert_ptr_nonnull(strstr(why, path));
        base_free(why);
        why = NULL;
    }
    memset(long_text, 'a', 999);
    put(long_text);
    ck_assert_int_ne(node_id_load(folder, NULL, id, &why), 0);
    base_free(long_text);
}
END_TEST

START_TEST(a_folder_that_is_not_there)
{
    ck_assert_int_ne(node_id_load("/nonexistent", NULL, id, &why), 0);
    ck_assert_ptr_nonnull(strstr(why, "/nonexistent/node-id"));
}
END_TEST

Suite *node_id_suite(void)
{
    Suite *suite = suite_create("node_id");
    TCase *tcase = tcase_create("node id");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, made_once_and_kept);
    tcase_add_test(tcase, two_nodes_differ);
    tcase_add_test(tcase, the_configured_one_is_kept);
    tcase_add_test(tcase, another_ones_folder_is_refused);
    tcase_add_test(tcase, a_bad_configured_id_is_refused);
    tcase_add_test(tcase, white_space_at_the_end_is_no_matter);
    tcase_add_test(tcase, a_broken_file_stops_the_agent);
    tcase_add_test(tcase, a_folder_that_is_not_there);
    suite_add_tcase(suite, tcase);
    return suite;
}
