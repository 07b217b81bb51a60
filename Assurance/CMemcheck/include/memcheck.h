// What valgrind's memcheck is told and asked by a program that it runs. Without valgrind's header
// nothing is told, and `memcheck_is_running` says no.
#ifndef QUORUMKEEP_MEMCHECK_H
#define QUORUMKEEP_MEMCHECK_H

#include <stddef.h>

int memcheck_is_running(void);
// From here on, memcheck reports each jump and each address that depends on these bytes.
void memcheck_make_secret(const void *bytes, size_t count);
void memcheck_make_public(const void *bytes, size_t count);
// How many jumps and addresses were reported so far, each as often as it was.
unsigned memcheck_reports(void);
// Writes a line to memcheck's log.
void memcheck_say(const char *line);
// Does nothing, where the compiler cannot see that.
void memcheck_keep(const void *bytes, size_t count);

#endif
