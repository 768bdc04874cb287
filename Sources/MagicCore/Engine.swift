import Arrow

/// A table's name in the engine.
public struct TableReference: Hashable, Sendable, Codable, CustomStringConvertible {
  /// The database that holds the table.
  public var database: String
  /// The table's name inside its database.
  public var table: String

  /// Names `table` inside `database`.
  public init(database: String, table: String) {
    self.database = database
    self.table = table
  }

  /// The two names with a dot between them, unquoted: for people, not for SQL.
  public var description: String { "\(database).\(table)" }
}

/// What the engine answered to a statement it could not run, or why it could not be reached.
public struct EngineError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The engine's own error code (ClickHouse's `ErrorCodes`); nil when the engine never saw the
  /// request.
  public var code: Int?
  /// The engine's full text.
  public var message: String

  /// Makes an error from the engine's text.
  public init(code: Int? = nil, message: String) {
    self.code = code
    self.message = message
  }

  /// The engine's full text.
  public var description: String { message }
}

/// A columnar SQL engine.
public protocol Engine: Sendable {
  /// Opens a connection of its own session: settings made on it last until it is closed.
  ///
  /// - Throws: ``EngineError`` when the engine is shut down or refuses.
  func connect() async throws -> any EngineConnection

  /// Refuses new connections, waits until the open ones are closed, and closes the engine.
  func shutdown() async
}

/// A session with an engine. It has a thread of its own, and statements on one connection run one
/// after another.
public protocol EngineConnection: Sendable {
  /// Runs a statement whose result is not wanted.
  ///
  /// - Returns: the number of rows it changed, when the engine tells.
  /// - Throws: ``EngineError``.
  @discardableResult func execute(_ sql: String) async throws -> Int?

  /// Starts a statement and streams its result. The connection is busy until the reader has
  /// reached the end, was cancelled, or was dropped.
  ///
  /// - Throws: ``EngineError`` when the statement fails before its first row.
  func query(_ sql: String) async throws -> any RecordBatchReader

  /// Appends rows to a table. On return they are as durable as the table's settings say: with
  /// `fsync_after_insert` they are on disk.
  ///
  /// - Throws: ``EngineError`` when the batch does not have exactly the table's columns with types
  ///   that hold every value, or when the engine refuses.
  func ingest(_ batch: RecordBatch, into table: TableReference) async throws

  /// Ends the session; idempotent. A statement that still runs is cancelled.
  func close() async
}

/// A result that is read batch by batch.
public protocol RecordBatchReader: Sendable {
  /// The columns of every batch.
  var schema: Schema { get }

  /// The next batch; nil at the end.
  ///
  /// - Throws: ``EngineError`` when the statement fails half-way or was cancelled.
  func next() async throws -> RecordBatch?

  /// Ends the statement in the engine. Idempotent, and without effect after the end. A reader that
  /// is dropped half-read does the same.
  func cancel() async
}
