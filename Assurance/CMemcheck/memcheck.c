#include "memcheck.h"

#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>

int memcheck_is_running(void) { return (int)RUNNING_ON_VALGRIND; }

void memcheck_make_secret(const void *bytes, size_t count) {
    (void)VALGRIND_MAKE_MEM_UNDEFINED(bytes, count);
}

void memcheck_make_public(const void *bytes, size_t count) {
    (void)VALGRIND_MAKE_MEM_DEFINED(bytes, count);
}

unsigned memcheck_reports(void) { return (unsigned)VALGRIND_COUNT_ERRORS; }

void memcheck_say(const char *line) { VALGRIND_PRINTF("%s\n", line); }
#else
int memcheck_is_running(void) { return 0; }
void memcheck_make_secret(const void *bytes, size_t count) { (void)bytes, (void)count; }
void memcheck_make_public(const void *bytes, size_t count) { (void)bytes, (void)count; }
unsigned memcheck_reports(void) { return 0; }
void memcheck_say(const char *line) { (void)line; }
#endif

void memcheck_keep(const void *bytes, size_t count) { (void)bytes, (void)count; }
