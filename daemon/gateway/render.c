/* What the renderers share: names and sources. Rows hold only labels of
 * letters, digits, "-" and "_" (routes.h) between the domain's, so nothing in
 * them can break out of the place where it is put. */
#include "gateway/render.h"

#include <string.h>

void render_begin(struct base_buf *text, const struct render_input *input)
{
    char addr[BASE_ADDR_TEXT_MAX];

    base_buf_printf(
        text,
        "# Mesh gateway on %s.\n"
        "# Written by \"isthmus gateway\" from the routes of its agent, and\n"
        "# written anew when they change: do not edit.\n",
        base_addr_format(&input->listen[0], addr));
}

void render_group(struct base_buf *text, const struct route *row)
{
    const char *pattern = row->pattern;

    if (*pattern == '*') {
        base_buf_append_u8(text, '_');
        pattern++;
    }
    base_buf_append(text, pattern, strlen(pattern));
}

void render_regex(struct base_buf *text, const char *pattern)
{
    base_buf_append_u8(text, '^');
    for (; *pattern != '\0'; pattern++) {
        if (*pattern == '*')
            base_buf_printf(text, "[^.]+");
        else if (*pattern == '.')
            base_buf_printf(text, "\\.");
        else
            base_buf_append_u8(text, (uint8_t)*pattern);
    }
    base_buf_append_u8(text, '$');
}

const struct base_addr *render_source(const struct render_input *input,
                                      const struct route *row,
                                      const struct base_addr *to)
{
    const struct base_addr *from =
        row->wan ? &input->from_wan : &input->from_lan;

    return from->family == to->family && !base_addr_is_any(from) ? from : NULL;
}
