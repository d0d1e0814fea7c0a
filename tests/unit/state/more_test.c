/* Records, drift, history, conditions, pauses. */
#include "scratch.h"

#include <sys/wait.h>

TestSuite(state_more, .init = scratch_begin, .fini = scratch_end);

/* ---- records ---- */

static const char long_a[] = "a/very/long/name/"
                             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                             "aaaaaaaaaaaaaaaaaaaaaaaaaaa"
                             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-1";
static const char *const sets[] = {"slot3", "0000:08:00.0", "../../etc", ".",   "..", "a b/ü", "A",
                                   "a",     "%41",          "",          long_a};
enum { SETS = sizeof sets / sizeof *sets };

Test(state_more, a_record_for_any_name_is_read_back_and_removed)
{
    struct gp_snapshot_gpu gpu = {.id = "slot3",
                                  .vf_count = 7,
                                  .layout = {.mode = GP_MODE_PARTITIONED, .count = 4}};
    struct gp_snapshot_vm vms[] = {
        {.uuid = "11",
         .name = "a",
         .ran = true,
         .gpu = "slot3",
         .partition = 2,
         .binding = "b",
         .pool = "p",
         .device = {.kind = GP_DEVICE_PCI, .pci = {.bus = 8, .function = 4}},
         .live = {.kind = GP_DEVICE_PCI, .pci = {.bus = 8, .function = 5}}},
        {.uuid = "22", .name = "b"},
    };
    const char *units[] = {"dcgm-exporter.service"};
    struct gp_snapshot snapshot = {
        .gpus = &gpu, .gpu_count = 1, .vms = vms, .vm_count = 2, .units = {units, 1}};
    gp_cleanup(gp_state_close_p) struct gp_state *state = opened(true);
    gp_cleanup(gp_state_close_p) struct gp_state *reader = NULL;
    struct gp_record *back;
    size_t count;

    for (size_t i = 0; i < SETS; i++) {
        const struct gp_record record = {.set = sets[i],
                                         .commit = "c",
                                         .plan = "p",
                                         .since_us = 5,
                                         .attempts = (uint32_t)i,
                                         .snapshot = &snapshot,
                                         .goal_values = "gpu/slot3 partitioned 4\nvm/11 -\n"};

        ok(gp_state_write_record(state, &record));
    }
    reader = opened(false);
    ok(gp_state_records(reader, mem, &back, &count));
    cr_assert(eq(sz, count, SETS), "two names share a file");
    for (size_t i = 0; i < count; i++) {
        bool found = false;

        for (size_t k = 0; k < SETS; k++)
            found = found || (gp_streq(back[i].set, sets[k]) && back[i].attempts == k);
        cr_assert(found, "%s", back[i].set);
        cr_assert(i == 0 || strcmp(back[i - 1].set, back[i].set) < 0, "not sorted");
        cr_assert(eq(str, (char *)back[i].goal_values, "gpu/slot3 partitioned 4\nvm/11 -\n"));
        cr_assert(eq(sz, back[i].snapshot->gpu_count, 1));
        cr_assert(eq(u32, back[i].snapshot->gpus[0].vf_count, 7));
        cr_assert(eq(sz, back[i].snapshot->vm_count, 2));
        cr_assert(eq(str, (char *)back[i].snapshot->vms[0].pool, "p"));
        cr_assert(gp_device_eq(back[i].snapshot->vms[0].device, vms[0].device));
        cr_assert(gp_device_eq(back[i].snapshot->vms[0].live, vms[0].live));
        cr_assert(back[i].snapshot->vms[0].ran && !back[i].snapshot->vms[1].ran);
        cr_assert(back[i].snapshot->vms[1].gpu == NULL);
        cr_assert(eq(sz, back[i].snapshot->units.count, 1));
        cr_assert(eq(str, (char *)back[i].snapshot->units.items[0], (char *)units[0]));
        cr_assert(back[i].snapshot->gpus[0].layout.exactly == NULL);
    }
    for (size_t i = 0; i < SETS; i++)
        ok(gp_state_remove_record(state, sets[i]));
    ok(gp_state_remove_record(state, sets[0]));
    ok(gp_state_records(state, mem, &back, &count));
    cr_assert(zero(sz, count));
}

