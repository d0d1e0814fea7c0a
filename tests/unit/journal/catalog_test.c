/* Every event has its entry in the catalogue, and journalctl takes it. */
#include "rows.h"

#include "cleanup.h"
#include "journal.h"
#include "text.h"

#include <string.h>
#include <sys/stat.h>

static const char catalog[] = GP_SOURCE_DIR "/contrib/journal/gpupart.catalog";

static char *read_catalog(void)
{
    gp_cleanup(gp_fclose_p) FILE *in = fopen(catalog, "re");
    char *text = NULL;
    size_t size = 0;

    cr_assert(in != NULL && getdelim(&text, &size, '\0', in) > 0, "%s", catalog);
    return text;
}

Test(catalog, events_are_told_apart)
{
    for (enum gp_event a = 0; a < GP_EVENT_COUNT; a++) {
        cr_assert(eq(sz, strlen(gp_event_id(a)), 32));
        cr_assert(eq(sz, strspn(gp_event_id(a), "0123456789abcdef"), 32));
        cr_assert(gp_event_priority(a) >= 0 && gp_event_priority(a) <= 7);
        for (enum gp_event b = 0; b < a; b++)
            cr_assert(strcmp(gp_event_id(a), gp_event_id(b)) != 0 &&
                          strcmp(gp_event_name(a), gp_event_name(b)) != 0,
                      "%s and %s", gp_event_name(a), gp_event_name(b));
    }
}

Test(catalog, every_event_has_one_entry_and_every_entry_its_event)
{
    gp_cleanup(gp_free_p) char *text = read_catalog();
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    unsigned entries = 0;

    for (const char *at = text; (at = strstr(at, "\n-- ")); at += 4)
        entries++;
    cr_assert(eq(uint, entries, GP_EVENT_COUNT));
    for (enum gp_event event = 0; event < GP_EVENT_COUNT; event++) {
        static const char *const headers[] = {"Subject: ", "Defined-By: gpupart\n",
                                              "Support: ", "Documentation: "};
        const char *start = strstr(text, gp_printf(mem, "\n-- %s\n", gp_event_id(event)));
        const char *next, *body;
        char *entry;

        cr_assert(start != NULL, "%s has no entry", gp_event_name(event));
        start++;
        next = strstr(start, "\n-- ");
        entry = gp_strndup(mem, start, next ? (size_t)(next - start) : strlen(start));
        body = strstr(entry, "\n\n");
        cr_assert(body != NULL && strlen(body) > 100, "%s: it explains nothing",
                  gp_event_name(event));
        for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
            const char *header = strstr(entry, headers[i]);

            cr_assert(header != NULL && header < body, "%s lacks %s", gp_event_name(event),
                      headers[i]);
        }
    }
}

/* A field that no entry carries would be shown as its name. */
Test(catalog, names_only_fields_that_are_sent)
{
    static const char *const sent[] = {"GPUPART_EVENT",  "GPUPART_CLUSTER", "GPUPART_HOST",
                                       "GPUPART_COMMIT", "GPUPART_PLAN",    "GPUPART_RULE",
                                       "GPUPART_GPU",    "GPUPART_VM",      "GPUPART_PARTITION",
                                       "GPUPART_BEFORE", "GPUPART_AFTER",   "GPUPART_CLASS"};
    gp_cleanup(gp_free_p) char *text = read_catalog();
    char *save = NULL;
    unsigned named = 0;

    (void)strtok_r(text, "@", &save);
    for (char *word = strtok_r(NULL, "@", &save); word; word = strtok_r(NULL, "@", &save)) {
        bool known = false;

        for (size_t i = 0; i < sizeof sent / sizeof *sent; i++)
            known = known || strcmp(word, sent[i]) == 0;
        cr_assert(known, "@%s@", word);
        named++;
        cr_assert(strtok_r(NULL, "@", &save) != NULL);
    }
    cr_assert(named > 10);
}

Test(catalog, journalctl_takes_it)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    char root[] = "/tmp/gpupart-catalog-XXXXXX", line[256];
    const char *command;
    unsigned listed = 0;
    FILE *list;

    if (system("command -v journalctl >/dev/null") != 0)
        cr_skip("SKIP: no journalctl here");
    cr_assert(mkdtemp(root) != NULL);
    command =
        gp_printf(mem,
                  "mkdir -p %s/usr/lib/systemd/catalog && cp %s %s/usr/lib/systemd/catalog/ && "
                  "journalctl --update-catalog --root=%s",
                  root, catalog, root, root);
    cr_assert(zero(int, system(command)));
    list = popen(gp_printf(mem, "journalctl --root=%s --list-catalog", root), "re");
    cr_assert(list != NULL);
    while (fgets(line, sizeof line, list)) {
        bool known = false;

        for (enum gp_event event = 0; event < GP_EVENT_COUNT; event++)
            known = known || strncmp(line, gp_event_id(event), 32) == 0;
        cr_assert(known, "%s", line);
        cr_assert(strstr(line, " gpupart: ") != NULL, "%s", line);
        listed++;
    }
    cr_assert(zero(int, pclose(list)));
    cr_assert(eq(uint, listed, GP_EVENT_COUNT));
    (void)!system(gp_printf(mem, "rm -r %s", root));
}
