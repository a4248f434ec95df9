/*
 * Discovery strings (federation.md section 10): what an operator may write
 * where a list of addresses is wanted, and what it means at this moment.
 *
 *     10.0.0.7:8301                            itself (DNS names too)
 *     provider=dns name=gw.example type=a      every address of the name
 *     provider=dns name=_gw._tcp.example type=srv    and the records' ports
 *     provider=file path=/etc/isthmus/gateways       a target a line
 *
 * Threads: the loop of env; files are read on the bulk worker.
 */
#ifndef AGENT_DISCOVER_H
#define AGENT_DISCOVER_H

#include "base/env.h"

#define DISCOVER_TARGETS_MAX 256u /* of one list; more are left out */
#define DISCOVER_FILE_BYTES_MAX (64u * 1024u)

/** 0 if text is a target or a good discovery string; BASE_EPARSE with a static
 * sentence in *why. */
int discover_check(const char *text, const char **why);

struct discovery;

/** texts is borrowed and outlives it; each has passed discover_check(). */
struct discovery *discovery_new(struct base_env *env, const char *const *texts,
                                size_t count);
/** What runs is forgotten: nothing is called any more. NULL is fine. */
void discovery_free(struct discovery *discovery);

/** Targets, [name "/"] host [":" port], borrowed for the call; why is the last
 * complaint (a name that does not resolve, a file that cannot be read), ""
 * if there was none. */
typedef void (*discovery_fn)(void *arg, const char *const *targets,
                             size_t count, const char *why);
/** Finds out anew; done comes later, once. One at a time. */
void discovery_run(struct discovery *discovery, discovery_fn done, void *arg);

/** Looks each second whether a file of the list became another one, and calls
 * changed(arg) then. Does nothing if the list names no file. */
void discovery_watch(struct discovery *discovery, void (*changed)(void *arg),
                     void *arg);

#endif
