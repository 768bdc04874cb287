import CArrowABI
import MagicADBC
import Testing

/// Calls that make no sense give errors.
@Suite struct MisuseTests {
  typealias Call = (AdbcDriver, UnsafeMutablePointer<AdbcError>?) -> AdbcStatusCode?

  /// Every function about a database, on `handle`.
  private func databaseCalls(_ handle: UnsafeMutablePointer<AdbcDatabase>?) -> [Call] {
    [
      { $0.DatabaseInit(handle, $1) }, { $0.DatabaseRelease(handle, $1) },
      { $0.DatabaseSetOption(handle, "uri", "x", $1) },
      { $0.DatabaseSetOptionBytes(handle, "uri", nil, 0, $1) },
      { $0.DatabaseSetOptionInt(handle, "uri", 1, $1) },
      { $0.DatabaseSetOptionDouble(handle, "uri", 1, $1) },
      { $0.DatabaseGetOption(handle, "uri", nil, nil, $1) },
      { $0.DatabaseGetOptionBytes(handle, "uri", nil, nil, $1) },
      { $0.DatabaseGetOptionInt(handle, "uri", nil, $1) },
      { $0.DatabaseGetOptionDouble(handle, "uri", nil, $1) },
    ]
  }

  /// Every function about a connection, on `handle`.
  private func connectionCalls(_ handle: UnsafeMutablePointer<AdbcConnection>?) -> [Call] {
    [
      { $0.ConnectionInit(handle, nil, $1) }, { $0.ConnectionRelease(handle, $1) },
      { $0.ConnectionCommit(handle, $1) }, { $0.ConnectionRollback(handle, $1) },
      { $0.ConnectionCancel(handle, $1) }, { $0.ConnectionGetInfo(handle, nil, 0, nil, $1) },
      { $0.ConnectionGetObjects(handle, 0, nil, nil, nil, nil, nil, nil, $1) },
      { $0.ConnectionGetTableSchema(handle, nil, nil, nil, nil, $1) },
      { $0.ConnectionGetTableTypes(handle, nil, $1) },
      { $0.ConnectionGetStatistics(handle, nil, nil, nil, 0, nil, $1) },
      { $0.ConnectionGetStatisticNames(handle, nil, $1) },
      { $0.ConnectionReadPartition(handle, nil, 0, nil, $1) },
      { $0.ConnectionSetOption(handle, "adbc.connection.autocommit", "true", $1) },
      { $0.ConnectionSetOptionBytes(handle, "x", nil, 0, $1) },
      { $0.ConnectionSetOptionInt(handle, "x", 1, $1) },
      { $0.ConnectionSetOptionDouble(handle, "x", 1, $1) },
      { $0.ConnectionGetOption(handle, "x", nil, nil, $1) },
      { $0.ConnectionGetOptionBytes(handle, "x", nil, nil, $1) },
      { $0.ConnectionGetOptionInt(handle, "x", nil, $1) },
      { $0.ConnectionGetOptionDouble(handle, "x", nil, $1) },
      { $0.StatementNew(handle, nil, $1) },
    ]
  }

  /// Every function about a statement, on `handle`.
  private func statementCalls(_ handle: UnsafeMutablePointer<AdbcStatement>?) -> [Call] {
    [
      { $0.StatementRelease(handle, $1) }, { $0.StatementCancel(handle, $1) },
      { $0.StatementSetSqlQuery(handle, "SELECT 1", $1) },
      { $0.StatementSetSubstraitPlan(handle, nil, 0, $1) }, { $0.StatementPrepare(handle, $1) },
      { $0.StatementBind(handle, nil, nil, $1) }, { $0.StatementBindStream(handle, nil, $1) },
      { $0.StatementGetParameterSchema(handle, nil, $1) },
      { $0.StatementExecuteSchema(handle, nil, $1) },
      { $0.StatementExecuteQuery(handle, nil, nil, $1) },
      { $0.StatementExecutePartitions(handle, nil, nil, nil, $1) },
      { $0.StatementSetOption(handle, "x", nil, $1) },
      { $0.StatementSetOptionBytes(handle, "x", nil, 0, $1) },
      { $0.StatementSetOptionInt(handle, "x", 1, $1) },
      { $0.StatementSetOptionDouble(handle, "x", 1, $1) },
      { $0.StatementGetOption(handle, "x", nil, nil, $1) },
      { $0.StatementGetOptionBytes(handle, "x", nil, nil, $1) },
      { $0.StatementGetOptionInt(handle, "x", nil, $1) },
      { $0.StatementGetOptionDouble(handle, "x", nil, $1) },
    ]
  }

