/*
 * Tokens are kept as SHA-256 digests: a dump of memory holds no secret, and
 * digests have one length, so that comparing takes one time. A look through all
 * of them at each question is meant: it is where timing would tell how far a
 * guess came, and an agent has tens of tokens, not thousands.
 */
#include "acl/acl.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

#define DIGEST_BYTES 32

struct grant {
    unsigned char digest[DIGEST_BYTES];
    struct acl_rules rules;
};

struct acl {
    struct acl_rules anonymous;
    struct grant *grants;
    size_t count;
};

static const char *const resource_words[ACL_RESOURCE_COUNT] = {
    [ACL_PUBLIC] = "public",     [ACL_AGENT] = "agent",
    [ACL_EVENT] = "event",       [ACL_NODE] = "node",
    [ACL_OPERATOR] = "operator", [ACL_SERVICE] = "service",
};

static const char *const access_words[] = {
    [ACL_DENY] = "deny", [ACL_READ] = "read", [ACL_WRITE] = "write"};

struct acl *acl_new(const struct acl_rules *anonymous)
{
    struct acl *acl;

    BASE_NEW(acl);
    acl->anonymous = *anonymous;
    return acl;
}

void acl_free(struct acl *acl)
{
    if (acl == NULL)
        return;
    base_free(acl->grants);
    base_free(acl);
}

void acl_become(struct acl *acl, struct acl *fresh)
{
    struct acl before = *acl;

    *acl = *fresh;
    *fresh = before;
    acl_free(fresh);
}

static void digest(const char *token, unsigned char out[DIGEST_BYTES])
{
    int rv = EVP_Digest(token, strlen(token), out, NULL, EVP_sha256(), NULL);

    assert(rv == 1); /* SHA-256 is in every provider; no memory ends us too */
    (void)rv;
}

static const struct grant *find(const struct acl *acl, const char *token)
{
    const struct grant *found = NULL;
    unsigned char asked[DIGEST_BYTES];
    size_t i;

    digest(token, asked);
    for (i = 0; i < acl->count; i++)
        if (CRYPTO_memcmp(asked, acl->grants[i].digest, DIGEST_BYTES) == 0)
            found = &acl->grants[i];
    return found;
}

bool acl_grant(struct acl *acl, const char *token,
               const struct acl_rules *rules)
{
    struct grant *grant;

    if (find(acl, token))
        return false;
    acl->grants = base_reallocarray(acl->grants, acl->count + 1,
                                    sizeof(*acl->grants));
    grant = &acl->grants[acl->count++];
    digest(token, grant->digest);
    grant->rules = *rules;
    return true;
}

enum acl_verdict acl_ask(const struct acl *acl, const char *token,
                         enum acl_resource resource, enum acl_access access)
{
    const struct acl_rules *rules;

    if (acl == NULL)
        return ACL_ALLOWED;
    rules = &acl->anonymous;
    if (*token != '\0') {
        const struct grant *grant = find(acl, token);

        if (grant == NULL)
            return ACL_UNKNOWN;
        rules = &grant->rules;
    }
    return resource == ACL_PUBLIC || rules->access[resource] >= access
               ? ACL_ALLOWED
               : ACL_REFUSED;
}

void acl_words(char *text, enum acl_verdict verdict, enum acl_resource resource,
               enum acl_access access)
{
    if (verdict == ACL_UNKNOWN)
        snprintf(text, ACL_WORDS_SIZE, "ACL not found");
    else
        snprintf(text, ACL_WORDS_SIZE, "Permission denied: needs %s:%s",
                 resource_words[resource], access_words[access]);
}

struct acl_rules acl_rules_all(enum acl_access access)
{
    struct acl_rules rules;
    size_t i;

    for (i = 0; i < ACL_RESOURCE_COUNT; i++)
        rules.access[i] = access;
    return rules;
}

enum acl_resource acl_resource_parse(const char *word)
{
    size_t i;

    for (i = ACL_PUBLIC + 1; i < ACL_RESOURCE_COUNT; i++)
        if (strcmp(word, resource_words[i]) == 0)
            return (enum acl_resource)i;
    return ACL_RESOURCE_COUNT;
}

bool acl_access_parse(const char *word, enum acl_access *out)
{
    size_t i;

    for (i = ACL_DENY; i <= ACL_WRITE; i++) {
        if (strcmp(word, access_words[i]) == 0) {
            *out = (enum acl_access)i;
            return true;
        }
    }
    return false;
}
