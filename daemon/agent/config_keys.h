/*
 * The table of the configuration's keys, and the one way to set a key. Files
 * and flags both come through here, so a value means the same and fails with
 * the same words whichever way it came. Private to agent/config*.c.
 */
#ifndef AGENT_CONFIG_KEYS_H
#define AGENT_CONFIG_KEYS_H

#include "agent/config.h"

enum config_type {
    CONFIG_TEXT,
    CONFIG_BOOL,
    CONFIG_UINT,
    CONFIG_PORT,
    CONFIG_DURATION, /* text such as "1m30s", held in milliseconds */
    CONFIG_IP,
    CONFIG_LEVEL,
    CONFIG_LIST, /* of texts */
    CONFIG_MAP,  /* from text to text */
    CONFIG_GRANTS /* acl.grants: files only */
};

struct config_key {
    const char *path; /* "ports.http": objects joined by dots */
    enum config_type type;
    size_t offset;        /* of the value in struct config */
    int64_t min, max;     /* of UINT, PORT, and DURATION in milliseconds */
    const char *flag;     /* without dash; NULL if there is none */
    const char *argument; /* what a flag's value stands for in its help */
    const char *help;     /* of the flag */
    const char *same_as;  /* another spelling of this key; NULL usually */
};

size_t config_key_count(void);
const struct config_key *config_key_at(size_t index);
/** NULL if there is none. */
const struct config_key *config_key_find(const char *path);
/** True if some key lies below path, as ports.http does below ports. */
bool config_key_is_object(const char *path);

/* Setting. origin is a file's name, or NULL for the key's flag; it is copied.
 * They return 0, or BASE_EPARSE with *why. */

/** For TEXT, DURATION, IP, LEVEL, and one more item of a LIST. */
int config_set_text(struct config *config, const struct config_key *key,
                    const char *origin, const char *value, char **why);
int config_set_bool(struct config *config, const struct config_key *key,
                    const char *origin, bool value);
/** For UINT and PORT. */
int config_set_int(struct config *config, const struct config_key *key,
                   const char *origin, int64_t value, char **why);
/** For MAP. */
int config_set_pair(struct config *config, const struct config_key *key,
                    const char *origin, const char *name, const char *value);

/** As config_where(), for a key that is being set. */
char *config_key_where(const struct config_key *key, const char *origin);
/** "a duration such as "30s"", to say what was wanted. */
const char *config_type_words(enum config_type type);
/** "1m30s" into milliseconds: decimal numbers, each with ns, us, ms, s, m or h.
 * BASE_EPARSE for another form or a negative or absurd length. */
int config_parse_duration(const char *text, int64_t *out_ms);

/** That the key was given, and by which file or flag. */
void config_remember(struct config *config, const struct config_key *key,
                     const char *origin);
struct config_origins *config_origins_new(void);
void config_origins_free(struct config_origins *origins);

#endif
