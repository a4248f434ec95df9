/*
 * WAN names. They become TLS server names (federation.md section 2), so a label
 * is what DNS takes for one; "*" stands for any server of a datacenter.
 */
#include <string.h>

#include "wanfed/transport.h"

#define LABEL_BYTES_MAX 63u

static bool is_label(const char *text, size_t len)
{
    size_t i;

    if (len == 0 || len > LABEL_BYTES_MAX)
        return false;
    for (i = 0; i < len; i++) {
        char c = text[i];
        bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    (c >= '0' && c <= '9') || c == '_' || c == '-';

        if (!fits)
            return false;
    }
    return true;
}

static void take(char out[64], const char *text, size_t len)
{
    memcpy(out, text, len);
    out[len] = '\0';
}

bool wanfed_name_split(const char *name, char node[64], char dc[64])
{
    const char *dot = name != NULL ? strchr(name, '.') : NULL;
    size_t node_len;
    size_t dc_len;
    bool any;

    if (dot == NULL)
        return false;
    node_len = (size_t)(dot - name);
    dc_len = strlen(dot + 1);
    any = node_len == 1 && name[0] == '*';
    /* A third label fails here: '.' is no part of a label. */
    if ((!any && !is_label(name, node_len)) || !is_label(dot + 1, dc_len))
        return false;
    take(node, name, node_len);
    take(dc, dot + 1, dc_len);
    return true;
}
