/* A directory that stands for a host's root, made of a text, and what lies outside of it.
 *
 *   [sys/devices/pci0000:00/0000:08:00.0]   what follows is below that
 *   class=0x030200\n                        a file; \n, \\ and \xHH stand for bytes
 *   driver>../../../bus/pci/drivers/nvidia  a link; "@" at its start is the directory beside the root
 *   power/                                  a directory
 *   pipe|                                   a FIFO, which nobody opens at the other end
 *   config#100000000                        a file of so many zeros
 *
 * Other lines say nothing. Neither does a name that is "..", which no directory can hold. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The root, made once; below a memory file system where there is one. */
const char *tree_root(void);
/* A directory beside it for what is saved of it; tree_make() empties it. */
const char *tree_copy(void);
/* Makes the root hold what @data says and nothing else. */
void tree_make(const uint8_t *data, size_t size);
/* Aborts if anything beside the root was opened or changed since tree_make(). */
void tree_must_be_left_alone(void);
/* Of all names, links and contents below the root. */
uint64_t tree_sum(void);
