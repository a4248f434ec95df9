/*
 * Regular expressions from strangers: the common part of RE2's syntax, matched
 * in time linear in pattern times text and with memory bounded by the pattern,
 * whatever either contains. POSIX regcomp() promises neither, and speaks
 * another dialect than the pool's other nodes.
 *
 * Literals, . [..] [^..] with ranges and [:classes:], \d \D \w \W \s \S \b \B
 * \A \z ^ $, escapes (\. \n \t \r \f \v \a \xHH \x{H..}), (..) (?:..) (?i)
 * (?s) (?i:..) (?P<name>..), |, and * + ? {n} {n,} {n,m}, each also with a
 * trailing ?. UTF-8 by code points; (?i) folds ASCII only. Left out: \p{..},
 * (?m), (?U), \C, \Q..\E, octal: an expression with those is refused.
 */
#ifndef SERF_REGEX_H
#define SERF_REGEX_H

#include <stddef.h>
#include <stdint.h>

#define SERF_REGEX_BYTES_MAX 1024u
#define SERF_REGEX_REPEAT_MAX 1000u /* RE2's limit */
#define SERF_REGEX_STEPS_MAX 2048u  /* of the program, repeats expanded */
#define SERF_REGEX_DEPTH_MAX 64u    /* of groups */
/* Work allowed for one query: a few milliseconds. */
#define SERF_REGEX_BUDGET 1000000u

/** Does the expression match somewhere in the text? 1, 0, or GOSSIP_EINVAL for
 * an expression that is malformed, too large, uses what is left out, or needs
 * more than *budget, which is what may be spent and is lowered. */
int serf_regex_search(const void *pattern, size_t pattern_len,
                      const void *text, size_t text_len, uint32_t *budget);

#endif