Test(state_more, a_corrupt_record_is_told_and_the_others_stay)
{
    const struct gp_record a = {.set = "a"}, b = {.set = "b"};
    gp_cleanup(gp_state_close_p) struct gp_state *state = opened(true);
    const char *warning;
    struct gp_record *back;
    size_t count;

    ok(gp_state_write_record(state, &a));
    ok(gp_state_write_record(state, &b));
    gp_state_close(gp_steal(state));
    write_scratch("records/a.json", "{\"formatVersion\": 1, \"record\": {\"set\": 7}}");
    ok(gp_state_open(scratch, true, mem, &state, &warning));
    cr_assert(warning && strstr(warning, "records/a.json is corrupt") &&
                  strstr(warning, "the way back"),
              "%s", warning);
    ok(gp_state_records(state, mem, &back, &count));
    cr_assert(eq(sz, count, 1));
    cr_assert(eq(str, (char *)back[0].set, "b"));
    cr_assert(exists_scratch("records/a.json.corrupt"));
}

/* ---- drift ---- */

static const uint64_t DAY = (uint64_t)24 * 3600 * 1000000;

static void tell(struct gp_state *state, const struct gp_difference *drift, size_t count,
                 uint64_t now, const char *want)
{
    enum gp_drift_news news[8];
    uint64_t since[8];
    struct gp_difference *cleared;
    struct gp_text text = {.mem = mem};
    size_t cleared_count;

    ok(gp_state_tell_drift(state, mem, drift, count, now, news, since, &cleared, &cleared_count));
    for (size_t i = 0; i < count; i++)
        gp_text_addf(&text, "%s %s since %d; ", drift[i].key,
                     news[i] == GP_DRIFT_NEW       ? "new"
                     : news[i] == GP_DRIFT_CHANGED ? "changed"
                     : news[i] == GP_DRIFT_AGAIN   ? "again"
                                                   : "old",
                     (int)(since[i] % DAY));
    for (size_t i = 0; i < cleared_count; i++)
        gp_text_addf(&text, "%s cleared from %s; ", cleared[i].key, cleared[i].before);
    cr_assert(eq(str, (char *)gp_text_get(&text), (char *)want));
}

Test(state_more, drift_is_news_when_it_comes_changes_goes_and_once_a_day)
{
    struct gp_difference drift[] = {
        {.object = "gpu/a",
         .key = "gpu/a",
         .path = "partitions.count",
         .rule = "GP-D801",
         .before = "4",
         .after = "0"},
        {.object = "vm/N",
         .key = "vm/1",
         .path = "partition",
         .rule = "GP-D803",
         .before = "x",
         .after = "-"},
    };
    gp_cleanup(gp_state_close_p) struct gp_state *state = opened(true);

    tell(state, drift, 1, 5, "gpu/a new since 5; ");
    tell(state, drift, 2, 6, "gpu/a old since 5; vm/1 new since 6; ");
    gp_state_close(gp_steal(state));
    state = opened(true); /* another pass */
    tell(state, drift, 2, DAY + 4, "gpu/a old since 5; vm/1 old since 6; ");
    tell(state, drift, 2, DAY + 5, "gpu/a again since 5; vm/1 old since 6; ");
    tell(state, drift, 2, DAY + 6, "gpu/a old since 5; vm/1 again since 6; ");
    drift[0].after = "2";
    tell(state, drift, 2, DAY + 7, "gpu/a changed since 5; vm/1 old since 6; ");
    tell(state, drift, 2, 2 * DAY + 6, "gpu/a old since 5; vm/1 again since 6; ");
    tell(state, drift + 1, 1, 2 * DAY + 7, "vm/1 old since 6; gpu/a cleared from 4; ");
    tell(state, drift, 0, 2 * DAY + 8, "vm/1 cleared from x; ");
    tell(state, drift, 0, 2 * DAY + 9, "");
    tell(state, drift, 1, 2 * DAY + 10, "gpu/a new since 10; ");
}

Test(state_more, drift_alike_in_key_path_and_rule_is_told_apart)
{
    const struct gp_difference drift[] = {
        {.key = "vm/1", .path = "partition", .rule = "GP-D804", .before = "-", .after = "a"},
        {.key = "vm/1", .path = "partition", .rule = "GP-D804", .before = "-", .after = "b"},
    };
    gp_cleanup(gp_state_close_p) struct gp_state *state = opened(true);

    tell(state, drift, 2, 5, "vm/1 new since 5; vm/1 new since 5; ");
    tell(state, drift, 2, 6, "vm/1 old since 5; vm/1 old since 5; ");
    tell(state, drift, 1, 7, "vm/1 old since 5; vm/1 cleared from -; ");
}

