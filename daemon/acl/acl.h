/*
 * Who may do what: tokens, and what each of them grants. Resources and words
 * are Consul's; a rule holds for a whole resource, not for names below it, and
 * all of it comes from the configuration (docs/configuration.md), so that
 * access can be decided while there is no leader.
 *
 * Errors: none. Threads: any while nobody changes it; in the daemon it is asked
 * and changed by the main loop.
 */
#ifndef ACL_ACL_H
#define ACL_ACL_H

#include <stdbool.h>

enum acl_resource {
    ACL_PUBLIC,   /* for everybody, token or none */
    ACL_AGENT,    /* this agent: its state, joining, leaving, its log */
    ACL_EVENT,    /* user events and queries */
    ACL_NODE,     /* the catalog's nodes, their checks, coordinates */
    ACL_OPERATOR, /* Raft, keys, federation states, snapshots */
    ACL_SERVICE,  /* the catalog's services and their checks */
    ACL_RESOURCE_COUNT
};

enum acl_access { ACL_DENY, ACL_READ, ACL_WRITE };

struct acl_rules {
    enum acl_access access[ACL_RESOURCE_COUNT];
};

enum acl_verdict {
    ACL_ALLOWED,
    ACL_REFUSED, /* a token that is known, or none: it may not */
    ACL_UNKNOWN  /* a token that is not known */
};

struct acl;

/** Rules for who comes without a token. */
struct acl *acl_new(const struct acl_rules *anonymous);
void acl_free(struct acl *acl);

/** What fresh says holds from now on; fresh is used up. */
void acl_become(struct acl *acl, struct acl *fresh);

/** A token and its rules. The token itself is not kept, only its digest. False
 * if it is there already. */
bool acl_grant(struct acl *acl, const char *token,
               const struct acl_rules *rules);

/** NULL is access control switched off: all is allowed. The time that this
 * takes says nothing about any token. */
enum acl_verdict acl_ask(const struct acl *acl, const char *token,
                         enum acl_resource resource, enum acl_access access);

/** "Permission denied: ..." or "ACL not found", for who was refused; written
 * to text of ACL_WORDS_SIZE bytes. */
#define ACL_WORDS_SIZE 64
void acl_words(char *text, enum acl_verdict verdict, enum acl_resource resource,
               enum acl_access access);

/** The same access to every resource. */
struct acl_rules acl_rules_all(enum acl_access access);
/** "operator" and so on; ACL_RESOURCE_COUNT if there is no such resource. */
enum acl_resource acl_resource_parse(const char *word);
/** "deny", "read" or "write"; false for another word. */
bool acl_access_parse(const char *word, enum acl_access *out);

#endif
