/*
 * Certificates and keys as PEM files of the current folder. Nothing is ever
 * overwritten, and a key is readable by its owner alone from its first byte on.
 * Errors: a negative base_error with one sentence in *why, the caller's.
 */
#ifndef CLI_TLS_FILES_H
#define CLI_TLS_FILES_H

#include "cli/tls_make.h"

/** Writes both files, or neither. BASE_EEXIST if one of them is there. */
int tls_files_write(const char *cert_path, const char *key_path,
                    const struct tls_pair *pair, char **why);
/** Reads an authority: BASE_EINVAL unless its key fits and it is one. */
int tls_files_read_ca(const char *cert_path, const char *key_path,
                      struct tls_pair *out, char **why);

#endif
