import CArrowABI
import MagicADBC

/// The driver's functions as a program gets them.
func driverTable(version: Int32 = ADBC_VERSION_1_1_0) -> AdbcDriver {
  var driver = AdbcDriver()
  _ = initializeDriver(version: version, &driver, nil)
  return driver
}

/// A call's status, and its error's message and SQL state.
struct Outcome: Equatable {
  var status: Int32
  var message: String
  var sqlState: String
}

/// Makes a call and takes its error apart.
func outcome(_ call: (UnsafeMutablePointer<AdbcError>?) -> AdbcStatusCode?) -> Outcome {
  var error = AdbcError()
  let status = call(&error)
  defer { if let release = error.release { release(&error) } }
  let state = withUnsafeBytes(of: error.sqlstate) { String(decoding: $0, as: UTF8.self) }
  return Outcome(
    status: status.map { Int32($0) } ?? -1,
    message: error.message.map { String(cString: $0) } ?? "",
    sqlState: error.release == nil ? "" : state)
}
