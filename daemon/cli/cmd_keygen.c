/* isthmus keygen: 32 bytes for AES-256, from the kernel. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "gossip/keyring.h"

int cmd_keygen(int argc, char **argv)
{
    const struct args_command command = {
        "isthmus keygen",
        "Makes a gossip key and prints it in base64, for the key \"encrypt\" "
        "or the\nflag -encrypt. Every agent of a pool has the same key.",
        NULL, 0, "isthmus agent -encrypt=\"$(isthmus keygen)\" ..."};
    struct gossip_key key = {.len = sizeof(key.bytes)};
    char *text;
    int code;

    if (args_parse(&command, argc, argv, NULL, &code) != 0)
        return code;
    if (getrandom(key.bytes, key.len, 0) != (ssize_t)key.len)
        return cmd_fail("keygen", base_strdup(strerror(errno)));
    text = gossip_key_format(&key);
    puts(text);
    base_free_secret(text, strlen(text));
    explicit_bzero(&key, sizeof(key));
    return 0;
}
