import CArrowABI
import MagicADBC
import Testing

/// Options in all their forms, before anything is opened.
@Suite struct OptionTests {
  @Test func databaseOptions() throws {
    let driver = driverTable()
    var database = AdbcDatabase()
    #expect(driver.DatabaseNew(&database, nil) == 0)
    defer { _ = driver.DatabaseRelease(&database, nil) }
    #expect(driver.DatabaseSetOption(&database, "uri", "/data/ü", nil) == 0)
    #expect(driver.DatabaseSetOption(&database, "password", "secret", nil) == 0)

    var length = 0
    #expect(driver.DatabaseGetOption(&database, "uri", nil, &length, nil) == 0)
    #expect(length == 9)
    var text = [CChar](repeating: 1, count: 8)
    length = 8
    #expect(driver.DatabaseGetOption(&database, "uri", &text, &length, nil) == 0)
    #expect(length == 9 && text == [CChar](repeating: 1, count: 8))
    text = [CChar](repeating: 1, count: 10)
    length = 10
    #expect(driver.DatabaseGetOption(&database, "uri", &text, &length, nil) == 0)
    #expect(length == 9 && text[9] == 1)
    #expect(text.withUnsafeBufferPointer { String(cString: $0.baseAddress!) } == "/data/ü")
    var bytes = [UInt8](repeating: 1, count: 8)
    length = 8
    #expect(driver.DatabaseGetOptionBytes(&database, "uri", &bytes, &length, nil) == 0)
    #expect(length == 8 && bytes == Array("/data/ü".utf8))

    var number: Int64 = 0
    #expect(
      outcome { driver.DatabaseGetOptionInt(&database, "uri", &number, $0) }.status
        == ADBC_STATUS_INVALID_ARGUMENT)
    for key in ["password", "username", "nothing"] {
      length = 0
      #expect(
        outcome { driver.DatabaseGetOption(&database, key, nil, &length, $0) }.status
          == ADBC_STATUS_NOT_FOUND)
    }
    #expect(
      outcome { driver.DatabaseSetOption(&database, "nothing", "1", $0) }
        == Outcome(
          status: ADBC_STATUS_NOT_IMPLEMENTED, message: "this driver has no option nothing",
          sqlState: "0A000"))
    #expect(
      outcome { driver.DatabaseSetOption(&database, nil, "1", $0) }.status
        == ADBC_STATUS_INVALID_ARGUMENT)
    #expect(driver.DatabaseSetOption(&database, "uri", nil, nil) == 0)
    #expect(
      outcome { driver.DatabaseGetOption(&database, "uri", nil, &length, $0) }.status
        == ADBC_STATUS_NOT_FOUND)
    let invalid: [CChar] = [-1, 0]
    #expect(
      outcome { driver.DatabaseSetOption(&database, "uri", invalid, $0) }.status
        == ADBC_STATUS_INVALID_ARGUMENT)
  }

  @Test func connectionOptions() {
    let driver = driverTable()
    var connection = AdbcConnection()
    #expect(driver.ConnectionNew(&connection, nil) == 0)
    defer { _ = driver.ConnectionRelease(&connection, nil) }
    func set(_ key: String, _ value: String) -> Int32 {
      outcome { driver.ConnectionSetOption(&connection, key, value, $0) }.status
    }
    func get(_ key: String) -> String? {
      var text = [CChar](repeating: 0, count: 100)
      var length = text.count
      guard driver.ConnectionGetOption(&connection, key, &text, &length, nil) == 0 else {
        return nil
      }
      return text.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }
    #expect(get("adbc.connection.autocommit") == "true")
    #expect(set("adbc.connection.autocommit", "false") == 0)
    #expect(get("adbc.connection.autocommit") == "false")
    #expect(set("adbc.connection.autocommit", "no") == ADBC_STATUS_INVALID_ARGUMENT)
    #expect(get("adbc.connection.readonly") == "false")
    #expect(set("adbc.connection.readonly", "true") == 0)
    #expect(get("adbc.connection.readonly") == "true")
    #expect(get("adbc.connection.catalog") == "magic")
    #expect(set("adbc.connection.catalog", "magic") == 0)
    #expect(set("adbc.connection.catalog", "other") == ADBC_STATUS_NOT_FOUND)
    #expect(get("adbc.connection.db_schema") == "default")
    #expect(set("adbc.connection.db_schema", "shop") == 0)
    #expect(get("adbc.connection.db_schema") == "shop")
    let level = "adbc.connection.transaction.isolation."
    #expect(set(level + "level", "\(level)snapshot") == ADBC_STATUS_NOT_IMPLEMENTED)
    #expect(
      set("adbc.connection.transaction.isolation_level", "\(level)snapshot")
        == ADBC_STATUS_NOT_IMPLEMENTED)
    #expect(set("adbc.connection.transaction.isolation_level", "\(level)default") == 0)
    #expect(get("adbc.connection.transaction.isolation_level") == "\(level)read_committed")
    #expect(get("nothing") == nil)
  }
}
