/* Memory that lives and dies together. A pass owns one arena; declaration, want, have and plan are
 * allocated from it and need no destructors.
 *
 * Out of memory ends the process: its unit restarts it and a pass begins anew. Under the sanitizers
 * each object is an allocation of its own, so that overruns are seen. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct gp_arena;

struct gp_arena *gp_arena_new(void);
/* Takes NULL. Everything allocated from @mem is gone afterwards. */
void gp_arena_free(struct gp_arena *mem);
void gp_arena_free_p(struct gp_arena **mem);

/* Zeroed memory of @size bytes, aligned for any type. Never NULL. */
void *gp_arena_alloc(struct gp_arena *mem, size_t size) __attribute__((returns_nonnull, malloc));
/* Bytes handed out so far, for tests of memory that must grow linearly. */
size_t gp_arena_used(const struct gp_arena *mem);

#define gp_new(mem, type)           ((type *)gp_arena_alloc((mem), sizeof(type)))
#define gp_new_array(mem, type, n)  ((type *)gp_arena_alloc((mem), sizeof(type) * (n)))

/* NULL stays NULL. */
char *gp_strdup(struct gp_arena *mem, const char *text);
char *gp_strndup(struct gp_arena *mem, const char *text, size_t size);
char *gp_printf(struct gp_arena *mem, const char *format, ...)
    __attribute__((format(printf, 2, 3), returns_nonnull));
char *gp_vprintf(struct gp_arena *mem, const char *format, va_list args)
    __attribute__((format(printf, 2, 0), returns_nonnull));
void *gp_memdup(struct gp_arena *mem, const void *data, size_t size);

/* Makes room for one more element in an array that doubles, and returns the (zeroed) new element.
 * @items is the address of the array pointer, @count of its number of elements; the capacity is
 * implied: the next power of two from 8 on, so arrays must only ever be grown through this. */
void *gp_grow(struct gp_arena *mem, void *items, size_t *count, size_t size)
    __attribute__((returns_nonnull));

/* gp_push(mem, have->vms, have->vm_count) is a pointer to a new, zeroed last element. */
#define gp_push(mem, items, count)                                                                 \
    ((__typeof__(items))gp_grow((mem), (void *)&(items), &(count), sizeof *(items)))
