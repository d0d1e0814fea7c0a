#include "nvidia/types.h"

#include "text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WITHOUT_MIG 32
#define MIB_PER_GB      1024
#define LONGEST_SIZE    4 /* digits */

struct gp_error *gp_nvidia_types_parse(struct gp_arena *mem, const char *text,
                                       struct gp_nvidia_type **ret, size_t *ret_count)
{
    struct gp_nvidia_type *types = NULL;
    size_t count = 0;
    const char *line = text;

    for (unsigned number = 1; *line; number++) {
        size_t size = strcspn(line, "\n");
        const char *colon = memchr(line, ':', size), *name, *end = line + size;
        char *digits_end;
        unsigned long id;

        if (size && number > 1) {
            if (!colon || !isdigit((unsigned char)*line))
                return gp_error_new(GP_E_IO, "line %u of creatable_vgpu_types is '%.*s'", number,
                                    (int)size, line);
            id = strtoul(line, &digits_end, 10);
            for (name = colon + 1; name < end && *name == ' '; name++)
                continue;
            while (end > name && end[-1] == ' ')
                end--;
            if (digits_end + strspn(digits_end, " ") != colon || id == 0 || id > UINT32_MAX || name == end)
                return gp_error_new(GP_E_IO, "line %u of creatable_vgpu_types is '%.*s'", number,
                                    (int)size, line);
            *gp_push(mem, types, count) = (struct gp_nvidia_type){
                .id = (uint32_t)id, .name = gp_text_plain(gp_strndup(mem, name, (size_t)(end - name)))};
        }
        line += size + (line[size] == '\n');
    }
    *ret = types;
    *ret_count = count;
    return NULL;
}

/* The digits after the last '-' of the last word; 0 if the name has another form or names a MIG slice. */
static uint32_t size_gb(const char *name)
{
    const char *word = strrchr(name, ' '), *dash, *before;
    size_t digits;

    word = word ? word + 1 : name;
    dash = strrchr(word, '-');
    if (!dash)
        return 0;
    digits = strspn(dash + 1, "0123456789");
    if (digits == 0 || digits > LONGEST_SIZE || !isalpha((unsigned char)dash[1 + digits]))
        return 0;
    for (before = dash; before > word && isdigit((unsigned char)before[-1]); before--)
        continue;
    if (before < dash && before > word && before[-1] == '-')
        return 0;
    return (uint32_t)strtoul(dash + 1, NULL, 10);
}

uint32_t gp_nvidia_type_mib(const char *name)
{
    return size_gb(name) * MIB_PER_GB;
}

uint32_t gp_nvidia_type_count(const char *name, uint32_t vram_mib)
{
    uint32_t mib = gp_nvidia_type_mib(name), count = mib ? vram_mib / mib : 0;

    return count < MAX_WITHOUT_MIG ? count : MAX_WITHOUT_MIG;
}
