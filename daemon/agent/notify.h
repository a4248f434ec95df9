/*
 * What a service manager wants to hear, after sd_notify(3): one datagram to the
 * socket that the environment names. Without one, nothing happens.
 * Threads: any.
 */
#ifndef AGENT_NOTIFY_H
#define AGENT_NOTIFY_H

/** "READY=1", "STOPPING=1" and so on. What goes wrong is nobody's loss: the
 * manager has deadlines of its own. */
void notify(const char *state);

#endif
