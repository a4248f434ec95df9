#include "agent/config_acl.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

#define SECRET_BYTES_MAX 1024u /* what an RPC carries */

/* As it travels in headers and RPCs: printable ASCII without spaces. */
static bool is_secret(const char *text)
{
    size_t len;

    for (len = 0; text[len] != '\0'; len++)
        if (text[len] <= 0x20 || text[len] >= 0x7f)
            return false;
    return len > 0 && len <= SECRET_BYTES_MAX;
}

/* ---- reading -------------------------------------------------------------- */

static int refuse(const struct config_key *key, const char *file, size_t at,
                  const char *name, const char *fault, char **why)
{
    *why = base_asprintf("%s[%zu]%s%.40s (from %s): %s", key->path, at,
                         *name ? "." : "", name, file, fault);
    return BASE_EPARSE;
}

/* NULL, or what is wrong with one field. */
static const char *read_field(struct config_grant *grant, const char *name,
                              const char *value)
{
    enum acl_resource resource = acl_resource_parse(name);

    if (strcmp(name, "description") == 0)
        return NULL; /* for those who read the file */
    if (strcmp(name, "secret_id") == 0) {
        if (!is_secret(value))
            return "wanted 1 to 1024 printable characters without spaces";
        grant->secret_id = base_strdup(value);
        return NULL;
    }
    if (resource == ACL_RESOURCE_COUNT)
        return "unknown key: wanted secret_id, description, agent, event, "
               "node, operator or service";
    grant->named[resource] = true;
    return acl_access_parse(value, &grant->rules.access[resource])
               ? NULL
               : "wanted \"read\", \"write\" or \"deny\"";
}

static void close_grant(struct config_grant *grant)
{
    if (grant->secret_id)
        base_free_secret(grant->secret_id, strlen(grant->secret_id));
}

static int read_grant(struct config_grant *grant, const struct config_key *key,
                      const char *file, size_t at, const json_t *object,
                      char **why)
{
    const char *name;
    json_t *value;

    if (!json_is_object(object))
        return refuse(key, file, at, "", "wanted an object", why);
    json_object_foreach((json_t *)object, name, value)
    {
        const char *fault = json_is_string(value)
                                ? read_field(grant, name,
                                             json_string_value(value))
                                : "wanted a string";

        if (fault != NULL)
            return refuse(key, file, at, name, fault, why);
    }
    if (grant->secret_id == NULL)
        return refuse(key, file, at, "secret_id", "must be set", why);
    return 0;
}

int config_add_grants(struct config *config, const struct config_key *key,
                      const char *file, const json_t *list, char **why)
{
    struct config_grants *grants = &config->acl.grants;
    json_t *object;
    size_t i;

    config_remember(config, key, file);
    json_array_foreach((json_t *)list, i, object)
    {
        struct config_grant grant = {0};
        int rv = read_grant(&grant, key, file, i, object, why);

        if (rv != 0) {
            close_grant(&grant);
            return rv;
        }
        grants->items = base_reallocarray(grants->items, grants->count + 1,
                                          sizeof(*grants->items));
        grants->items[grants->count++] = grant;
    }
    return 0;
}

void config_close_grants(struct config_grants *grants)
{
    size_t i;

    for (i = 0; i < grants->count; i++)
        close_grant(&grants->items[i]);
    base_free(grants->items);
}

static bool same_grant(const struct config_grant *a,
                       const struct config_grant *b)
{
    size_t i;

    for (i = 0; i < ACL_RESOURCE_COUNT; i++)
        if (a->named[i] != b->named[i] ||
            a->rules.access[i] != b->rules.access[i])
            return false;
    return strcmp(a->secret_id, b->secret_id) == 0;
}

bool config_same_grants(const struct config_grants *a,
                        const struct config_grants *b)
{
    size_t i;

    for (i = 0; i < a->count && i < b->count; i++)
        if (!same_grant(&a->items[i], &b->items[i]))
            return false;
    return a->count == b->count;
}

/* ---- rules ---------------------------------------------------------------- */

static bool is_known_policy(const char *policy)
{
    return policy == NULL || strcmp(policy, "allow") == 0 ||
           strcmp(policy, "deny") == 0;
}

/* The tokens of the agent itself are keys of their own. */
static const char *bad_token(const struct config_acl *acl)
{
    const struct {
        const char *key, *token;
    } tokens[] = {
        {"acl.tokens.agent", acl->agent_token},
        {"acl.tokens.default", acl->default_token},
        {"acl.tokens.initial_management", acl->management_token},
        {"acl.tokens.replication", acl->replication_token},
    };
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(tokens); i++)
        if (tokens[i].token && !is_secret(tokens[i].token))
            return tokens[i].key;
    return NULL;
}

static struct acl *build(const struct config *config);

int config_check_acl(const struct config *config, const char **key,
                     const char **fault)
{
    struct acl *acl;

    *key = bad_token(&config->acl);
    *fault = "wanted 1 to 1024 printable characters without spaces";
    if (*key == NULL && !is_known_policy(config->acl.default_policy)) {
        *key = "acl.default_policy";
        *fault = "wanted \"allow\" or \"deny\"";
    }
    if (*key != NULL)
        return BASE_EINVAL;
    acl = build(config);
    if (acl == NULL) {
        *key = "acl.grants";
        *fault = "two tokens are the same";
        return BASE_EINVAL;
    }
    acl_free(acl);
    return 0;
}

/* ---- what they mean ------------------------------------------------------- */

static bool grant_all(struct acl *acl, const struct config_acl *config,
                      const struct acl_rules *policy)
{
    struct acl_rules management = acl_rules_all(ACL_WRITE);
    size_t i, j;

    if (config->management_token &&
        !acl_grant(acl, config->management_token, &management))
        return false;
    for (i = 0; i < config->grants.count; i++) {
        const struct config_grant *grant = &config->grants.items[i];
        struct acl_rules rules = *policy;

        for (j = 0; j < ACL_RESOURCE_COUNT; j++)
            if (grant->named[j])
                rules.access[j] = grant->rules.access[j];
        if (!acl_grant(acl, grant->secret_id, &rules))
            return false;
    }
    return true;
}

static struct acl *build(const struct config *config)
{
    const char *policy = config->acl.default_policy;
    bool denies = policy != NULL && strcmp(policy, "deny") == 0;
    struct acl_rules rules = acl_rules_all(denies ? ACL_DENY : ACL_WRITE);
    struct acl *acl = acl_new(&rules);

    if (grant_all(acl, &config->acl, &rules))
        return acl;
    acl_free(acl);
    return NULL;
}

struct acl *config_acl(const struct config *config)
{
    return config->acl.enabled ? build(config) : NULL;
}
