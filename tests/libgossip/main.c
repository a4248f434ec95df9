/* The tests of libgossip; see tests/suite.h. */
#include "suite.h"

Suite *codec_suite(void);
Suite *parts_suite(void);
Suite *merge_suite(void);
Suite *hostile_suite(void);
Suite *probe_suite(void);
Suite *scale_suite(void);
Suite *restore_suite(void);
Suite *net_suite(void);
Suite *pool_suite(void);
Suite *vectors_suite(void);
Suite *calm_suite(void);
Suite *serf_messages_suite(void);
Suite *serf_tables_suite(void);
Suite *serf_regex_suite(void);
Suite *serf_coordinate_suite(void);
Suite *serf_files_suite(void);
Suite *serf_pool_suite(void);
Suite *serf_query_suite(void);
Suite *serf_keys_suite(void);
Suite *serf_snapshot_suite(void);
Suite *serf_coalesce_suite(void);
Suite *serf_hostile_suite(void);
Suite *vectors_end_suite(void);

static Suite *(*const suites[])(void) = {
    codec_suite,
    vectors_suite,
    parts_suite,
    merge_suite,
    hostile_suite,
    probe_suite,
    scale_suite,
    restore_suite,
    net_suite,
    pool_suite,
    calm_suite,
    serf_messages_suite,
    serf_tables_suite,
    serf_regex_suite,
    serf_coordinate_suite,
    serf_files_suite,
    serf_pool_suite,
    serf_query_suite,
    serf_keys_suite,
    serf_snapshot_suite,
    serf_coalesce_suite,
    serf_hostile_suite,
    vectors_end_suite, /* last: it asks what the others have read */
};

int main(void)
{
    return suite_main(suites, sizeof(suites) / sizeof(suites[0]));
}