/* ---- history ---- */

Test(state_more, history_keeps_the_last_thousand_in_order)
{
    enum { KEPT = 1000, ADDED = 2105 };
    gp_cleanup(gp_state_close_p) struct gp_state *state = opened(true);
    struct gp_strings lines;
    struct stat st;

    for (int i = 0; i < ADDED; i++)
        ok(gp_state_add_history(state, gp_printf(mem, "{\"n\": %d}", i)));
    ok(gp_state_history(state, mem, &lines));
    cr_assert(eq(sz, lines.count, KEPT));
    for (int i = 0; i < KEPT; i++)
        cr_assert(eq(str, (char *)lines.items[i], gp_printf(mem, "{\"n\": %d}", ADDED - KEPT + i)));
    cr_assert(stat(gp_printf(mem, "%s/history.jsonl", scratch), &st) == 0);
    cr_assert(st.st_size < 2 * KEPT * 14, "it only ever grows: %lld bytes", (long long)st.st_size);
}

Test(state_more, a_line_cut_short_is_left_out_and_harms_no_later_one)
{
    gp_cleanup(gp_state_close_p) struct gp_state *state = NULL;
    struct gp_strings lines;

    gp_state_close(opened(true));
    write_scratch("history.jsonl", "{\"n\": 1}\nrubbish\n{\"n\": 2}\n{\"n\": 3, \"x\":");
    state = opened(true);
    ok(gp_state_history(state, mem, &lines));
    cr_assert(eq(sz, lines.count, 2));
    ok(gp_state_add_history(state, "{\"n\": 4}"));
    ok(gp_state_history(state, mem, &lines));
    cr_assert(eq(sz, lines.count, 3));
    cr_assert(eq(str, (char *)lines.items[2], "{\"n\": 4}"));
}

Test(state_more, only_lines_with_an_object_are_history)
{
    gp_cleanup(gp_state_close_p) struct gp_state *state = opened(true);

    refused(gp_state_add_history(state, "[1]"), GP_E_BUG, "not one line");
    refused(gp_state_add_history(state, "{\n}"), GP_E_BUG, "not one line");
    refused(gp_state_add_history(state, "nothing"), GP_E_BUG, "not one line");
    cr_assert(exists_scratch("history.jsonl") == false);
}

/* ---- conditions ---- */

Test(state_more, conditions_keep_their_since)
{
    struct gp_condition given[] = {
        {.object = "vm/b", .type = "Degraded", .reason = "it failed"},
        {.object = "host", .type = "GitStale", .reason = "no answer"},
    };
    gp_cleanup(gp_state_close_p) struct gp_state *state = opened(true);
    struct gp_condition *back;
    size_t count;

    ok(gp_state_set_conditions(state, given, 1, 10));
    given[0].reason = "it failed again";
    ok(gp_state_set_conditions(state, given, 2, 20));
    ok(gp_state_conditions(state, mem, &back, &count));
    cr_assert(eq(sz, count, 2));
    cr_assert(eq(str, (char *)back[0].type, "GitStale"));
    cr_assert(eq(u64, back[0].since_us, 20));
    cr_assert(eq(str, (char *)back[1].reason, "it failed again"));
    cr_assert(eq(u64, back[1].since_us, 10));
    ok(gp_state_set_conditions(state, given + 1, 1, 30));
    ok(gp_state_set_conditions(state, given, 2, 40));
    ok(gp_state_conditions(state, mem, &back, &count));
    cr_assert(eq(u64, back[1].since_us, 40), "one that was gone is new");
}

/* ---- pauses ---- */

