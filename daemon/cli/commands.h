/*
 * The commands, one file each. Each reads its own command line (argv[0] is its
 * last word), answers on standard output, complains on standard error, and
 * returns the exit code: 0, 1 for a failure, 2 for wrong usage.
 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

int cmd_agent(int argc, char **argv);
int cmd_catalog_datacenters(int argc, char **argv);
int cmd_catalog_nodes(int argc, char **argv);
int cmd_catalog_services(int argc, char **argv);
int cmd_debug(int argc, char **argv);
int cmd_event(int argc, char **argv);
int cmd_federation_check(int argc, char **argv);
int cmd_federation_delete(int argc, char **argv);
int cmd_federation_gateways(int argc, char **argv);
int cmd_federation_get(int argc, char **argv);
int cmd_federation_list(int argc, char **argv);
int cmd_federation_put(int argc, char **argv);
int cmd_federation_status(int argc, char **argv);
int cmd_force_leave(int argc, char **argv);
int cmd_gateway(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_join(int argc, char **argv);
int cmd_keygen(int argc, char **argv);
int cmd_keyring(int argc, char **argv);
int cmd_leave(int argc, char **argv);
int cmd_maint(int argc, char **argv);
int cmd_members(int argc, char **argv);
int cmd_monitor(int argc, char **argv);
int cmd_query(int argc, char **argv);
int cmd_raft_list_peers(int argc, char **argv);
int cmd_raft_recover(int argc, char **argv);
int cmd_raft_remove_peer(int argc, char **argv);
int cmd_raft_transfer_leader(int argc, char **argv);
int cmd_reachability(int argc, char **argv);
int cmd_reload(int argc, char **argv);
int cmd_rtt(int argc, char **argv);
int cmd_services_deregister(int argc, char **argv);
int cmd_services_register(int argc, char **argv);
int cmd_snapshot_inspect(int argc, char **argv);
int cmd_snapshot_restore(int argc, char **argv);
int cmd_snapshot_save(int argc, char **argv);
int cmd_tls_ca_create(int argc, char **argv);
int cmd_tls_cert_create(int argc, char **argv);
int cmd_validate(int argc, char **argv);
int cmd_version(int argc, char **argv);
int cmd_watch(int argc, char **argv);

/** "isthmus members: why" on standard error; frees why (NULL is fine) and
 * returns 1, so that a command can end with it. */
int cmd_fail(const char *command, char *why);

#endif
