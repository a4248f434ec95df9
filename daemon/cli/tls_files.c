/* PEM files: written once, with the right mode, or not at all. */
#include "cli/tls_files.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"

static int fail_errno(const char *path, int err, char **why)
{
    if (err == EEXIST)
        *why =
            base_asprintf("\"%s\" is there already; nothing was changed", path);
    else
        *why = base_asprintf("\"%s\": %s", path, strerror(err));
    return base_error_from_errno(err);
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t put = write(fd, data, len);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return errno != 0 ? errno : EIO;
        data += put;
        len -= (size_t)put;
    }
    /* A key that a crash takes away has signed nothing, but a certificate
     * without its key is a riddle. */
    return fsync(fd) == 0 ? 0 : errno;
}

static int write_new(const char *path, mode_t mode, BIO *pem, char **why)
{
    int fd =
        open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    char *data;
    long len = BIO_get_mem_data(pem, &data);
    int err;

    if (fd < 0)
        return fail_errno(path, errno, why);
    err = write_all(fd, data, (size_t)len);
    if (close(fd) < 0 && err == 0)
        err = errno;
    if (err == 0)
        return 0;
    unlink(path);
    return fail_errno(path, err, why);
}

static int write_key(const char *path, EVP_PKEY *key, char **why)
{
    BIO *pem = BIO_new(BIO_s_secmem());
    int rv;

    if (pem == NULL || PEM_write_bio_PKCS8PrivateKey(pem, key, NULL, NULL, 0,
                                                     NULL, NULL) != 1) {
        *why = base_asprintf("\"%s\": the key cannot be encoded", path);
        rv = BASE_EIO;
    } else {
        rv = write_new(path, 0600, pem, why);
    }
    BIO_free(pem);
    return rv;
}

static int write_cert(const char *path, X509 *cert, char **why)
{
    BIO *pem = BIO_new(BIO_s_mem());
    int rv;

    if (pem == NULL || PEM_write_bio_X509(pem, cert) != 1) {
        *why = base_asprintf("\"%s\": the certificate cannot be encoded", path);
        rv = BASE_EIO;
    } else {
        rv = write_new(path, 0644, pem, why);
    }
    BIO_free(pem);
    return rv;
}

int tls_files_write(const char *cert_path, const char *key_path,
                    const struct tls_pair *pair, char **why)
{
    int rv = write_cert(cert_path, pair->cert, why);

    if (rv < 0)
        return rv;
    rv = write_key(key_path, pair->key, why);
    if (rv < 0)
        unlink(cert_path); /* ours: it was made a moment ago */
    return rv;
}

static FILE *open_pem(const char *path, char **why)
{
    FILE *file = fopen(path, "re");

    if (file == NULL)
        fail_errno(path, errno, why);
    return file;
}

static int no_passphrase(char *buf, int size, int rwflag, void *arg)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    (void)arg;
    return -1;
}

static int read_both(const char *cert_path, const char *key_path,
                     struct tls_pair *out, char **why)
{
    FILE *file = open_pem(cert_path, why);

    if (file == NULL)
        return BASE_ENOTFOUND;
    out->cert = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    if (out->cert == NULL) {
        *why = base_asprintf("\"%s\" holds no certificate in PEM", cert_path);
        return BASE_EINVAL;
    }
    file = open_pem(key_path, why);
    if (file == NULL)
        return BASE_ENOTFOUND;
    out->key = PEM_read_PrivateKey(file, NULL, no_passphrase, NULL);
    fclose(file);
    if (out->key == NULL) {
        *why = base_asprintf("\"%s\" holds no private key in PEM without a "
                             "passphrase",
                             key_path);
        return BASE_EINVAL;
    }
    return 0;
}

int tls_files_read_ca(const char *cert_path, const char *key_path,
                      struct tls_pair *out, char **why)
{
    struct tls_pair pair = {NULL, NULL};
    int rv = read_both(cert_path, key_path, &pair, why);

    if (rv == 0 && X509_check_private_key(pair.cert, pair.key) != 1) {
        *why = base_asprintf("\"%s\" is not the key of \"%s\"", key_path,
                             cert_path);
        rv = BASE_EINVAL;
    }
    if (rv == 0 && X509_check_ca(pair.cert) != 1) {
        *why = base_asprintf("\"%s\" is no authority", cert_path);
        rv = BASE_EINVAL;
    }
    ERR_clear_error();
    if (rv < 0)
        tls_pair_close(&pair);
    else
        *out = pair;
    return rv;
}
