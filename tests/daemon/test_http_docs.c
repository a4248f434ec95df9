/*
 * docs/http-api.md promises that its examples run as written: each line that
 * begins with curl is run, but for the address. Without curl there is nothing
 * to run them with.
 */
#include <stdio.h>
#include <string.h>

#include "api_bed.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "suite.h"

#define ADDRESS "127.0.0.1:8500"

static struct api_bed bed;

/* The example with our port, and an output of nothing but the status. */
static char *command_of(const char *line)
{
    struct base_buf out = BASE_BUF_INIT;
    const char *end = strstr(line, "  #"), *address;

    base_buf_printf(&out, "curl -s -o /dev/null -w '%%{http_code}'");
    line += strlen("curl");
    if (end == NULL)
        end = line + strlen(line);
    while ((address = strstr(line, ADDRESS)) != NULL && address < end) {
        base_buf_append(&out, line, (size_t)(address - line));
        base_buf_printf(&out, "127.0.0.1:%u", bed.port);
        line = address + strlen(ADDRESS);
    }
    base_buf_append(&out, line, (size_t)(end - line));
    return base_buf_take_string(&out);
}

static void run(const char *line)
{
    const char *note = strstr(line, "  #");
    int other = 0, status = 0;
    char *command;
    FILE *output;

    if (note && strstr(note, "not run here"))
        return;
    if (note)
        ck_assert_msg(sscanf(note, "  # %d", &other) == 1, "%s", line);
    command = command_of(line);
    output = popen(command, "r");
    ck_assert_ptr_nonnull(output);
    if (fscanf(output, "%d", &status) != 1)
        status = 0;
    pclose(output);
    ck_assert_msg(status == 200 || (other && status == other), "%s: %d", line,
                  status);
    base_free(command);
}

START_TEST(examples_run_as_written)
{
    FILE *page = fopen(TEST_DATA "/../../../docs/http-api.md", "r");
    char *line = NULL;
    size_t room = 0, count = 0;

    ck_assert_ptr_nonnull(page);
    if (system("command -v curl >/dev/null") != 0) {
        fclose(page);
        return;
    }
    bed.federation = true;
    api_bed_start(&bed);
    while (getline(&line, &room, page) > 0) {
        const char *at = line + strspn(line, " ");

        line[strcspn(line, "\n")] = '\0';
        if (at - line == 4 && strncmp(at, "curl ", 5) == 0) {
            run(at);
            count++;
        }
    }
    free(line);
    fclose(page);
    ck_assert_uint_ge(count, 30);
    api_bed_close(&bed);
}
END_TEST

Suite *http_docs_suite(void);
Suite *http_docs_suite(void)
{
    Suite *suite = suite_create("http: the examples of the docs");
    TCase *tcase = tcase_create("all");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, examples_run_as_written);
    suite_add_tcase(suite, tcase);
    return suite;
}
