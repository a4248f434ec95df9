#include "snapshot/tar.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char zeros[TAR_BLOCK];

void tar_add(struct base_buf *tar, const char *name, const void *data,
             size_t len)
{
    char header[TAR_BLOCK] = {0};
    unsigned sum = 0;
    size_t i;

    assert(strlen(name) <= TAR_NAME_MAX);
    strcpy(header, name);
    memcpy(header + 100, "0000600", 8);
    memcpy(header + 108, "0000000", 8);
    memcpy(header + 116, "0000000", 8);
    snprintf(header + 124, 12, "%011zo", len);
    memcpy(header + 136, "00000000000", 12);
    memset(header + 148, ' ', 8); /* the sum counts itself as spaces */
    header[156] = '0';
    memcpy(header + 257, "ustar\0" "00", 8);
    for (i = 0; i < TAR_BLOCK; i++)
        sum += (unsigned char)header[i];
    snprintf(header + 148, 8, "%06o", sum);
    base_buf_append(tar, header, TAR_BLOCK);
    base_buf_append(tar, data, len);
    if (len % TAR_BLOCK != 0)
        base_buf_append(tar, zeros, TAR_BLOCK - len % TAR_BLOCK);
}

void tar_end(struct base_buf *tar)
{
    base_buf_append(tar, zeros, TAR_BLOCK);
    base_buf_append(tar, zeros, TAR_BLOCK);
}
