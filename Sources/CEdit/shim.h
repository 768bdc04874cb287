#include <stdio.h>
#include <editline/readline.h>

/// Makes readline() take its characters from `next_character` and leave all signals alone.
/// Call it before the first readline().
static inline void edit_configure(int (*next_character)(FILE *)) {
  rl_catch_signals = 0;
  rl_getc_function = next_character;
}
