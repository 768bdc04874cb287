import Arrow
import CArrowABI
import MagicCore

/// Makes an ADBC call and turns its failure into an ``EngineError``.
func adbcCall(_ call: (UnsafeMutablePointer<AdbcError>) -> AdbcStatusCode?) throws {
  var error = AdbcError()
  let status = call(&error)
  guard let status else {
    throw EngineError(message: "the engine library lacks a function of the ADBC interface")
  }
  if status == ADBC_STATUS_OK { return }
  defer { if let release = error.release { release(&error) } }
  let text = error.message.map { String(cString: $0) } ?? "the engine gave no reason (\(status))"
  throw EngineError(engineText: text)
}

extension EngineError {
  /// The code of a statement that was ended by `KILL QUERY`.
  static let cancelledCode = 394

  /// Takes the engine's text, and its code from `Code: N.` in it.
  init(engineText text: String) {
    var message = Substring(text)
    // The library's own name in front of every text tells nobody anything.
    if message.hasPrefix("[chdb] ") { message.removeFirst("[chdb] ".count) }
    var code: Int?
    if message.hasPrefix("Code: ") {
      code = Int(message.dropFirst("Code: ".count).prefix { $0.isNumber })
    }
    self.init(code: code, message: String(message))
  }

  static let cancelled = EngineError(code: cancelledCode, message: "the statement was cancelled")
}

/// A session. Used on one thread only.
final class SessionHandle {
  fileprivate let library: EngineLibrary
  private let handle: UnsafeMutablePointer<AdbcConnection>

  /// The caller keeps the database alive for longer.
  convenience init(database: DatabaseHandle) throws {
    try self.init(library: database.library, database: database.handle)
  }

  init(
    library: EngineLibrary, database: UnsafeMutablePointer<AdbcDatabase>
  ) throws {
    self.library = library
    handle = .allocate(capacity: 1)
    handle.initialize(to: AdbcConnection())
    let driver = library.driver.pointee
    let handle = handle
    try adbcCall { driver.ConnectionNew?(handle, $0) }
    try adbcCall { driver.ConnectionInit?(handle, database, $0) }
  }

  deinit {
    let driver = library.driver.pointee
    try? adbcCall { driver.ConnectionRelease?(handle, $0) }
    handle.deallocate()
  }

  /// A new statement of the session.
  func statement() throws -> StatementHandle {
    let driver = library.driver.pointee
    let statement = StatementHandle(session: self)
    try adbcCall { driver.StatementNew?(handle, statement.handle, $0) }
    return statement
  }
}

/// A statement. Used on its session's thread only.
final class StatementHandle {
  private let session: SessionHandle
  fileprivate let handle: UnsafeMutablePointer<AdbcStatement>

  private var driver: AdbcDriver { session.library.driver.pointee }

  fileprivate init(session: SessionHandle) {
    self.session = session
    handle = .allocate(capacity: 1)
    handle.initialize(to: AdbcStatement())
  }

  deinit {
    if handle.pointee.private_data != nil {
      try? adbcCall { driver.StatementRelease?(handle, $0) }
    }
    handle.deallocate()
  }

  func setQuery(_ sql: String) throws {
    // SQL is passed as a C string: what follows a zero byte would silently be cut off.
    guard !sql.utf8.contains(0) else {
      throw EngineError(message: "a statement must not contain a zero byte")
    }
    try adbcCall { driver.StatementSetSqlQuery?(handle, sql, $0) }
  }

  func setOption(_ key: String, _ value: String) throws {
    try adbcCall { driver.StatementSetOption?(handle, key, value, $0) }
  }

  func bind(_ stream: UnsafeMutablePointer<ArrowArrayStream>) throws {
    try adbcCall { driver.StatementBindStream?(handle, stream, $0) }
  }

  /// Runs the statement; gives the number of rows it changed, when the engine tells.
  func executeUpdate() throws -> Int? {
    var rows: Int64 = -1
    try adbcCall { driver.StatementExecuteQuery?(handle, nil, &rows, $0) }
    return rows < 0 ? nil : Int(rows)
  }

  /// Runs the statement up to its first rows.
  func executeQuery() throws -> ImportedStream {
    var stream = ArrowArrayStream()
    try adbcCall { driver.StatementExecuteQuery?(handle, &stream, nil, $0) }
    do throws(ArrowError) {
      return try ImportedStream(moving: &stream)
    } catch {
      throw EngineError(stream: error)
    }
  }
}

extension ImportedStream {
  /// The next batch of a result; nil at the end.
  func nextBatch() throws -> RecordBatch? {
    do throws(ArrowError) {
      return try next()
    } catch {
      throw EngineError(stream: error)
    }
  }
}

extension EngineError {
  /// A failure of a result stream: the engine's own, or that its data cannot be used.
  init(stream error: ArrowError) {
    switch error.code {
    case .stream: self.init(engineText: error.message)
    case .unsupported, .malformed, .limitExceeded: self.init(message: error.description)
    }
  }
}
