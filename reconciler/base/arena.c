#include "arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef GP_SANITIZE
#define BLOCK_SIZE 0 /* each object its own block */
#else
#define BLOCK_SIZE ((size_t)64 * 1024)
#endif

struct block {
    struct block *next;
    size_t used, size;
    max_align_t data[];
};

struct gp_arena {
    struct block *blocks;
    size_t used;
};

static void *must(void *memory)
{
    if (!memory) {
        (void)fputs("gpupart: out of memory\n", stderr);
        abort();
    }
    return memory;
}

struct gp_arena *gp_arena_new(void)
{
    return must(calloc(1, sizeof(struct gp_arena)));
}

void gp_arena_free(struct gp_arena *mem)
{
    if (!mem)
        return;
    while (mem->blocks) {
        struct block *next = mem->blocks->next;

        free(mem->blocks);
        mem->blocks = next;
    }
    free(mem);
}

void gp_arena_free_p(struct gp_arena **mem)
{
    gp_arena_free(*mem);
}

size_t gp_arena_used(const struct gp_arena *mem)
{
    return mem->used;
}

static struct block *block_new(struct gp_arena *mem, size_t size)
{
    struct block *block = must(calloc(1, sizeof *block + size));

    block->size = size;
    /* A large object gets a block of its own behind the current one, which keeps its free room. */
    if (mem->blocks && size > BLOCK_SIZE) {
        block->next = mem->blocks->next;
        mem->blocks->next = block;
    } else {
        block->next = mem->blocks;
        mem->blocks = block;
    }
    return block;
}

void *gp_arena_alloc(struct gp_arena *mem, size_t size)
{
    const size_t align = sizeof(max_align_t);
    const size_t rounded = (size + align - 1) / align * align;
    struct block *block = mem->blocks;
    char *at;

    if (rounded < size)
        must(NULL);
    if (BLOCK_SIZE == 0)
        block = block_new(mem, size ? size : 1);
    else if (!block || block->size - block->used < rounded)
        block = block_new(mem, rounded > BLOCK_SIZE ? rounded : BLOCK_SIZE);
    at = (char *)block->data + block->used;
    block->used += BLOCK_SIZE == 0 ? size : rounded;
    mem->used += rounded;
    return at;
}

void *gp_memdup(struct gp_arena *mem, const void *data, size_t size)
{
    void *copy = gp_arena_alloc(mem, size);

    if (size)
        memcpy(copy, data, size);
    return copy;
}

char *gp_strndup(struct gp_arena *mem, const char *text, size_t size)
{
    char *copy = gp_arena_alloc(mem, size + 1);

    memcpy(copy, text, size);
    return copy;
}

char *gp_strdup(struct gp_arena *mem, const char *text)
{
    return text ? gp_strndup(mem, text, strlen(text)) : NULL;
}

char *gp_vprintf(struct gp_arena *mem, const char *format, va_list args)
{
    va_list again;
    int size;
    char *text;

    va_copy(again, args);
    size = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (size < 0)
        abort(); /* a format that libc refuses is a bug of ours */
    text = gp_arena_alloc(mem, (size_t)size + 1);
    (void)vsnprintf(text, (size_t)size + 1, format, args);
    return text;
}

char *gp_printf(struct gp_arena *mem, const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    text = gp_vprintf(mem, format, args);
    va_end(args);
    return text;
}

void *gp_grow(struct gp_arena *mem, void *items, size_t *count, size_t size)
{
    void *array;

    memcpy(&array, items, sizeof array);
    if (*count == 0 || (*count >= 8 && (*count & (*count - 1)) == 0)) {
        void *larger = gp_arena_alloc(mem, size * (*count ? *count * 2 : 8));

        if (*count)
            memcpy(larger, array, size * *count);
        array = larger;
        memcpy(items, &array, sizeof array);
    }
    return (char *)array + size * (*count)++;
}
