#include "git_priv.h"

#include "cleanup.h"

#include <string.h>
#include <strings.h>

/* The last paragraph of @message that is not its first (a subject is no trailer), as lines without
 * the blank ones around it; "" if there is none. */
static char *last_paragraph(const char *message, struct gp_arena *mem)
{
    char *text = gp_strdup(mem, message), *paragraph = NULL;
    size_t size = strlen(text);

    while (size && strchr(" \t\r\n", text[size - 1]))
        text[--size] = '\0';
    for (char *line = text; line;) {
        char *end = strchr(line, '\n'), *next = end ? end + 1 : NULL;

        if (line[strspn(line, " \t\r")] == '\n')
            paragraph = next;
        line = next;
    }
    return paragraph ? paragraph : text + size;
}

/* "Key: value", the rest of the value on lines that begin with a blank. */
static const char *value_of(char *paragraph, const char *key, struct gp_arena *mem)
{
    const size_t size = strlen(key);
    const char *found = NULL;
    struct gp_text value = {.mem = mem};
    bool inside = false;
    char *save = NULL;

    for (char *line = strtok_r(paragraph, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        line[strcspn(line, "\r")] = '\0';
        if (*line == ' ' || *line == '\t') {
            if (inside)
                gp_text_addf(&value, " %s", line + strspn(line, " \t"));
        } else {
            const char *colon = line + size;

            inside = strncasecmp(line, key, size) == 0 && colon[strspn(colon, " \t")] == ':';
            if (!inside)
                continue;
            value = (struct gp_text){.mem = mem};
            colon += strspn(colon, " \t") + 1;
            gp_text_add(&value, colon + strspn(colon, " \t"));
        }
        if (inside)
            found = gp_text_get(&value);
    }
    return found;
}

const char *gp_trailer_parse(const char *message, const char *key, struct gp_arena *mem)
{
    const char *value = value_of(last_paragraph(message, mem), key, mem);
    size_t size = value ? strlen(value) : 0;

    while (size && (value[size - 1] == ' ' || value[size - 1] == '\t'))
        size--;
    return value ? gp_strndup(mem, value, size) : NULL;
}

struct gp_error *gp_git_trailer(const char *dir, const char *commit, const char *key,
                                struct gp_arena *mem, const char **ret)
{
    GP_GIT_SCOPE;
    gp_cleanup(gp_git_repository_p) git_repository *repo = NULL;
    gp_cleanup(gp_git_commit_p) git_commit *object = NULL;
    git_oid oid;

    if (git_repository_open_bare(&repo, dir) < 0)
        return gp_git_fail(GP_E_IO, "the repository %s could not be opened", dir);
    if (git_oid_fromstr(&oid, commit) < 0 || git_commit_lookup(&object, repo, &oid) < 0)
        return gp_git_fail(GP_E_IO, "commit %.7s cannot be read", commit);
    *ret = gp_trailer_parse(git_commit_message(object), key, mem);
    return NULL;
}