Test(state_more, a_pause_is_set_while_a_pass_works_and_seen_by_it)
{
    const struct gp_pause pause = {
        .object = "vm/a", .user = "kim", .reason = "backup", .since_us = 10, .until_us = 20};
    const struct gp_pause approval = {.object = "9f31c2a4b7de", .since_us = 10, .until_us = 20};
    gp_cleanup(gp_state_close_p) struct gp_state *pass = opened(true), *person = opened(false);
    struct gp_pause *back;
    size_t count;

    ok(gp_state_set_pause(person, false, &pause));
    ok(gp_state_pauses(pass, false, mem, &back, &count));
    cr_assert(eq(sz, count, 1));
    cr_assert(eq(str, (char *)back[0].object, "vm/a"));
    cr_assert(eq(str, (char *)back[0].user, "kim"));
    cr_assert(eq(str, (char *)back[0].reason, "backup"));
    cr_assert(back[0].since_us == 10 && back[0].until_us == 20);
    ok(gp_state_set_pause(person, true, &approval));
    ok(gp_state_pauses(pass, true, mem, &back, &count));
    cr_assert(eq(sz, count, 1));
    cr_assert(eq(str, (char *)back[0].object, "9f31c2a4b7de"));
    ok(gp_state_clear_pause(pass, false, "vm/a"));
    ok(gp_state_clear_pause(pass, false, "vm/never"));
    ok(gp_state_pauses(person, false, mem, &back, &count));
    cr_assert(zero(sz, count));
}

Test(state_more, a_pause_makes_the_directory_and_forgets_what_is_over)
{
    const struct gp_pause old = {.object = "host", .since_us = 10, .until_us = 20};
    const struct gp_pause lasting = {.object = "gpu/b", .since_us = 10, .until_us = 1000};
    const struct gp_pause new = {.object = "gpu/a", .since_us = 20, .until_us = 30};
    gp_cleanup(gp_state_close_p) struct gp_state *person = opened(false);
    struct gp_pause *back;
    size_t count;

    ok(gp_state_set_pause(person, false, &old));
    ok(gp_state_set_pause(person, false, &lasting));
    ok(gp_state_set_pause(person, false, &new));
    ok(gp_state_pauses(person, false, mem, &back, &count));
    cr_assert(eq(sz, count, 2));
    cr_assert(eq(str, (char *)back[0].object, "gpu/a"));
    cr_assert(eq(str, (char *)back[1].object, "gpu/b"));
}

Test(state_more, a_pause_ends_once_for_one_who_asks)
{
    const struct gp_pause early = {.object = "host", .user = "kim", .since_us = 10, .until_us = 20};
    const struct gp_pause late = {.object = "gpu/a", .user = "kim", .since_us = 10, .until_us = 21};
    gp_cleanup(gp_state_close_p) struct gp_state *state = opened(false);
    struct gp_pause *back;
    size_t count;

    ok(gp_state_set_pause(state, false, &early));
    ok(gp_state_set_pause(state, false, &late));
    ok(gp_state_end_pauses(state, false, 19, mem, &back, &count));
    cr_assert(zero(sz, count));
    ok(gp_state_end_pauses(state, false, 20, mem, &back, &count));
    cr_assert(eq(sz, count, 1));
    cr_assert(eq(str, (char *)back[0].object, "host"));
    cr_assert(eq(str, (char *)back[0].user, "kim"));
    ok(gp_state_end_pauses(state, false, 20, mem, &back, &count));
    cr_assert(zero(sz, count));
    ok(gp_state_pauses(state, false, mem, &back, &count));
    cr_assert(eq(sz, count, 1));
    cr_assert(eq(str, (char *)back[0].object, "gpu/a"));
}

Test(state_more, pauses_set_side_by_side_are_all_kept)
{
    enum { WRITERS = 4, EACH = 10 };
    gp_cleanup(gp_state_close_p) struct gp_state *state = NULL;
    struct gp_pause *back;
    size_t count;
    int status;

    for (int w = 0; w < WRITERS; w++) {
        if (fork() == 0) {
            struct gp_state *mine = NULL;

            if (gp_state_open(scratch, false, mem, &mine, NULL))
                _exit(1);
            for (int i = 0; i < EACH; i++) {
                const struct gp_pause pause = {.object = gp_printf(mem, "vm/%d-%d", w, i),
                                               .until_us = 9};

                if (gp_state_set_pause(mine, false, &pause))
                    _exit(1);
            }
            _exit(0);
        }
    }
    for (int w = 0; w < WRITERS; w++)
        cr_assert(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    state = opened(false);
    ok(gp_state_pauses(state, false, mem, &back, &count));
    cr_assert(eq(sz, count, WRITERS * EACH));
}
