/* What was written is read back, by whoever opens the directory next. */
#include "scratch.h"

#include <jansson.h>
#include <sys/wait.h>

TestSuite(state, .init = scratch_begin, .fini = scratch_end);

Test(state, a_directory_that_is_not_there_is_an_empty_memory)
{
    gp_cleanup(gp_state_close_p) struct gp_state *state = opened(false);
    const struct gp_memory *memory = gp_state_memory(state);
    struct gp_strings history;
    struct gp_record *records;
    struct gp_pause *pauses;
    size_t count = 1;

    cr_assert(zero(sz, memory->applied_count + memory->owed_count + memory->owed_units.count +
                           memory->quarantined.count));
    cr_assert(gp_state_verified(state) == NULL);
    ok(gp_state_history(state, mem, &history));
    cr_assert(zero(sz, history.count));
    ok(gp_state_records(state, mem, &records, &count));
    cr_assert(zero(sz, count));
    ok(gp_state_pauses(state, false, mem, &pauses, &count));
    cr_assert(zero(sz, count));
    cr_assert(access(scratch, F_OK) < 0, "reading made %s", scratch);
}

Test(state, memory_is_read_back_in_order)
{
    const struct gp_owed late = {.vm = "22", .name = "b", .until_us = 7, .stop_requested = true};
    const struct gp_owed owed = {.vm = "11", .name = "ä \"x\"\n", .until_us = UINT64_MAX};
    gp_cleanup(gp_state_close_p) struct gp_state *state = opened(true), *reader = NULL;
    const struct gp_memory *memory;

    ok(gp_state_set_applied(state, "vm/2", "slot3/2", "0123456789012345678901234567890123456789", NULL));
    ok(gp_state_set_applied(state, "gpu/slot3", "partitioned 4 NVIDIA A2-4Q", "0123456789012345678901234567890123456789", NULL));
    ok(gp_state_set_applied(state, "vm/1", "-", NULL, NULL));
    ok(gp_state_set_owed(state, &late));
    ok(gp_state_set_owed(state, &owed));
    ok(gp_state_set_owed_unit(state, "b.service"));
    ok(gp_state_set_owed_unit(state, "a.service"));
    ok(gp_state_set_quarantined(state, "slot3/2", true));
    ok(gp_state_set_quarantined(state, "slot3/1", true));
    ok(gp_state_set_verified(state, "0123456789012345678901234567890123456789"));

    reader = opened(false); /* while the lock is held */
    memory = gp_state_memory(reader);
    cr_assert(eq(sz, memory->applied_count, 3));
    cr_assert(eq(str, (char *)memory->applied[0].key, "gpu/slot3"));
    cr_assert(eq(str, (char *)memory->applied[0].value, "partitioned 4 NVIDIA A2-4Q"));
    cr_assert(eq(str, (char *)memory->applied[0].commit, "0123456789012345678901234567890123456789"));
    cr_assert(eq(str, (char *)memory->applied[1].key, "vm/1"));
    cr_assert(memory->applied[1].commit == NULL);
    cr_assert(eq(str, (char *)memory->applied[2].key, "vm/2"));
    cr_assert(eq(sz, memory->owed_count, 2));
    cr_assert(eq(str, (char *)memory->owed[0].vm, "11"));
    cr_assert(eq(str, (char *)memory->owed[0].name, (char *)owed.name));
    cr_assert(memory->owed[0].until_us == UINT64_MAX && !memory->owed[0].stop_requested);
    cr_assert(memory->owed[1].until_us == 7 && memory->owed[1].stop_requested);
    cr_assert(eq(sz, memory->quarantined.count, 2));
    cr_assert(eq(sz, memory->owed_units.count, 2));
    cr_assert(eq(str, (char *)memory->owed_units.items[0], "a.service"));
    cr_assert(eq(str, (char *)memory->quarantined.items[0], "slot3/1"));
    cr_assert(
        eq(str, (char *)gp_state_verified(reader), "0123456789012345678901234567890123456789"));
    cr_assert(gp_state_verified_since_us(reader) > 0);
}

