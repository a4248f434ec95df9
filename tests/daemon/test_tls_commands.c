/*
 * The certificates that the tls commands make: chain, names, uses, modes; that
 * nothing is overwritten; and what the start of an agent thinks of them.
 */
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/config.h"
#include "base/alloc.h"
#include "base/error.h"
#include "cli/commands.h"
#include "quiet.h"
#include "suite.h"

static char folder[64];
static char before[512];

static void setup(void)
{
    strcpy(folder, "/tmp/isthmus-test-XXXXXX");
    ck_assert_ptr_nonnull(getcwd(before, sizeof(before)));
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
}

static void teardown(void)
{
    char command[96];

    ck_assert_int_eq(chdir(before), 0);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

/* Runs a command on words split at spaces. */
static int run(int (*command)(int, char **), const char *line)
{
    struct quiet quiet = quiet_begin();
    char *copy = base_strdup(line);
    char *argv[24] = {copy};
    char *save = NULL, *word;
    int argc = 1, code;

    for (word = strtok_r(copy, " ", &save); word != NULL && argc < 24;
         word = strtok_r(NULL, " ", &save))
        argv[argc++] = word;
    code = command(argc, argv);
    base_free(copy);
    quiet_end(quiet);
    return code;
}

static X509 *load(const char *path)
{
    FILE *file = fopen(path, "r");
    X509 *cert;

    ck_assert_msg(file != NULL, "%s is not there", path);
    cert = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    ck_assert_ptr_nonnull(cert);
    return cert;
}

static bool has_name(const char *path, const char *name)
{
    X509 *cert = load(path);
    int found = X509_check_host(cert, name, 0,
                                X509_CHECK_FLAG_NO_WILDCARDS |
                                    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
                                NULL);

    X509_free(cert);
    return found == 1;
}

static bool has_ip(const char *path, const char *ip)
{
    X509 *cert = load(path);
    int found = X509_check_ip_asc(cert, ip, 0);

    X509_free(cert);
    return found == 1;
}

static bool is_for(const char *path, int purpose)
{
    X509 *cert = load(path);
    int fits = X509_check_purpose(cert, purpose, 0);

    X509_free(cert);
    return fits == 1;
}

static int verify(const char *ca_path, const char *path)
{
    X509 *ca = load(ca_path), *cert = load(path);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    int error;

    X509_STORE_add_cert(store, ca);
    X509_STORE_set_flags(store, X509_V_FLAG_X509_STRICT);
    X509_STORE_CTX_init(ctx, store, cert, NULL);
    X509_verify_cert(ctx);
    error = X509_STORE_CTX_get_error(ctx);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    X509_free(ca);
    X509_free(cert);
    return error;
}

static unsigned mode_of(const char *path)
{
    struct stat info;

    ck_assert_msg(stat(path, &info) == 0, "%s is not there", path);
    return info.st_mode & 0777;
}

START_TEST(an_authority_is_made_once)
{
    X509 *ca;
    EVP_PKEY *key;
    char group[32] = "";

    ck_assert_int_eq(run(cmd_tls_ca_create, ""), 0);
    ck_assert_uint_eq(mode_of("consul-agent-ca-key.pem"), 0600);
    ck_assert_int_eq(verify("consul-agent-ca.pem", "consul-agent-ca.pem"),
                     X509_V_OK);
    ca = load("consul-agent-ca.pem");
    ck_assert_int_eq(X509_check_ca(ca), 1);
    key = X509_get0_pubkey(ca);
    EVP_PKEY_get_utf8_string_param(key, "group", group, sizeof(group), NULL);
    ck_assert_str_eq(group, "prime256v1");
    X509_free(ca);
    ck_assert_int_eq(run(cmd_tls_ca_create, ""), 1);
}
END_TEST

START_TEST(an_existing_key_stays_and_its_twin_is_not_made)
{
    FILE *file = fopen("consul-agent-ca-key.pem", "w");
    struct stat info;

    fputs("mine", file);
    fclose(file);
    ck_assert_int_eq(run(cmd_tls_ca_create, ""), 1);
    ck_assert_int_eq(stat("consul-agent-ca-key.pem", &info), 0);
    ck_assert_int_eq((int)info.st_size, 4);
    ck_assert_int_lt(stat("consul-agent-ca.pem", &info), 0);
}
END_TEST

START_TEST(a_server_has_its_names)
{
    const char *path = "dc2-server-consul-0.pem";

    ck_assert_int_eq(run(cmd_tls_ca_create, ""), 0);
    ck_assert_int_eq(run(cmd_tls_cert_create,
                         "-server -dc=dc2 -node=n1 -additional-dnsname=x.test "
                         "-additional-ipaddress=fd00::7"),
                     0);
    ck_assert_int_eq(verify("consul-agent-ca.pem", path), X509_V_OK);
    ck_assert(has_name(path, "server.dc2.consul"));
    ck_assert(has_name(path, "n1.server.dc2.consul"));
    ck_assert(has_name(path, "localhost"));
    ck_assert(has_name(path, "x.test"));
    ck_assert(!has_name(path, "n2.server.dc2.consul"));
    ck_assert(has_ip(path, "127.0.0.1"));
    ck_assert(has_ip(path, "fd00::7"));
    ck_assert(is_for(path, X509_PURPOSE_SSL_SERVER));
    ck_assert(is_for(path, X509_PURPOSE_SSL_CLIENT));
    ck_assert_uint_eq(mode_of("dc2-server-consul-0-key.pem"), 0600);
}
END_TEST

START_TEST(numbers_count_up)
{
    ck_assert_int_eq(run(cmd_tls_ca_create, ""), 0);
    ck_assert_int_eq(run(cmd_tls_cert_create, "-server"), 0);
    ck_assert_int_eq(run(cmd_tls_cert_create, "-server"), 0);
    ck_assert_int_eq(run(cmd_tls_cert_create, "-client"), 0);
    mode_of("dc1-server-consul-1.pem");
    mode_of("dc1-client-consul-0.pem");
    /* A stray key of the next number is left alone. */
    fclose(fopen("dc1-server-consul-2-key.pem", "w"));
    ck_assert_int_eq(run(cmd_tls_cert_create, "-server"), 0);
    mode_of("dc1-server-consul-3.pem");
    ck_assert_int_ne(access("dc1-server-consul-2.pem", F_OK), 0);
}
END_TEST

START_TEST(clients_and_people_are_no_servers)
{
    ck_assert_int_eq(run(cmd_tls_ca_create, "-domain=my.zone"), 0);
    ck_assert_int_eq(run(cmd_tls_cert_create, "-client -domain my.zone"), 0);
    ck_assert_int_eq(run(cmd_tls_cert_create, "-cli -domain my.zone"), 0);
    ck_assert(has_name("dc1-client-my.zone-0.pem", "client.dc1.my.zone"));
    ck_assert(!has_name("dc1-client-my.zone-0.pem", "server.dc1.my.zone"));
    ck_assert(has_name("dc1-cli-my.zone-0.pem", "cli.dc1.my.zone"));
    ck_assert(is_for("dc1-cli-my.zone-0.pem", X509_PURPOSE_SSL_CLIENT));
    ck_assert(!is_for("dc1-cli-my.zone-0.pem", X509_PURPOSE_SSL_SERVER));
}
END_TEST

START_TEST(a_constrained_authority_signs_its_own_names_only)
{
    ck_assert_int_eq(run(cmd_tls_ca_create, "-name-constraint "
                                            "-additional-name-constraint=a.b"),
                     0);
    ck_assert_int_eq(run(cmd_tls_cert_create, "-server -node=n1"), 0);
    ck_assert_int_eq(verify("consul-agent-ca.pem", "dc1-server-consul-0.pem"),
                     X509_V_OK);
    ck_assert_int_eq(
        run(cmd_tls_cert_create, "-server -additional-dnsname=x.a.b"), 0);
    ck_assert_int_eq(
        run(cmd_tls_cert_create, "-server -additional-dnsname=x.test"), 1);
    ck_assert_int_ne(access("dc1-server-consul-2.pem", F_OK), 0);
}
END_TEST

static const char *const usage[] = {
    "",
    "-server -client",
    "-client -node=n1",
    "-cli -node=n1",
    "-server -node=n.1",
    "-server -dc=d.1",
    "-server -dc=../x",
    "-server -domain=a/b",
    "-server -domain=consul.",
    "-server -days=0",
    "-server -days=40000",
    "-server -additional-dnsname=a,DNS:b",
    "-server -additional-ipaddress=1.2.3",
    "-client -additional-dnsname=server.dc1.consul",
    "-client -additional-dnsname=n.SERVER.dc9.Consul",
    "-server word",
};

START_TEST(wrong_usage_makes_nothing)
{
    ck_assert_int_eq(run(cmd_tls_ca_create, ""), 0);
    ck_assert_int_eq(run(cmd_tls_cert_create, usage[_i]), 2);
    ck_assert_int_ne(access("dc1-server-consul-0.pem", F_OK), 0);
    ck_assert_int_ne(access("dc1-client-consul-0.pem", F_OK), 0);
}
END_TEST

START_TEST(a_wrong_authority_is_refused)
{
    ck_assert_int_eq(run(cmd_tls_cert_create, "-server"), 1);
    ck_assert_int_eq(run(cmd_tls_ca_create, ""), 0);
    ck_assert_int_eq(run(cmd_tls_ca_create, "-domain=other"), 0);
    /* another's key; a certificate that is no authority */
    ck_assert_int_eq(
        run(cmd_tls_cert_create, "-server -key=other-agent-ca-key.pem"), 1);
    ck_assert_int_eq(run(cmd_tls_cert_create, "-server"), 0);
    ck_assert_int_eq(run(cmd_tls_cert_create,
                         "-server -ca=dc1-server-consul-0.pem "
                         "-key=dc1-server-consul-0-key.pem"),
                     1);
}
END_TEST

/* ---- what config_check_tls() says of such files ------------------------- */

#define CA "\"ca_file\":\"consul-agent-ca.pem\""
#define CERT(n) "\"cert_file\":\"" n ".pem\",\"key_file\":\"" n "-key.pem\""
#define FED                                                                    \
    "\"server\":true,\"verify_incoming\":true,\"verify_outgoing\":true,"       \
    "\"connect\":{\"enable_mesh_gateway_wan_federation\":true},"

static const struct {
    const char *text;          /* of node n1 in dc1 */
    const char *has, *has_too; /* NULL: it is accepted */
} starts[] = {
    {"", NULL, NULL},
    {CA, NULL, NULL},
    {FED CA "," CERT("dc1-server-consul-0"), NULL, NULL},
    {CA "," CERT("dc1-client-consul-0"), NULL, NULL},
    /* without -node, of another dc, a client's */
    {FED CA "," CERT("dc1-server-consul-1"), "cert_file (from t)",
     "n1.server.dc1.consul"},
    {FED CA "," CERT("dc2-server-consul-0"), "cert_file (from t)",
     "server.dc1.consul"},
    {FED CA "," CERT("dc1-client-consul-0"), "cert_file",
     "lacks the DNS name \"server.dc1.consul\""},
    {"\"server\":true,\"verify_server_hostname\":true," CA
     "," CERT("dc2-server-consul-0"),
     "cert_file", "server.dc1.consul"},
    {FED CA ",\"cert_file\":\"dc1-server-consul-0.pem\","
            "\"key_file\":\"dc1-server-consul-1-key.pem\"",
     "key_file (from t)", "is not the key"},
    {FED "\"ca_file\":\"other-agent-ca.pem\"," CERT("dc1-server-consul-0"),
     "cert_file", "does not verify"},
    {FED CA "," CERT("nowhere"), "cert_file (from t)", "No such file"},
    {"\"ca_file\":\"nowhere.pem\"", "ca_file (from t)", "No such file"},
    {"\"ca_file\":\"consul-agent-ca-key.pem\"", "ca_file", "no certificate"},
    {FED CA ",\"cert_file\":\"dc1-server-consul-0.pem\","
            "\"key_file\":\"dc1-server-consul-0.pem\"",
     "key_file", "no private key"},
    {"\"server\":true," CA "," CERT("dc1-cli-consul-0"), "cert_file",
     "serverAuth"},
};

START_TEST(a_start_checks_the_files)
{
    struct config config;
    char *text = base_asprintf("{\"node_name\":\"n1\",\"data_dir\":\"d\","
                               "\"bind_addr\":\"127.0.0.1\"%s%s}",
                               *starts[_i].text ? "," : "", starts[_i].text);
    char *why = NULL;
    int rv;

    ck_assert_int_eq(run(cmd_tls_ca_create, ""), 0);
    ck_assert_int_eq(run(cmd_tls_ca_create, "-domain=other"), 0);
    ck_assert_int_eq(run(cmd_tls_cert_create, "-server -node=n1"), 0);
    ck_assert_int_eq(run(cmd_tls_cert_create, "-server"), 0);
    ck_assert_int_eq(run(cmd_tls_cert_create, "-server -dc=dc2 -node=n1"), 0);
    ck_assert_int_eq(run(cmd_tls_cert_create, "-client"), 0);
    ck_assert_int_eq(run(cmd_tls_cert_create, "-cli"), 0);
    config_init(&config);
    rv = config_load_text(&config, "t", text, strlen(text), &why);
    ck_assert_msg(rv == 0, "%s", why);
    ck_assert_int_eq(config_complete(&config, &why), 0);
    ck_assert_msg(config_check(&config, &why) == 0, "%s", why);
    rv = config_check_tls(&config, &why);
    if (starts[_i].has == NULL)
        ck_assert_msg(rv == 0, "%s", why);
    else
        ck_assert_msg(rv == BASE_EINVAL && strstr(why, starts[_i].has) &&
                          strstr(why, starts[_i].has_too),
                      "%d \"%s\"", rv, why);
    base_free(text);
    base_free(why);
    config_close(&config);
}
END_TEST

Suite *tls_commands_suite(void);
Suite *tls_commands_suite(void)
{
    Suite *suite = suite_create("tls commands");
    TCase *tcase = tcase_create("tls");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, an_authority_is_made_once);
    tcase_add_test(tcase, an_existing_key_stays_and_its_twin_is_not_made);
    tcase_add_test(tcase, a_server_has_its_names);
    tcase_add_test(tcase, numbers_count_up);
    tcase_add_test(tcase, clients_and_people_are_no_servers);
    tcase_add_test(tcase, a_constrained_authority_signs_its_own_names_only);
    tcase_add_loop_test(tcase, wrong_usage_makes_nothing, 0,
                        (int)BASE_COUNT_OF(usage));
    tcase_add_test(tcase, a_wrong_authority_is_refused);
    tcase_add_loop_test(tcase, a_start_checks_the_files, 0,
                        (int)BASE_COUNT_OF(starts));
    suite_add_tcase(suite, tcase);
    return suite;
}
