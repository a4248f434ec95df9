/* "provider=dns name=x type=srv": words of key=value, each once. */
#include "agent/discover_text.h"

#include <stdbool.h>
#include <string.h>

#include "base/error.h"

#define SPACE " \t"

struct words {
    char provider[16], name[512], type[16], path[512];
};

static bool take(char *out, size_t size, const char *value, size_t len)
{
    if (*out != '\0' || len == 0 || len >= size)
        return false;
    memcpy(out, value, len);
    out[len] = '\0';
    return true;
}

static const char *take_word(struct words *words, const char *word, size_t len)
{
    const struct {
        const char *key;
        char *out;
        size_t size;
    } keys[] = {{"provider=", words->provider, sizeof(words->provider)},
                {"name=", words->name, sizeof(words->name)},
                {"type=", words->type, sizeof(words->type)},
                {"path=", words->path, sizeof(words->path)}};
    size_t i;

    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        size_t key_len = strlen(keys[i].key);

        if (len < key_len || memcmp(word, keys[i].key, key_len) != 0)
            continue;
        return take(keys[i].out, keys[i].size, word + key_len, len - key_len)
                   ? NULL
                   : "a word of a discovery string is empty, too long or "
                     "given twice";
    }
    return "a discovery string has words provider=, name=, type= and path= "
           "only";
}

static const char *read_words(struct words *words, const char *text)
{
    const char *why = NULL;

    while (why == NULL) {
        size_t len;

        text += strspn(text, SPACE);
        if (*text == '\0')
            break;
        len = strcspn(text, SPACE);
        why = take_word(words, text, len);
        text += len;
    }
    return why;
}

static const char *read_dns(struct discover_text *out,
                            const struct words *words)
{
    if (*words->name == '\0' || *words->path != '\0')
        return "provider=dns needs name=, and type=a or type=srv";
    if (strcmp(words->type, "a") == 0 || *words->type == '\0')
        out->kind = DISCOVER_DNS_A;
    else if (strcmp(words->type, "srv") == 0)
        out->kind = DISCOVER_DNS_SRV;
    else
        return "type= of provider=dns is a or srv";
    if (strlen(words->name) >= BASE_HOST_MAX)
        return "name= is longer than a DNS name";
    strcpy(out->value, words->name);
    return NULL;
}

static const char *read_file(struct discover_text *out,
                             const struct words *words)
{
    if (*words->path != '/' || *words->name != '\0' || *words->type != '\0')
        return "provider=file needs path=, an absolute one, and nothing else";
    out->kind = DISCOVER_FILE;
    strcpy(out->value, words->path);
    return NULL;
}

int discover_text_parse(struct discover_text *out, const char *text,
                        const char **why)
{
    struct words words = {0};
    struct base_target target;

    memset(out, 0, sizeof(*out));
    if (strncmp(text, "provider=", 9) != 0) {
        out->kind = DISCOVER_TARGET;
        *why = base_target_parse(&target, text, 1) == 0
                   ? NULL
                   : "wanted host, host:port or name/host:port";
        return *why ? BASE_EPARSE : 0;
    }
    *why = read_words(&words, text);
    if (*why == NULL && strcmp(words.provider, "dns") == 0)
        *why = read_dns(out, &words);
    else if (*why == NULL && strcmp(words.provider, "file") == 0)
        *why = read_file(out, &words);
    else if (*why == NULL)
        *why = "provider= is dns or file";
    return *why ? BASE_EPARSE : 0;
}