Test(state, what_is_taken_away_is_gone)
{
    const struct gp_owed owed = {.vm = "11", .name = "a"};
    gp_cleanup(gp_state_close_p) struct gp_state *state = opened(true), *reader = NULL;
    const struct gp_memory *memory;

    ok(gp_state_set_applied(state, "vm/1", "-", "c", NULL));
    ok(gp_state_set_owed(state, &owed));
    ok(gp_state_set_quarantined(state, "slot3/1", true));
    ok(gp_state_forget_applied(state, "vm/1"));
    ok(gp_state_set_owed_unit(state, "a.service"));
    ok(gp_state_clear_owed(state, "a.service"));
    ok(gp_state_clear_owed(state, "11"));
    ok(gp_state_set_quarantined(state, "slot3/1", false));
    ok(gp_state_clear_owed(state, "never"));
    reader = opened(false);
    memory = gp_state_memory(reader);
    cr_assert(zero(sz, memory->applied_count + memory->owed_count + memory->quarantined.count));
}

Test(state, since_stays_while_the_value_stays)
{
    gp_cleanup(gp_state_close_p) struct gp_state *state = opened(true);
    uint64_t first, second;

    ok(gp_state_set_applied(state, "vm/1", "slot3/1", "0123456789012345678901234567890123456789", NULL));
    first = gp_memory_applied(gp_state_memory(state), "vm/1")->since_us;
    (void)usleep(2000);
    ok(gp_state_set_applied(state, "vm/1", "slot3/1", "c2", NULL));
    second = gp_memory_applied(gp_state_memory(state), "vm/1")->since_us;
    cr_assert(eq(u64, first, second));
    cr_assert(eq(str, (char *)gp_memory_applied(gp_state_memory(state), "vm/1")->commit, "c2"));
    ok(gp_state_set_applied(state, "vm/1", "slot3/2", "c2", NULL));
    cr_assert(gp_memory_applied(gp_state_memory(state), "vm/1")->since_us > first);
}

Test(state, a_change_that_changes_nothing_writes_nothing)
{
    gp_cleanup(gp_state_close_p) struct gp_state *state = opened(true);
    struct stat before, after;
    const char *file;

    ok(gp_state_set_applied(state, "vm/1", "slot3/1", "0123456789012345678901234567890123456789", NULL));
    file = gp_printf(mem, "%s/applied.json", scratch);
    cr_assert(stat(file, &before) == 0);
    ok(gp_state_set_applied(state, "vm/1", "slot3/1", "0123456789012345678901234567890123456789", NULL));
    cr_assert(stat(file, &after) == 0);
    cr_assert(before.st_ino == after.st_ino, "the file was replaced");
    ok(gp_state_set_applied(state, "vm/1", "slot3/2", "0123456789012345678901234567890123456789", NULL));
    cr_assert(stat(file, &after) == 0);
    cr_assert(before.st_ino != after.st_ino, "a change was not written by replacing");
}

Test(state, files_are_sorted_versioned_and_readable_by_all)
{
    gp_cleanup(gp_state_close_p) struct gp_state *state = NULL;
    gp_cleanup(gp_free_p) char *text = NULL, *other = NULL;
    struct stat st;
    json_t *json;

    (void)umask(077);
    state = opened(true);
    ok(gp_state_set_applied(state, "b", "1", "c", NULL));
    ok(gp_state_set_applied(state, "a", "2", "c", NULL));
    text = read_scratch("applied.json");
    cr_assert(strstr(text, "\"a\"") < strstr(text, "\"b\""));
    json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    cr_assert(eq(int, (int)json_integer_value(json_object_get(json, "formatVersion")), 1));
    json_decref(json);
    cr_assert(stat(gp_printf(mem, "%s/applied.json", scratch), &st) == 0);
    cr_assert(eq(int, (int)(st.st_mode & 0777), 0644));
    other = read_scratch(".applied.json.new");
    cr_assert(other == NULL, "the temporary file stayed");
}

