/* isthmus tls cert create */
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/tls_files.h"
#include "cli/tls_request.h"

#define NUMBER_MAX 9999 /* certificates of one kind in one folder */

/* <dc>-server-<domain>-0.pem, or the first number that is free. */
static int save(const struct tls_line *line, const struct tls_pair *pair,
                char **why)
{
    int rv = BASE_EEXIST;
    int number;

    for (number = 0; number <= NUMBER_MAX && rv == BASE_EEXIST; number++) {
        char *stem = base_asprintf("%s-%s-%s-%d", line->dc, tls_line_kind(line),
                                   line->domain, number);
        char *cert_path = base_asprintf("%s.pem", stem);
        char *key_path = base_asprintf("%s-key.pem", stem);

        base_free(*why);
        *why = NULL;
        rv = tls_files_write(cert_path, key_path, pair, why);
        if (rv == 0)
            printf("Saved %s\nSaved %s\n", cert_path, key_path);
        base_free(cert_path);
        base_free(key_path);
        base_free(stem);
    }
    return rv;
}

static int make(const struct tls_line *line, struct tls_pair *out, char **why)
{
    char *ca_path = line->ca != NULL
                        ? base_strdup(line->ca)
                        : base_asprintf("%s-agent-ca.pem", line->domain);
    char *key_path = line->key != NULL
                         ? base_strdup(line->key)
                         : base_asprintf("%s-agent-ca-key.pem", line->domain);
    struct tls_request request;
    struct tls_pair ca = {NULL, NULL};
    int rv = tls_files_read_ca(ca_path, key_path, &ca, why);

    if (rv == 0) {
        tls_request_init(&request, line);
        rv = tls_make_cert(&ca, &request.cert, out, why);
        tls_request_close(&request);
    }
    tls_pair_close(&ca);
    base_free(ca_path);
    base_free(key_path);
    return rv;
}

static int run(const struct args_command *command, const struct tls_line *line)
{
    struct tls_pair pair = {NULL, NULL};
    char *why = tls_line_fault(line);
    int rv;

    if (why != NULL) {
        int code = args_usage_error(command, "%s", why);

        base_free(why);
        return code;
    }
    rv = make(line, &pair, &why);
    if (rv == 0)
        rv = save(line, &pair, &why);
    tls_pair_close(&pair);
    return rv < 0 ? cmd_fail("tls cert create", why) : 0;
}

int cmd_tls_cert_create(int argc, char **argv)
{
    struct tls_line line = {.dc = "dc1", .domain = "consul", .days = 365};
    const struct args_flag flags[] = {
        {"server", ARGS_BOOL, &line.server, NULL,
         "for a server: it may speak Raft and gossip"},
        {"client", ARGS_BOOL, &line.client, NULL, "for a client agent"},
        {"cli", ARGS_BOOL, &line.cli, NULL, "for a person or a script"},
        {"node", ARGS_TEXT, &line.node, "NAME",
         "the server's node name, needed with federation on; with -server"},
        {"dc", ARGS_TEXT, &line.dc, "DC", "its datacenter; default: dc1"},
        {"domain", ARGS_TEXT, &line.domain, "DOMAIN",
         "domain of the agents; default: consul"},
        {"days", ARGS_UINT, &line.days, "N",
         "days until it ends; default: 365"},
        {"additional-dnsname", ARGS_LIST, &line.names, "NAME",
         "one more DNS name; repeatable"},
        {"additional-ipaddress", ARGS_LIST, &line.ips, "IP",
         "one more IP address; repeatable"},
        {"ca", ARGS_TEXT, &line.ca, "FILE",
         "the authority; default: DOMAIN-agent-ca.pem"},
        {"key", ARGS_TEXT, &line.key, "FILE",
         "its key; default: DOMAIN-agent-ca-key.pem"},
    };
    const struct args_command command = {
        "isthmus tls cert create [flags]",
        "Makes a certificate and its key, signed by the authority of isthmus "
        "tls ca create,\nand writes them to the current folder, as in "
        "dc1-server-consul-0.pem and\ndc1-server-consul-0-key.pem. Nothing is "
        "overwritten: the number counts up.",
        flags, BASE_COUNT_OF(flags),
        "isthmus tls cert create -server -dc=dc1 -node=a"};
    int code;

    if (args_parse(&command, argc, argv, NULL, &code) == 0)
        code = run(&command, &line);
    args_list_close(&line.names);
    args_list_close(&line.ips);
    return code;
}
