/* The daemon's tests: configuration, command line, server, HTTP, gateway. */
#include "suite.h"

Suite *acl_suite(void);
Suite *agent_commands_suite(void);
Suite *archive_suite(void);
Suite *args_suite(void);
Suite *birth_suite(void);
Suite *cache_suite(void);
Suite *catalog_suite(void);
Suite *certificate_age_suite(void);
Suite *certificates_suite(void);
Suite *check_run_suite(void);
Suite *client_servers_suite(void);
Suite *client_sim_suite(void);
Suite *commands_suite(void);
Suite *config_suite(void);
Suite *config_rules_suite(void);
Suite *debug_suite(void);
Suite *discover_suite(void);
Suite *discovery_suite(void);
Suite *dead_servers_suite(void);
Suite *failures_suite(void);
Suite *federation_sim_suite(void);
Suite *fsm_suite(void);
Suite *gateway_catalog_suite(void);
Suite *gateway_header_suite(void);
Suite *gateway_haproxy_suite(void);
Suite *gateway_parts_suite(void);
Suite *gateway_probe_suite(void);
Suite *gateway_proxy_suite(void);
Suite *gateway_refused_suite(void);
Suite *gateway_render_suite(void);
Suite *gateway_routes_suite(void);
Suite *gateway_run_suite(void);
Suite *http_acl_suite(void);
Suite *http_answer_suite(void);
Suite *http_api_suite(void);
Suite *http_cached_suite(void);
Suite *http_client_suite(void);
Suite *http_conn_suite(void);
Suite *http_docs_suite(void);
Suite *http_routes_suite(void);
Suite *https_suite(void);
Suite *joins_suite(void);
Suite *json_model_suite(void);
Suite *local_state_suite(void);
Suite *mail_suite(void);
Suite *member_suite(void);
Suite *merge_suite(void);
Suite *metrics_page_suite(void);
Suite *node_id_suite(void);
Suite *operate_parts_suite(void);
Suite *notify_suite(void);
Suite *operate_suite(void);
Suite *path_walk_suite(void);
Suite *raft_join_suite(void);
Suite *reload_suite(void);
Suite *retry_join_suite(void);
Suite *router_suite(void);
Suite *server_sim_suite(void);
Suite *stable_files_suite(void);
Suite *tls_commands_suite(void);
Suite *views_suite(void);
Suite *watch_suite(void);
Suite *web_params_suite(void);
Suite *xds_resources_suite(void);
Suite *xds_suite(void);

int main(void)
{
    /* clang-format off */
    static Suite *(*const suites[])(void) = {
        acl_suite, agent_commands_suite, archive_suite, args_suite,
        birth_suite,
        cache_suite,
        catalog_suite,
        certificate_age_suite,
        certificates_suite,
        check_run_suite,
        client_servers_suite,
        client_sim_suite,
        commands_suite,
        config_suite,
        config_rules_suite,
        debug_suite,
        discover_suite,
        discovery_suite,
        dead_servers_suite,
        failures_suite,
        federation_sim_suite,
        fsm_suite,
        gateway_catalog_suite,
        gateway_header_suite,
        gateway_haproxy_suite,
        gateway_parts_suite,
        gateway_probe_suite,
        gateway_proxy_suite,
        gateway_refused_suite,
        gateway_render_suite,
        gateway_routes_suite,
        gateway_run_suite,
        http_acl_suite,
        http_answer_suite,
        http_api_suite,
        http_cached_suite,
        http_client_suite,
        http_conn_suite,
        http_docs_suite,
        http_routes_suite,
        https_suite,
        joins_suite,
        json_model_suite,
        local_state_suite,
        mail_suite,
        member_suite,
        merge_suite,
        metrics_page_suite,
        node_id_suite,
        operate_parts_suite,
        notify_suite,
        operate_suite,
        path_walk_suite,
        raft_join_suite,
        reload_suite,
        retry_join_suite,
        router_suite,
        server_sim_suite,
        stable_files_suite,
        tls_commands_suite,
        views_suite,
        watch_suite,
        web_params_suite,
        xds_resources_suite,
        xds_suite,
    };
    /* clang-format on */

    return suite_main(suites, sizeof(suites) / sizeof(suites[0]));
}