  private func check(_ calls: [Call], _ status: Int32, sqlState: String) {
    let driver = driverTable()
    for (index, call) in calls.enumerated() {
      let found = outcome { call(driver, $0) }
      #expect(found.status == status && found.sqlState == sqlState, "call \(index): \(found)")
      #expect(!found.message.isEmpty)
      // Nobody has to take the error.
      #expect(call(driver, nil).map { Int32($0) } == status)
    }
  }

  @Test func nullHandles() {
    check(
      databaseCalls(nil) + connectionCalls(nil) + statementCalls(nil), ADBC_STATUS_INVALID_ARGUMENT,
      sqlState: "HY009")
  }

  @Test func handlesThatStandForNothing() {
    var database = AdbcDatabase()
    var connection = AdbcConnection()
    var statement = AdbcStatement()
    withUnsafeMutablePointer(to: &database) {
      check(databaseCalls($0), ADBC_STATUS_INVALID_STATE, sqlState: "HY010")
    }
    withUnsafeMutablePointer(to: &connection) {
      check(connectionCalls($0), ADBC_STATUS_INVALID_STATE, sqlState: "HY010")
    }
    withUnsafeMutablePointer(to: &statement) {
      check(statementCalls($0), ADBC_STATUS_INVALID_STATE, sqlState: "HY010")
    }
  }

  @Test func connectionsThatAreNotInitialised() {
    let driver = driverTable()
    var connection = AdbcConnection()
    #expect(driver.ConnectionNew(&connection, nil) == 0)
    // A structure that is in use is not made anew.
    #expect(
      outcome { driver.ConnectionNew(&connection, $0) }.status == ADBC_STATUS_INVALID_STATE)
    var stream = ArrowArrayStream()
    var schema = ArrowSchema()
    var statement = AdbcStatement()
    let calls: [(UnsafeMutablePointer<AdbcError>?) -> AdbcStatusCode?] = [
      { driver.ConnectionCommit(&connection, $0) }, { driver.ConnectionRollback(&connection, $0) },
      { driver.ConnectionGetInfo(&connection, nil, 0, &stream, $0) },
      { driver.ConnectionGetObjects(&connection, 0, nil, nil, nil, nil, nil, &stream, $0) },
      { driver.ConnectionGetTableSchema(&connection, nil, nil, "t", &schema, $0) },
      { driver.ConnectionGetTableTypes(&connection, &stream, $0) },
      { driver.StatementNew(&connection, &statement, $0) },
    ]
    for call in calls { #expect(outcome(call).status == ADBC_STATUS_INVALID_STATE) }
    #expect(stream.release == nil && schema.release == nil && statement.private_data == nil)
    #expect(driver.ConnectionRelease(&connection, nil) == 0)
    #expect(
      outcome { driver.ConnectionRelease(&connection, $0) }.status == ADBC_STATUS_INVALID_STATE)
  }

  @Test func databases() {
    let driver = driverTable()
    var database = AdbcDatabase()
    #expect(driver.DatabaseNew(&database, nil) == 0)
    #expect(
      outcome { driver.DatabaseInit(&database, $0) }
        == Outcome(
          status: ADBC_STATUS_INVALID_ARGUMENT,
          message:
            "the option uri is missing: the path of a data folder, or http://HOST:PORT",
          sqlState: "HY009"))
    #expect(driver.DatabaseSetOption(&database, "uri", "file:relative", nil) == 0)
    #expect(
      outcome { driver.DatabaseInit(&database, $0) }.status == ADBC_STATUS_INVALID_ARGUMENT)
    var connection = AdbcConnection()
    #expect(driver.ConnectionNew(&connection, nil) == 0)
    #expect(
      outcome { driver.ConnectionInit(&connection, &database, $0) }.status
        == ADBC_STATUS_INVALID_STATE)
    #expect(driver.ConnectionRelease(&connection, nil) == 0)
    #expect(driver.DatabaseRelease(&database, nil) == 0)
    #expect(
      outcome { driver.DatabaseRelease(&database, $0) }.status == ADBC_STATUS_INVALID_STATE)
  }

  @Test func versions() {
    var driver = AdbcDriver()
    for version: Int32 in [0, 1, 1_002_000, -1] {
      #expect(
        outcome { initializeDriver(version: version, &driver, $0) }.status
          == ADBC_STATUS_NOT_IMPLEMENTED)
    }
    #expect(
      outcome { initializeDriver(version: ADBC_VERSION_1_1_0, nil, $0) }.status
        == ADBC_STATUS_INVALID_ARGUMENT)
    #expect(driver.release == nil)
    let older = driverTable(version: ADBC_VERSION_1_0_0)
    #expect(older.StatementSetSubstraitPlan != nil && older.ErrorGetDetailCount == nil)
    let newer = driverTable()
    #expect(newer.ErrorGetDetailCount != nil && newer.StatementSetOptionInt != nil)
  }
}
