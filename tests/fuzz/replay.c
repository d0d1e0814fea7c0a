/* Stands in for libFuzzer: hands over every file below the folders named, once. */
#include "fuzz.h"

#include "cleanup.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t files;

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    gp_cleanup(gp_fclose_p) FILE *file = NULL;
    gp_cleanup(gp_free_p) uint8_t *data = NULL;
    size_t size;

    (void)ftw;
    if (type != FTW_F)
        return 0;
    file = fopen(path, "re");
    data = malloc((size_t)st->st_size + 1);
    if (!file || !data)
        return 1;
    size = fread(data, 1, (size_t)st->st_size, file);
    (void)LLVMFuzzerTestOneInput(data, size);
    files++;
    return 0;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (nftw(argv[i], visit, 16, FTW_PHYS) != 0) {
            (void)fprintf(stderr, "%s cannot be read\n", argv[i]);
            return EXIT_FAILURE;
        }
    (void)printf("%zu files replayed\n", files);
    return files ? EXIT_SUCCESS : EXIT_FAILURE;
}
