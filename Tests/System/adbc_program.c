// A program that uses the driver without Python: program DRIVER FOLDER.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adbc_abi.h"

static struct AdbcError error;

// Ends the program when a call fails.
static void check(AdbcStatusCode status, const char* what) {
  if (status == ADBC_STATUS_OK) return;
  fprintf(stderr, "%s: %d %s\n", what, status, error.message ? error.message : "");
  exit(1);
}

int main(int count, char** arguments) {
  if (count != 3) return 2;
  void* library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  AdbcDriverInitFunc init = (AdbcDriverInitFunc)dlsym(library, "AdbcDriverInit");
  struct AdbcDriver driver;
  memset(&driver, 0, sizeof driver);
  check(init(ADBC_VERSION_1_1_0, &driver, &error), "init");

  struct AdbcDatabase database = {0};
  check(driver.DatabaseNew(&database, &error), "new database");
  check(driver.DatabaseSetOption(&database, "uri", arguments[2], &error), "uri");
  check(driver.DatabaseInit(&database, &error), "open");
  struct AdbcConnection connection = {0};
  check(driver.ConnectionNew(&connection, &error), "new connection");
  check(driver.ConnectionInit(&connection, &database, &error), "connect");
  struct AdbcStatement statement = {0};
  check(driver.StatementNew(&connection, &statement, &error), "new statement");

  check(driver.StatementSetSqlQuery(&statement, "SELECT number FROM numbers(3000000)", &error), "set");
  struct ArrowArrayStream stream;
  check(driver.StatementExecuteQuery(&statement, &stream, NULL, &error), "execute");
  long rows = 0;
  for (;;) {
    struct ArrowArray array;
    if (stream.get_next(&stream, &array) != 0) {
      fprintf(stderr, "%s\n", stream.get_last_error(&stream));
      return 1;
    }
    if (!array.release) break;
    rows += array.length;
    array.release(&array);
  }
  stream.release(&stream);
  printf("rows %ld\n", rows);

  check(driver.StatementSetSqlQuery(&statement, "SELECT nope", &error), "set");
  if (driver.StatementExecuteQuery(&statement, &stream, NULL, &error) == ADBC_STATUS_OK) return 1;
  printf("error %d %.5s\n", error.vendor_code, error.sqlstate);
  error.release(&error);

  // A database with connections is not released.
  if (driver.DatabaseRelease(&database, &error) != ADBC_STATUS_INVALID_STATE) return 1;
  error.release(&error);
  check(driver.StatementRelease(&statement, &error), "release statement");
  check(driver.ConnectionRelease(&connection, &error), "release connection");
  check(driver.DatabaseRelease(&database, &error), "release database");
  check(driver.release(&driver, &error), "release driver");
  dlclose(library);
  printf("done\n");
  return 0;
}
