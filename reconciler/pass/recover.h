/* What an earlier pass left unfinished. Its record is finished if the same is still wanted and this was not
 * tried before, else restored. */
#pragma once

#include "pass.h"

/* Every VM that ran before an unfinished set began is owed a start. */
struct gp_error *gp_recover_owed(struct gp_pass *pass) GP_MUST_CHECK;
/* After a look at the guests: who was down and runs again, by whosever hand, is owed nothing any more. One that was asked to
 * stop and was not seen to go down stays owed, since it may go down for that yet, until it is seen up after the time for
 * that is over. */
void gp_recover_forget_paid(struct gp_pass *pass);
/* Restores now what cannot or must not be finished; what was tried twice backs off, as what failed does. A full disk holds up
 * no way back. *ret_restored says
 * that the host changed. The exit status goes into pass->recover_exit. */
struct gp_error *gp_recover_decide(struct gp_pass *pass, bool *ret_restored) GP_MUST_CHECK;
/* What the gate let through when it began stays allowed until it is finished or has failed, as long as the same is wanted. A set
 * that has grown since, by a guest or by a GPU that the commit changes, goes by its gates; so does one that failed. */
void gp_recover_allow(struct gp_pass *pass);
/* Whether this pass began with the way back of @record, whether or not it came to its end. */
bool gp_recover_went_back(const struct gp_pass *pass, const struct gp_record *record);
/* At the end of a pass: the exit status of these ways back. One that failed does not count where the way forward was gone
 * since; that is told. */
int gp_recover_exit(struct gp_pass *pass);
/* How @set failed at the commit that is wanted, or the whole whose record it goes on with; false: it did not. */
bool gp_recover_failure(const struct gp_pass *pass, const struct gp_set *set, struct gp_failure *ret);
