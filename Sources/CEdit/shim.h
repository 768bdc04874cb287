#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <editline/readline.h>

/// Makes readline() take its characters from `next_character`, leave all signals alone, and work in
/// UTF-8 whatever the locale is. Call it before the first readline().
static inline void edit_configure(int (*next_character)(FILE *)) {
  setlocale(LC_CTYPE, "");
  if (MB_CUR_MAX == 1) setlocale(LC_CTYPE, "C.UTF-8");
  rl_catch_signals = 0;
  rl_getc_function = next_character;
}
