/* How every command says that it could not do what it was asked. */
#include <stdio.h>

#include "base/alloc.h"
#include "cli/commands.h"

int cmd_fail(const char *command, char *why)
{
    fprintf(stderr, "isthmus %s: %s\n", command, why != NULL ? why : "failed");
    base_free(why);
    return 1;
}
