/* Preloaded into the command: its allocation number $REFUSE_AT (from 1; 0 = none) is refused, and
 * how many there were is written to $REFUSE_COUNT. Those of the libraries it uses are not
 * counted. */
#define _GNU_SOURCE
#include <link.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *memory, size_t bytes);

static uintptr_t code_begin, code_end;
static atomic_long asked;
static long refused_at;

/* The first object is the program. */
static int find_code(struct dl_phdr_info *object, size_t bytes, void *arg)
{
    (void)bytes, (void)arg;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X))
            continue;
        code_begin = object->dlpi_addr + part->p_vaddr;
        code_end = code_begin + part->p_memsz;
    }
    return 1;
}

__attribute__((constructor)) static void begin(void)
{
    const char *at = getenv("REFUSE_AT");
    refused_at = at != NULL ? strtol(at, NULL, 10) : 0;
    dl_iterate_phdr(find_code, NULL);
}

__attribute__((destructor)) static void end(void)
{
    const char *path = getenv("REFUSE_COUNT");
    FILE *file = path != NULL ? fopen(path, "w") : NULL;
    code_end = 0;
    if (file == NULL)
        return;
    fprintf(file, "%ld\n", atomic_load(&asked));
    fclose(file);
}

static int is_refused(const void *caller)
{
    uintptr_t from = (uintptr_t)caller;
    return from >= code_begin && from < code_end && atomic_fetch_add(&asked, 1) + 1 == refused_at;
}

void *malloc(size_t bytes)
{
    return is_refused(__builtin_return_address(0)) ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    return is_refused(__builtin_return_address(0)) ? NULL : __libc_calloc(count, bytes);
}

void *realloc(void *memory, size_t bytes)
{
    return is_refused(__builtin_return_address(0)) ? NULL : __libc_realloc(memory, bytes);
}
