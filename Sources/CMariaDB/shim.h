#include <mariadb/mysql.h>
#include <mariadb/mariadb_rpl.h>
#include <mariadb/errmsg.h>

/* Exported by libmariadb but declared in none of its public headers: reads one whole packet, joined from as
   many network packets as it took, into mysql->net.read_pos. Returns its length, or (unsigned int)-1. */
unsigned long mysql_net_read_packet(MYSQL *mysql);

/* Swift cannot call functions with variable arguments. */
static inline int magic_rpl_set_file(MARIADB_RPL *rpl, const char *name, size_t length) {
  return mariadb_rpl_optionsv(rpl, MARIADB_RPL_FILENAME, name, length);
}
static inline int magic_rpl_set_start(MARIADB_RPL *rpl, unsigned long offset) {
  return mariadb_rpl_optionsv(rpl, MARIADB_RPL_START, offset);
}
static inline int magic_rpl_set_server_id(MARIADB_RPL *rpl, unsigned int server_id) {
  return mariadb_rpl_optionsv(rpl, MARIADB_RPL_SERVER_ID, server_id);
}
static inline int magic_rpl_set_flags(MARIADB_RPL *rpl, unsigned int flags) {
  return mariadb_rpl_optionsv(rpl, MARIADB_RPL_FLAGS, flags);
}
