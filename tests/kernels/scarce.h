/* Put before each kernel's source: its memory comes from scarce.c, and it asks at every step whether to go on. */

#include <stddef.h>

void *scarce_malloc(size_t size);
void *scarce_realloc(void *memory, size_t size);
void scarce_free(void *memory);

#include <stdlib.h>
#define malloc scarce_malloc
#define realloc scarce_realloc
#define free scarce_free

#define WORK_BETWEEN_CHECKS 1
