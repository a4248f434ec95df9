/*
 * isthmus: one binary, a command for each thing that an operator does. This
 * file only finds the command; each is a file of its own in cli/.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/args.h"
#include "cli/commands.h"

struct command {
    const char *name; /* words joined by single spaces */
    int (*run)(int argc, char **argv);
    const char *summary;
};

static const struct command commands[] = {
    {"agent", cmd_agent, "run an agent"},
    {"catalog datacenters", cmd_catalog_datacenters,
     "list the datacenters that the agent knows"},
    {"catalog nodes", cmd_catalog_nodes, "list the nodes of a datacenter"},
    {"catalog services", cmd_catalog_services,
     "list the services of a datacenter"},
    {"debug", cmd_debug, "gather what a helper wants to see, without secrets"},
    {"event", cmd_event, "fire a user event in the pool, or list the last ones"},
    {"federation check", cmd_federation_check,
     "walk the way to a datacenter, and name the first step that fails"},
    {"federation delete", cmd_federation_delete,
     "delete the federation state of a datacenter without servers"},
    {"federation gateways", cmd_federation_gateways,
     "list the mesh gateways of every datacenter"},
    {"federation get", cmd_federation_get,
     "show the federation state of one datacenter"},
    {"federation list", cmd_federation_list, "list the federation states"},
    {"federation put", cmd_federation_put,
     "declare the gateways of a datacenter without servers"},
    {"federation status", cmd_federation_status,
     "show how each datacenter is reached and how it fares"},
    {"force-leave", cmd_force_leave, "declare a failed member left"},
    {"gateway", cmd_gateway, "run the built-in mesh gateway"},
    {"info", cmd_info, "show how the agent fares"},
    {"join", cmd_join, "tell the agent to join other agents"},
    {"keygen", cmd_keygen, "make a gossip key"},
    {"keyring", cmd_keyring, "list and rotate the gossip keys"},
    {"leave", cmd_leave, "let the agent leave and stop"},
    {"maint", cmd_maint, "begin or end maintenance of a node or a service"},
    {"members", cmd_members, "list the members of a pool"},
    {"monitor", cmd_monitor, "watch the agent's log"},
    {"operator raft list-peers", cmd_raft_list_peers,
     "list the servers that take part in consensus"},
    {"operator raft recover", cmd_raft_recover,
     "give a server that has lost its majority a new list of servers"},
    {"operator raft remove-peer", cmd_raft_remove_peer,
     "remove a server from consensus"},
    {"operator raft transfer-leader", cmd_raft_transfer_leader,
     "hand leadership to another server"},
    {"query", cmd_query, "ask the members of a pool"},
    {"reachability", cmd_reachability, "see which members of a pool answer"},
    {"reload", cmd_reload, "let the agent read its configuration again"},
    {"rtt", cmd_rtt, "estimate the round trip between two nodes"},
    {"services deregister", cmd_services_deregister,
     "take services back from the agent"},
    {"services register", cmd_services_register,
     "register services with the agent"},
    {"snapshot inspect", cmd_snapshot_inspect, "show what a snapshot holds"},
    {"snapshot restore", cmd_snapshot_restore,
     "replace a datacenter's state by a saved one"},
    {"snapshot save", cmd_snapshot_save, "save a datacenter's state"},
    {"tls ca create", cmd_tls_ca_create, "make a certificate authority"},
    {"tls cert create", cmd_tls_cert_create, "make a certificate"},
    {"validate", cmd_validate, "check configuration files"},
    {"version", cmd_version, "print the version"},
    {"watch", cmd_watch, "run a program whenever something changes"},
};

static bool is_help(const char *word)
{
    return strcmp(word, "help") == 0 || strcmp(word, "-help") == 0 ||
           strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* How many of the words make up name; 0 if they do not. */
static int match(const char *name, int argc, char **argv)
{
    int words = 0;

    for (;;) {
        size_t len = strcspn(name, " ");

        if (words == argc || strlen(argv[words]) != len ||
            strncmp(name, argv[words], len) != 0)
            return 0;
        words++;
        if (name[len] == '\0')
            return words;
        name += len + 1;
    }
}

static const struct command *find(int argc, char **argv, int *words)
{
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(commands); i++) {
        *words = match(commands[i].name, argc, argv);
        if (*words > 0)
            return &commands[i];
    }
    return NULL;
}

static bool in_group(const char *name, const char *group)
{
    size_t len = strlen(group);

    return len == 0 || (strncmp(name, group, len) == 0 && name[len] == ' ');
}

/* Prints the commands of a group ("" for all); returns how many there are. */
static int print_commands(const char *group, FILE *to)
{
    const char *last = NULL;
    size_t i;
    int count = 0;

    for (i = 0; i < BASE_COUNT_OF(commands); i++) {
        if (!in_group(commands[i].name, group))
            continue;
        if (count++ == 0)
            fprintf(to, "Usage: isthmus %s%s<command> [flags]\n\nCommands:\n",
                    group, *group != '\0' ? " " : "");
        fprintf(to, "  %-29s  %s\n", commands[i].name, commands[i].summary);
        last = commands[i].name;
    }
    if (count > 0)
        fprintf(to,
                "\nEach tells more of itself, with an example:\n"
                "  isthmus %s -help\n",
                last);
    return count;
}

/* "isthmus", "isthmus tls", "isthmus help tls", "isthmus nonsense". */
static int no_command(int argc, char **argv)
{
    const char *group = "";
    bool asked = false;
    int i;

    for (i = 0; i < argc; i++) {
        if (is_help(argv[i]))
            asked = true;
        else if (*group == '\0')
            group = argv[i];
    }
    if (print_commands(group, asked ? stdout : stderr) > 0)
        return asked ? 0 : ARGS_EXIT_USAGE;
    fprintf(stderr, "isthmus: unknown command \"%s\"\nTry: isthmus help\n",
            group);
    return ARGS_EXIT_USAGE;
}

static int run(int argc, char **argv)
{
    char help[] = "-help";
    char *help_argv[2] = {argv[0], help};
    const struct command *command;
    int words;

    if (argc > 0 &&
        (strcmp(argv[0], "-version") == 0 || strcmp(argv[0], "--version") == 0))
        return cmd_version(1, argv);
    command = find(argc, argv, &words);
    if (command != NULL)
        return command->run(argc - words + 1, argv + words - 1);
    if (argc > 1 && is_help(argv[0])) {
        command = find(argc - 1, argv + 1, &words);
        if (command != NULL)
            return command->run(2, help_argv);
    }
    return no_command(argc, argv);
}

int main(int argc, char **argv)
{
    int code;

    /* A peer or a pipe that is gone is an error return, not the end. */
    signal(SIGPIPE, SIG_IGN);
    code = run(argc - 1, argv + 1);
    if ((fflush(stdout) != 0 || ferror(stdout)) && code == 0) {
        fprintf(stderr, "isthmus: cannot write to standard output\n");
        code = 1;
    }
    return code;
}
