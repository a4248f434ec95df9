/* isthmus tls ca create */
#include <stdio.h>

#include "agent/config_names.h"
#include "base/alloc.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/tls_files.h"

struct line {
    const char *domain;
    uint32_t days;
    bool constrain;
    struct args_list permitted;
};

static int check(const struct args_command *command, const struct line *line)
{
    const char *fault = config_domain_fault(line->domain);
    size_t i;

    if (fault != NULL)
        return args_usage_error(command, "-domain: \"%s\" %s", line->domain,
                                fault);
    if (line->days == 0 || line->days > TLS_DAYS_MAX)
        return args_usage_error(command, "-days: %u is outside 1 to %d",
                                line->days, TLS_DAYS_MAX);
    if (line->permitted.count > 0 && !line->constrain)
        return args_usage_error(command, "-additional-name-constraint needs "
                                         "-name-constraint");
    for (i = 0; i < line->permitted.count; i++) {
        fault = config_domain_fault(line->permitted.items[i]);
        if (fault != NULL)
            return args_usage_error(command,
                                    "-additional-name-constraint: \"%s\" %s",
                                    line->permitted.items[i], fault);
    }
    return 0;
}

static int create(const struct line *line)
{
    /* Server certificates bear "localhost", so it must stay permitted. */
    size_t count = line->constrain ? line->permitted.count + 2 : 0;
    const char **permitted = base_calloc(count + 1, sizeof(*permitted));
    char *cert_path = base_asprintf("%s-agent-ca.pem", line->domain);
    char *key_path = base_asprintf("%s-agent-ca-key.pem", line->domain);
    struct tls_ca_request request = {line->days, permitted, count};
    struct tls_pair ca = {NULL, NULL};
    char *why = NULL;
    size_t i;
    int rv;

    if (line->constrain) {
        permitted[0] = line->domain;
        permitted[1] = "localhost";
        for (i = 0; i < line->permitted.count; i++)
            permitted[2 + i] = line->permitted.items[i];
    }
    rv = tls_make_ca(&request, &ca, &why);
    if (rv == 0)
        rv = tls_files_write(cert_path, key_path, &ca, &why);
    if (rv == 0)
        printf("Saved %s\nSaved %s\n", cert_path, key_path);
    tls_pair_close(&ca);
    base_free(cert_path);
    base_free(key_path);
    base_free(permitted);
    return rv < 0 ? cmd_fail("tls ca create", why) : 0;
}

int cmd_tls_ca_create(int argc, char **argv)
{
    struct line line = {.domain = "consul", .days = 1825};
    const struct args_flag flags[] = {
        {"domain", ARGS_TEXT, &line.domain, "DOMAIN",
         "domain of the agents; default: consul"},
        {"days", ARGS_UINT, &line.days, "N",
         "days until it ends; default: 1825"},
        {"name-constraint", ARGS_BOOL, &line.constrain, NULL,
         "let it sign only names below the domain, and localhost"},
        {"additional-name-constraint", ARGS_LIST, &line.permitted, "DOMAIN",
         "let it sign names below that domain too; repeatable"},
    };
    const struct args_command command = {
        "isthmus tls ca create [flags]",
        "Makes a certificate authority for agents and writes it to the current "
        "folder:\nDOMAIN-agent-ca.pem for every agent, and DOMAIN-agent-ca-"
        "key.pem to sign with,\nwhich belongs on no agent. All datacenters of "
        "a federation share one.",
        flags, BASE_COUNT_OF(flags), "isthmus tls ca create -days=3650"};
    int code;

    if (args_parse(&command, argc, argv, NULL, &code) == 0) {
        code = check(&command, &line);
        if (code == 0)
            code = create(&line);
    }
    args_list_close(&line.permitted);
    return code;
}