Test(state, read_only_use_changes_nothing)
{
    gp_cleanup(gp_state_close_p) struct gp_state *state = NULL;

    gp_state_close(opened(true));
    state = opened(false);
    refused(gp_state_set_applied(state, "vm/1", "-", "c", NULL), GP_E_BUG, "for reading only");
    refused(gp_state_set_verified(state, "c"), GP_E_BUG, "for reading only");
    refused(gp_state_add_history(state, "{}"), GP_E_BUG, "for reading only");
    cr_assert(exists_scratch("applied.json") == false && exists_scratch("history.jsonl") == false);
}

Test(state, boot_layout_is_read_back)
{
    const struct gp_partition parts[] = {
        {.index = 0,
         .device = {.kind = GP_DEVICE_PCI,
                    .pci = {.domain = 0x10000, .bus = 8, .device = 0, .function = 4}},
         .live = true,
         .profile = "NVIDIA A2-4Q",
         .type_id = 746,
         .driver = "nvidia",
         .group = -1,
         .held = GP_HELD_UNKNOWN},
        {.index = 1,
         .device = {.kind = GP_DEVICE_MDEV, .uuid = "3deab9a4-0000-5000-8000-000000000001"},
         .group = 17,
         .quarantined = true,
         .held = GP_HELD_YES,
         .holder = "pid 8"},
    };
    const struct gp_boot_gpu gpus[] = {
        {.id = "slot10", .layout = {.mode = GP_MODE_PASSTHROUGH, .exactly = parts}},
        {.id = "slot3",
         .identity = "10de:25b6 serial 7",
         .layout = {.mode = GP_MODE_PARTITIONED,
                    .count = 2,
                    .profile = "NVIDIA A2-4Q",
                    .type_id = 746,
                    .exactly = parts,
                    .exactly_count = 2}},
    };
    gp_cleanup(gp_state_close_p) struct gp_state *state = opened(true), *reader = NULL;
    const struct gp_layout *got;
    struct gp_boot_gpu *back;
    size_t count;

    ok(gp_state_set_boot(state, gpus, 2));
    reader = opened(false);
    gp_state_boot(reader, mem, &back, &count);
    cr_assert(eq(sz, count, 2));
    cr_assert(eq(str, (char *)back[0].id, "slot3"));
    cr_assert(eq(str, (char *)back[0].identity, "10de:25b6 serial 7"));
    got = &back[0].layout;
    cr_assert(got->mode == GP_MODE_PARTITIONED && got->count == 2 && got->type_id == 746);
    cr_assert(eq(sz, got->exactly_count, 2));
    for (size_t i = 0; i < 2; i++) {
        const struct gp_partition *a = &parts[i], *b = &got->exactly[i];

        cr_assert(gp_device_eq(a->device, b->device));
        cr_assert(a->index == b->index && a->live == b->live && a->type_id == b->type_id &&
                  a->group == b->group && a->held == b->held && a->quarantined == b->quarantined);
        cr_assert(gp_streq(a->profile, b->profile) && gp_streq(a->driver, b->driver) &&
                  gp_streq(a->holder, b->holder));
    }
    /* "exactly none" is not "the first free ones" */
    cr_assert(back[1].layout.exactly != NULL && back[1].layout.exactly_count == 0);
    cr_assert(back[1].identity == NULL && back[1].layout.mode == GP_MODE_PASSTHROUGH);
}

/* ---- the lock ---- */

Test(state, the_lock_excludes_and_names_its_holder)
{
    gp_cleanup(gp_state_close_p) struct gp_state *holder = opened(true);
    struct gp_state *state = NULL;

    refused(gp_state_open(scratch, true, mem, &state, NULL), GP_E_LOCKED,
            gp_printf(mem, "pid %d since 20", (int)getpid()));
    gp_state_close(gp_steal(holder));
    gp_state_close(opened(true));
}

