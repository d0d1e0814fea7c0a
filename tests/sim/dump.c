#include "sim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool dump_file(int dir, struct node *node)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    int fd;
    bool ok;

    if (!out)
        abort();
    if (!node->attr)
        fwrite(node->text, 1, node->len, out);
    else if (node->attr->show && node->attr->show(node, out))
        rewind(out); /* unreadable now: empty, as recordings have it */
    fclose(out);
    fd = openat(dir, node->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, node->mode | 0200);
    ok = fd >= 0 && write(fd, text, len) == (ssize_t)len && !fchmod(fd, node->mode);
    if (fd >= 0)
        close(fd);
    free(text);
    return ok;
}

static bool dump(int dir, struct node *parent)
{
    bool ok = true;

    for (struct node *node = parent->children; node && ok; node = node->next) {
        if (!sim_visible(node) || !strncmp(node->name, "gpusim-", 7))
            continue;
        if (node->kind == NODE_LINK) {
            ok = !symlinkat(node->text, dir, node->name);
        } else if (node->kind == NODE_FILE) {
            ok = dump_file(dir, node);
        } else {
            int fd = mkdirat(dir, node->name, 0755)
                         ? -1
                         : openat(dir, node->name, O_DIRECTORY | O_CLOEXEC);

            ok = fd >= 0 && dump(fd, node);
            if (fd >= 0)
                close(fd);
            continue;
        }
        if (!ok) {
            char *path = sim_path(node);

            fprintf(stderr, "gpusim: %s: %s\n", path, strerror(errno));
            free(path);
        }
    }
    return ok;
}

bool sim_dump(const char *path)
{
    int dir;
    bool ok;

    if (mkdir(path, 0755) && errno != EEXIST) {
        perror(path);
        return false;
    }
    dir = open(path, O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        perror(path);
        return false;
    }
    ok = dump(dir, &sim_root);
    close(dir);
    return ok;
}
