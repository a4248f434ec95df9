/* The test binary of libraft. */
#include "suite.h"

Suite *core_suite(void);
Suite *raft_fsm_suite(void);
Suite *lease_suite(void);
Suite *linear_suite(void);
Suite *log_suite(void);
Suite *message_suite(void);
Suite *node_suite(void);
Suite *processes_suite(void);
Suite *recover_suite(void);
Suite *repair_suite(void);
Suite *restore_suite(void);
Suite *storage_faults_suite(void);
Suite *storage_damage_suite(void);
Suite *storage_sqlite_suite(void);
Suite *transport_stream_suite(void);
Suite *troubles_suite(void);

int main(void)
{
    Suite *(*const suites[])(void) = {
        core_suite,
        raft_fsm_suite,
        lease_suite,
        linear_suite,
        log_suite,
        message_suite,
        node_suite,
        processes_suite,
        recover_suite,
        repair_suite,
        restore_suite,
        storage_faults_suite,
        storage_damage_suite,
        storage_sqlite_suite,
        transport_stream_suite,
        troubles_suite,
    };

    return suite_main(suites, sizeof(suites) / sizeof(suites[0]));
}
