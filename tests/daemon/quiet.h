/* Commands print; a test that calls one keeps the screen clean. */
#ifndef TESTS_DAEMON_QUIET_H
#define TESTS_DAEMON_QUIET_H

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/** Sends standard output and error away; the numbers bring them back. */
struct quiet {
    int saved[2];
};

static inline struct quiet quiet_begin(void)
{
    struct quiet quiet;
    int null = open("/dev/null", O_WRONLY);

    fflush(NULL);
    quiet.saved[0] = dup(1);
    quiet.saved[1] = dup(2);
    dup2(null, 1);
    dup2(null, 2);
    close(null);
    return quiet;
}

static inline void quiet_end(struct quiet quiet)
{
    fflush(NULL);
    dup2(quiet.saved[0], 1);
    dup2(quiet.saved[1], 2);
    close(quiet.saved[0]);
    close(quiet.saved[1]);
}

#endif
