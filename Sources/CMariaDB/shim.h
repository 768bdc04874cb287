#include <stddef.h>
#include <mariadb/mysql.h>
#include <mariadb/errmsg.h>

/* Exported by libmariadb but declared in none of its public headers: reads one whole packet, joined from as
   many network packets as it took, into mysql->net.read_pos. Returns its length, or (unsigned int)-1. */
unsigned long mysql_net_read_packet(MYSQL *mysql);

/* Sends a command of the protocol with its payload and leaves the answer unread. The library exports no function
   for that, only the table that its own functions go through, and knows not all commands by name. Returns 0 when
   it was sent. */
static inline int magic_send_command(MYSQL *mysql, unsigned int command, const void *payload, size_t length) {
  return mysql->methods->db_command(mysql, (enum enum_server_command)command, payload, length, 1, NULL);
}
