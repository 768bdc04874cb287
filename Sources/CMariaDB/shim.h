#include <mariadb/mysql.h>
#include <mariadb/mariadb_rpl.h>
#include <mariadb/errmsg.h>
