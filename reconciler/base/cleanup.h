/* Handles that close themselves when their variable goes out of scope. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Declares that @fn (which gets a pointer to the variable) runs at the end of the variable's scope. */
#define gp_cleanup(fn) __attribute__((cleanup(fn)))

/* Hands the value on: the variable is zero afterwards, so that its cleanup does nothing. */
#define gp_steal(ptr)                                                                              \
    ({                                                                                             \
        __auto_type gp_stolen_ = (ptr);                                                            \
        (ptr) = NULL;                                                                              \
        gp_stolen_;                                                                                \
    })

/* For memory of malloc(). */
static inline void gp_free_p(void *ptr)
{
    free(*(void **)ptr);
}

/* For file descriptors; negative means none. */
static inline void gp_close_p(const int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

static inline void gp_fclose_p(FILE **file)
{
    if (*file)
        (void)fclose(*file);
}