Test(state, the_lock_ends_with_its_holder)
{
    int ends[2], status;
    pid_t child;
    char byte;
    struct gp_state *state = NULL;

    cr_assert(pipe(ends) == 0);
    child = fork();
    if (child == 0) {
        if (gp_state_open(scratch, true, mem, &state, NULL))
            _exit(1);
        (void)!write(ends[1], "x", 1);
        (void)pause();
        _exit(2);
    }
    cr_assert(read(ends[0], &byte, 1) == 1);
    refused(gp_state_open(scratch, true, mem, &state, NULL), GP_E_LOCKED,
            gp_printf(mem, "pid %d", (int)child));
    cr_assert(kill(child, SIGKILL) == 0 && waitpid(child, &status, 0) == child);
    gp_state_close(opened(true));
}

Test(state, a_lock_left_to_a_worker_says_so)
{
    int ends[2], status;
    pid_t child;
    char text[32];
    ssize_t n;
    struct gp_state *state = NULL;

    /* The child is the pass; its own child, which outlives it, the worker that hangs. */
    cr_assert(pipe(ends) == 0);
    child = fork();
    if (child == 0) {
        pid_t worker;

        if (gp_state_open(scratch, true, mem, &state, NULL))
            _exit(1);
        worker = fork();
        if (worker == 0) {
            (void)pause();
            _exit(2);
        }
        (void)!write(ends[1], &worker, sizeof worker);
        _exit(0);
    }
    n = read(ends[0], text, sizeof(pid_t));
    cr_assert(n == sizeof(pid_t) && waitpid(child, &status, 0) == child);
    refused(gp_state_open(scratch, true, mem, &state, NULL), GP_E_LOCKED, "which is gone");
    cr_assert(kill(*(pid_t *)text, SIGKILL) == 0);
}

/* A pass that ends while a write hangs: it does not take the lock from the process that writes. */
Test(state, a_lock_that_is_left_lasts_as_long_as_whoever_else_has_it)
{
    struct gp_state *state = opened(true);
    int over[2];
    pid_t child;
    char byte;

    cr_assert(pipe(over) == 0);
    child = fork();
    if (child == 0) {
        (void)close(over[1]);
        _exit(read(over[0], &byte, 1) == 0 ? 0 : 1);
    }
    gp_state_leave_locked(state);
    gp_state_close(gp_steal(state));
    refused(gp_state_open(scratch, true, mem, &state, NULL), GP_E_LOCKED, gp_printf(mem, "pid %d", (int)getpid()));
    cr_assert(close(over[1]) == 0 && waitpid(child, NULL, 0) == child);
    gp_state_close(opened(true));
}

/* Whoever asks a remote may hang in the kernel, and has what the pass has. */
Test(state, the_lock_of_the_repository_ends_though_a_child_has_it_open)
{
    gp_cleanup(gp_state_close_p) struct gp_state *state = opened(true);
    int over[2], fd, again;
    pid_t child;
    char byte;

    ok(gp_state_lock_git(state, 0, &fd));
    cr_assert(fd >= 0);
    cr_assert(pipe(over) == 0);
    child = fork();
    if (child == 0) {
        (void)close(over[1]);
        _exit(read(over[0], &byte, 1) == 0 ? 0 : 1);
    }
    ok(gp_state_lock_git(state, 0, &again));
    cr_assert(eq(int, again, -1), "two have the lock");
    gp_state_unlock_git(fd);
    ok(gp_state_lock_git(state, 0, &again));
    cr_assert(again >= 0, "the child keeps the lock");
    gp_state_unlock_git(again);
    cr_assert(close(over[1]) == 0 && waitpid(child, NULL, 0) == child);
}

/* ---- damaged and foreign files ---- */

static const struct {
    const char *name, *text, *why;
} damaged[] = {
    {"cut short", "{\"formatVersion\": 1, \"applied\": {", "line 1"},
    {"empty", "", "line 1"},
    {"no version", "{\"applied\": {}}", "no formatVersion"},
    {"no body", "{\"formatVersion\": 1}", "no object 'applied'"},
    {"body is a list", "{\"formatVersion\": 1, \"applied\": []}", "no object 'applied'"},
    {"entry is a number", "{\"formatVersion\": 1, \"applied\": {\"a\": 1}}",
     "entry 'a' is not an object"},
    {"member lacks", "{\"formatVersion\": 1, \"applied\": {\"a\": {}}}", "'value' is not a string"},
    {"member of another type",
     "{\"formatVersion\": 1, \"applied\": {\"a\": {\"value\": \"x\", \"sinceUs\": \"y\"}}}",
     "'sinceUs' is not a number"},
    {"negative",
     "{\"formatVersion\": 1, \"applied\": {\"a\": {\"value\": \"x\", \"sinceUs\": -1}}}",
     "'sinceUs' is not a number"},
    {"key twice", "{\"formatVersion\": 1, \"formatVersion\": 1, \"applied\": {}}", "line 1"},
};

