#include "agent/check_spec.h"

#include <string.h>
#include <strings.h>

#include "base/addr.h"
#include "base/alloc.h"

static char *copy(const char *text)
{
    return base_strdup(text ? text : "");
}

void check_spec_copy(struct check_spec *to, const struct check_spec *from)
{
    *to = *from;
    to->tcp = copy(from->tcp);
    to->http = copy(from->http);
    to->method = copy(from->method);
    to->headers = copy(from->headers);
}

void check_spec_close(struct check_spec *spec)
{
    base_free(spec->tcp);
    base_free(spec->http);
    base_free(spec->method);
    base_free(spec->headers);
    memset(spec, 0, sizeof(*spec));
}

const char *check_spec_kind(const struct check_spec *spec)
{
    if (spec->ttl_ms > 0)
        return "ttl";
    if (spec->tcp && *spec->tcp != '\0')
        return "tcp";
    return spec->http && *spec->http != '\0' ? "http" : "";
}

/* Nothing that would mean something else in the middle of a request. */
static bool is_visible(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

bool check_url_parse(const char *text, struct check_url *out)
{
    char authority[300];
    struct base_target target;

    memset(out, 0, sizeof(*out));
    if (!is_visible(text))
        return false;
    if (strncasecmp(text, "https://", 8) == 0)
        out->https = true;
    else if (strncasecmp(text, "http://", 7) != 0)
        return false;
    out->authority = text + (out->https ? 8 : 7);
    out->authority_len = strcspn(out->authority, "/?#");
    out->path = out->authority + out->authority_len;
    if (out->authority_len >= sizeof(authority))
        return false;
    memcpy(authority, out->authority, out->authority_len);
    authority[out->authority_len] = '\0';
    if (strchr(authority, '@') != NULL ||
        base_target_parse(&target, authority, out->https ? 443 : 80) != 0 ||
        strlen(target.host) >= sizeof(out->host))
        return false;
    strcpy(out->host, target.host);
    out->port = target.port;
    return true;
}
