/* Words that more than one kind uses. */
#pragma once

extern const char *const gp_allow_words[];   /* of enum gp_allow */
extern const char *const gp_stop_words[];    /* of enum gp_stop_method */
extern const char *const gp_timeout_words[]; /* fail, force */