GP_ROWS(state, a_corrupt_file_is_kept_aside_and_told, damaged)
{
    gp_cleanup(gp_state_close_p) struct gp_state *state = opened(true), *reader = NULL;
    gp_cleanup(gp_free_p) char *kept = NULL;
    const char *warning = NULL;

    ok(gp_state_set_verified(state, "0123456789012345678901234567890123456789"));
    gp_state_close(gp_steal(state));
    write_scratch("applied.json", damaged[*i].text);

    ok(gp_state_open(scratch, false, mem, &reader, &warning));
    cr_assert(warning && strstr(warning, damaged[*i].why), "%s: %s", damaged[*i].name, warning);
    cr_assert(exists_scratch("applied.json"), "a reader renamed it");

    ok(gp_state_open(scratch, true, mem, &state, &warning));
    cr_assert(warning && strstr(warning, damaged[*i].why), "%s: %s", damaged[*i].name, warning);
    cr_assert(zero(sz, gp_state_memory(state)->applied_count));
    cr_assert(eq(str, (char *)gp_state_verified(state), "0123456789012345678901234567890123456789"), "another file suffered");
    kept = read_scratch("applied.json.corrupt");
    cr_assert(eq(str, kept, (char *)damaged[*i].text));
    ok(gp_state_set_applied(state, "vm/1", "-", "c", NULL));
    gp_state_close(gp_steal(state));
    gp_state_close(opened(true)); /* without a warning */
}

Test(state, a_newer_format_is_refused_and_left_alone)
{
    static const char newer[] =
        "{\"formatVersion\": 2, \"applied\": {\"a\": {\"something\": \"else\"}}}";
    gp_cleanup(gp_free_p) char *text = NULL;
    struct gp_state *state = NULL;

    gp_state_close(opened(true));
    write_scratch("applied.json", newer);
    refused(gp_state_open(scratch, true, mem, &state, NULL), GP_E_CONFIG,
            "newer gpupart (formatVersion 2");
    refused(gp_state_open(scratch, false, mem, &state, NULL), GP_E_CONFIG,
            "newer gpupart (formatVersion 2");
    text = read_scratch("applied.json");
    cr_assert(eq(str, text, (char *)newer));
}

Test(state, members_that_lack_are_zero_as_in_an_older_format)
{
    gp_cleanup(gp_state_close_p) struct gp_state *state = NULL;

    gp_state_close(opened(true));
    write_scratch("owed.json", "{\"formatVersion\": 1, \"owed\": {\"11\": {}}, \"more\": 1}");
    state = opened(true);
    cr_assert(eq(sz, gp_state_memory(state)->owed_count, 1));
    cr_assert(gp_state_memory(state)->owed[0].until_us == 0);
}

Test(state, a_link_in_place_of_a_file_is_not_followed)
{
    struct gp_state *state = NULL;

    gp_state_close(opened(true));
    cr_assert(symlink("/etc/passwd", gp_printf(mem, "%s/applied.json", scratch)) == 0);
    refused(gp_state_open(scratch, true, mem, &state, NULL), GP_E_IO,
            "applied.json could not be read");
}

Test(state, bytes_that_are_no_utf8_do_no_harm)
{
    gp_cleanup(gp_state_close_p) struct gp_state *state = opened(true);

    ok(gp_state_set_applied(state, "vm/1",
                            "a\xff"
                            "b",
                            "c", NULL));
    gp_state_close(gp_steal(state));
    state = opened(true);
    cr_assert(eq(str, (char *)gp_state_memory(state)->applied[0].value, "a?b"));
}
