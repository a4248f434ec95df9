/*
 * Memory. Small sizes that we chose ourselves cannot usefully fail: these abort
 * with a message. A size that a peer names is checked against a limit by the
 * caller before it gets here.
 * Threads: any.
 */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include <stddef.h>

/** size bytes, uninitialised; never NULL. Free with base_free(). */
void *base_alloc(size_t size);
/** count * size bytes, zeroed; aborts if the product overflows. */
void *base_calloc(size_t count, size_t size);
/** Like realloc(3), for what these functions gave. */
void *base_realloc(void *ptr, size_t size);
/** count * size bytes from ptr on; aborts if the product overflows. */
void *base_reallocarray(void *ptr, size_t count, size_t size);
/** A copy of text; NULL for NULL. */
char *base_strdup(const char *text);
/** A NUL-terminated copy of the first len bytes of text. */
char *base_strndup(const char *text, size_t len);
/** A copy of len bytes; a non-NULL pointer even for len 0. */
void *base_memdup(const void *data, size_t len);
/** A formatted string, the caller's. */
char *base_asprintf(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
/** free(3); NULL is fine. */
void base_free(void *ptr);
/** Frees secrets: overwrites len bytes first, in a way that no compiler drops. */
void base_free_secret(void *ptr, size_t len);

/** A zeroed object of the type that the pointer p points to. */
#define BASE_NEW(p) ((p) = base_calloc(1, sizeof(*(p))))

/** The struct of type that holds ptr as its field. */
#define BASE_CONTAINER_OF(ptr, type, field)                                \
    ((type *)(void *)((char *)(ptr)-offsetof(type, field)))

#define BASE_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
