/*
 * Memory that never comes back NULL. A process that cannot get a small block
 * has no way on that was ever tested: it says so and stops.
 */
#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *ptr, size_t size)
{
    if (ptr != NULL)
        return ptr;
    fprintf(stderr, "isthmus: out of memory for %zu bytes\n", size);
    abort();
}

static size_t product(size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes)) {
        fprintf(stderr, "isthmus: %zu x %zu bytes overflow\n", count, size);
        abort();
    }
    return bytes;
}

void *base_alloc(size_t size)
{
    return checked(malloc(size != 0 ? size : 1), size);
}

void *base_calloc(size_t count, size_t size)
{
    size_t bytes = product(count, size);

    return checked(calloc(1, bytes != 0 ? bytes : 1), bytes);
}

void *base_realloc(void *ptr, size_t size)
{
    return checked(realloc(ptr, size != 0 ? size : 1), size);
}

void *base_reallocarray(void *ptr, size_t count, size_t size)
{
    return base_realloc(ptr, product(count, size));
}

char *base_strdup(const char *text)
{
    return text == NULL ? NULL : base_memdup(text, strlen(text) + 1);
}

char *base_strndup(const char *text, size_t len)
{
    char *copy = base_alloc(len + 1);

    if (len > 0)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

void *base_memdup(const void *data, size_t len)
{
    void *copy = base_alloc(len);

    if (len > 0)
        memcpy(copy, data, len);
    return copy;
}

char *base_asprintf(const char *format, ...)
{
    va_list args;
    char *text = NULL;
    int len;

    va_start(args, format);
    len = vasprintf(&text, format, args);
    va_end(args);
    return checked(len < 0 ? NULL : text, 0);
}

void base_free(void *ptr)
{
    free(ptr);
}

void base_free_secret(void *ptr, size_t len)
{
    if (ptr != NULL)
        explicit_bzero(ptr, len);
    free(ptr);
}
