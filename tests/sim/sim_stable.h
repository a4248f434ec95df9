/* server_stable in memory that outlives a crash, durable through the bulk
 * worker's virtual delays. */
#ifndef SIM_STABLE_H
#define SIM_STABLE_H

#include "server/server.h"

struct sim_stable;

struct sim_stable *sim_stable_new(void);
void sim_stable_free(struct sim_stable *stable);
/** For a boot: saves go through this env from now on; those that were under way
 * at the crash are lost. */
struct server_stable sim_stable_ops(struct sim_stable *stable,
                                    struct base_env *env);

#endif
