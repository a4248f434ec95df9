/*
 * Names of nodes, datacenters and domains. With federation on they are parts of
 * a TLS server name, <node>.server.<dc>.<domain>, and of a WAN name of exactly
 * two labels, <node>.<dc>; a name that does not fit would fail far from here.
 */
#include "agent/config_names.h"

#include <string.h>

#define LABEL_MAX 63 /* RFC 1035, 2.3.4 */
#define DOMAIN_MAX 253

#define LOWER_DIGITS "abcdefghijklmnopqrstuvwxyz0123456789"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

const char *config_label_fault(const char *text, bool strict)
{
    size_t len = text == NULL ? 0 : strlen(text);

    if (len == 0)
        return "must not be empty";
    if (strchr(text, '.') != NULL)
        return "must not contain a dot";
    if (len > LABEL_MAX)
        return "must have at most 63 characters";
    if (text[0] == '-' || text[len - 1] == '-')
        return "must not begin or end with \"-\"";
    if (strict && strspn(text, LOWER_DIGITS "-") != len)
        return "may have only a-z, 0-9 and \"-\" with federation on";
    if (strspn(text, LOWER_DIGITS UPPER "-_") != len)
        return "may have only letters, digits, \"-\" and \"_\"";
    return NULL;
}

const char *config_domain_fault(const char *text)
{
    size_t len = text == NULL ? 0 : strlen(text);

    if (len == 0)
        return "must not be empty";
    if (len > DOMAIN_MAX)
        return "must have at most 253 characters";
    if (text[len - 1] == '.')
        return "must not end with a dot";
    while (*text != '\0') {
        size_t label = strcspn(text, ".");

        if (label == 0 || label > LABEL_MAX || text[0] == '-' ||
            text[label - 1] == '-' ||
            strspn(text, LOWER_DIGITS UPPER "-") < label)
            return "must be DNS labels joined by dots";
        text += label + (text[label] == '.' ? 1 : 0);
    }
    return NULL;
}

bool config_is_uuid(const char *text)
{
    size_t i;

    if (strlen(text) != 36)
        return false;
    for (i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? text[i] != '-'
                 : strchr("0123456789abcdefABCDEF", text[i]) == NULL)
            return false;
    }
    return true;
}
