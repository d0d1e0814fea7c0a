/* Any bytes as a declaration. It ends; every finding is of a known rule and has a place; and what
 * was taken says the same again when it is printed and read back. */
#include "fuzz.h"

#include "cleanup.h"
#include "print.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(bool holds, const char *law, const char *text)
{
    if (holds)
        return;
    (void)fprintf(stderr, "%s:\n%s\n", law, text);
    abort();
}

static void load(struct gp_load *load, struct gp_arena *mem, const char *text, size_t size)
{
    gp_load_init(load, mem, true, true);
    gp_load_file(load, "input.yaml", text, size);
    gp_load_finish(load);
    for (size_t i = 0; i < load->finding_count; i++) {
        const struct gp_finding *f = &load->findings[i];

        must(gp_rule_find(f->rule) != NULL, "a rule that nobody knows", f->rule);
        must(f->at.line && f->at.column && f->at.source, "a finding without a place", f->message);
        must(strchr(f->message, '\n') == NULL, "a message of two lines", f->message);
    }
}

static char *print(const struct gp_load *load)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    gp_declaration_print(out, &load->declaration);
    if (load->agent && (load->declaration.cluster_count || load->declaration.binding_count))
        (void)fputs("---\n", out);
    if (load->agent)
        gp_agent_print(out, load->agent);
    (void)fclose(out);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    gp_cleanup(gp_free_p) char *once = NULL, *twice = NULL;
    struct gp_load first, second;

    load(&first, mem, (const char *)data, size);
    if (first.failed)
        return 0;
    once = print(&first);
    load(&second, mem, once, strlen(once));
    must(!second.failed, "what was printed is refused", once);
    twice = print(&second);
    must(strcmp(once, twice) == 0, "printed again it is another", once);
    return 0;
}
