import Arrow
import Foundation
import MagicCore

/// Everything that a program can ask of Magic, on behalf of one caller. The bindings (Flight, HTTP,
/// ADBC) are thin over it; a client library implements it too, for a service in another process.
///
/// Everything throws ``APIError``, and only that.
public protocol MagicService: Sendable {
  /// Runs one statement; its result's bytes are in the format of its own FORMAT clause, else in
  /// `format`. `input` follows the statement's text: the rows of an `INSERT … FORMAT …`.
  func run(
    _ request: StatementRequest, format: String, input: StatementInput?
  ) async throws -> StatementResult

  /// Runs one statement; its result comes as record batches. Cancelling the reader, or dropping it,
  /// ends the statement in the engine.
  func query(_ request: StatementRequest) async throws -> QueryResult

  /// Runs a statement once for each row of values for its `?` or `$1`, `$2`, …. An `INSERT … VALUES`
  /// of nothing but those is one write of all rows.
  ///
  /// - Returns: how many rows it changed, when it tells.
  func execute(
    _ request: StatementRequest, parameterRows: any RecordBatchReader
  ) async throws -> Int?

  /// What a statement will give, without running it.
  func describe(_ request: StatementRequest) async throws -> StatementDescription

  /// Reads a table, or a part of it.
  func scan(_ scan: TableScan) async throws -> QueryResult

  /// Divides a table into key ranges of about equal size. The state that they divide stays readable
  /// under the snapshot's name until it expires or is released.
  func split(_ table: TableReference, into count: Int, snapshot: String?) async throws
    -> TableSplits

  /// Writes rows: all of them, or none when this throws.
  ///
  /// - Returns: the number of rows.
  func write(_ write: TableWrite, rows: any RecordBatchReader) async throws -> Int

  /// The tables and views that the caller may see, sorted by database and name.
  func tables(matching filter: TableSelection) async throws -> [TableEntry]

  /// The databases that the caller may see, sorted.
  func databases() async throws -> [String]

  /// Begins a transaction; it is rolled back when nothing is done with it for the service's limit.
  ///
  /// - Parameter partOf: the transaction that it is a part of, and ends with: many can collect
  ///   changes side by side that are published together.
  /// - Returns: its name, which only this caller can use.
  func beginTransaction(partOf: String?) async throws -> String

  /// Publishes all changes of a transaction in one step; durable on return.
  func commit(_ request: CommitRequest) async throws

  /// Puts off the end of a transaction that is not used, and of its parts.
  ///
  /// - Throws: ``APIError`` of kind `notFound` when it has ended.
  func renew(transaction: String) async throws

  /// Forgets the changes of a transaction.
  func rollback(transaction: String) async throws

  /// The newest published state.
  ///
  /// - Parameters:
  ///   - gtids: transactions of the source that it waits for, see ``StatementRequest/atLeast``; nil
  ///     for none.
  ///   - timeout: how long it waits for them at most; nil for the service's limit.
  /// - Throws: ``APIError`` of kind `timedOut` when the copy does not get them in time.
  func commitPoint(atLeast gtids: String?, timeout: Duration?) async throws -> CommitPoint

  /// Keeps the newest published state readable.
  func openSnapshot(_ request: SnapshotRequest) async throws -> Snapshot

  /// The caller's snapshots; those of everybody for an admin. The ones that end first come first.
  func snapshots() async throws -> [Snapshot]

  /// Puts off the end of a snapshot.
  func renew(snapshot: String) async throws -> Snapshot

  /// Gives a snapshot up; idempotent.
  func release(snapshot: String) async throws

  /// Ends a session that the caller does not need any more; idempotent.
  func end(session: String) async throws

  /// The caller's statements that run or wait for their turn; those of everybody for an admin. The
  /// ones that began first come first.
  func statements() async throws -> [StatementEntry]

  /// Ends a running statement in the engine.
  ///
  /// - Returns: whether there was one of that id that the caller may end.
  func cancel(statement id: String) async throws -> Bool
}

/// One statement to run.
public struct StatementRequest: Sendable {
  /// The text, with at most one `;` at its end.
  public var sql: String
  /// The database of names without one.
  public var database = "default"
  /// The values of `{name:Type}` in the text, as text in the form of ClickHouse's TSV format, by
  /// name.
  public var parameters: [String: String] = [:]
  /// One row with the values of the `?` or `$1`, `$2`, … in the text, in their order.
  public var positionalParameters: RecordBatch?
  /// Settings of the engine that hold for this statement only.
  public var settings: [String: String] = [:]
  /// By what name it can be cancelled; nil for one that is made up.
  public var id: String?
  /// The transaction that collects its changes.
  public var transaction: String?
  /// The snapshot that it reads; nil for the newest state.
  public var snapshot: String?
  /// Transactions of the source that the state must have which it reads: GTIDs as the source writes
  /// them. It waits for them, for ``timeout`` at most.
  public var atLeast: String?
  /// The fencing token of the latch under which it changes something: it changes nothing when that
  /// is not held any more.
  public var fencingToken: UInt64?
  /// The session whose settings and temporary tables it shares.
  public var session: SessionRequest?
  /// Makes a repeated write harmless.
  public var writeToken: String?
  /// Whether it may only read, and only what a reader may.
  public var isReadOnly = false
  /// How long it may run; nil for the service's limit, which is never exceeded.
  public var timeout: Duration?

  /// A request about which nothing special is said.
  public init(_ sql: String) { self.sql = sql }
}

/// A session that a statement belongs to. It begins with its first statement, and ends when it is
/// not used for some time.
public struct SessionRequest: Hashable, Sendable {
  /// Its name, chosen by the caller; two callers' sessions of one name are different ones.
  public var name: String
  /// How long it lasts without use; nil for the service's default, which is a limit too.
  public var timeout: Duration?
  /// Whether it is an error when it does not exist yet.
  public var mustExist: Bool

  /// Asks for a session.
  public init(name: String, timeout: Duration? = nil, mustExist: Bool = false) {
    self.name = name
    self.timeout = timeout
    self.mustExist = mustExist
  }
}

/// A statement that runs.
public struct StatementEntry: Hashable, Sendable, Codable {
  /// By what name it can be cancelled.
  public var id: String
  /// Whose it is.
  public var user: String
  /// Through which interface it came, see ``Caller/interface``.
  public var interface: String
  /// From where it came; empty when that is not known.
  public var address: String
  /// Its first words.
  public var verb: String
  /// Its text, with `?` in the place of every literal.
  public var text: String
  /// How long ago it came.
  public var seconds: Double
  /// Whether it waits for its turn.
  public var isWaiting: Bool
  /// How many rows its result had so far, or how many it changed.
  public var rows: Int
  /// How many bytes its result had so far.
  public var bytes: Int

  /// Describes a statement.
  init(_ statement: RunningStatement) {
    id = statement.id
    user = statement.caller.user
    interface = statement.caller.interface
    address = statement.caller.address
    verb = statement.inspection.verb
    text = statement.inspection.pattern
    seconds = statement.start.duration(to: .now) / .seconds(1)
    isWaiting = statement.isWaiting
    rows = statement.rows
    bytes = statement.bytes
  }
}

/// What a statement will give.
public struct StatementDescription: Sendable {
  /// The columns of its result, exactly as the result will have them; nil when it has none, or when
  /// they depend on the values of parameters, and the request has none.
  public var columns: Schema?
  /// The number of `?` (or the highest `$n`) in it.
  public var parameterCount: Int
  /// Whether it only reads.
  public var isRead: Bool

  /// Makes a description.
  public init(columns: Schema?, parameterCount: Int, isRead: Bool) {
    self.columns = columns
    self.parameterCount = parameterCount
    self.isRead = isRead
  }
}

/// A reading of a table without SQL.
public struct TableScan: Hashable, Sendable, Codable {
  /// The table.
  public var table: TableReference
  /// The columns wanted, in that order; nil for all.
  public var columns: [String]?
  /// A condition in SQL; nil for all rows.
  public var filter: String?
  /// The part of the table; nil for all of it.
  public var range: KeyRange?
  /// The snapshot that is read; nil for the newest state.
  public var snapshot: String?
  /// The most rows that are wanted; nil for all.
  public var limit: Int?
  /// See ``StatementRequest/atLeast``.
  public var atLeast: String?

  /// Reads a whole table.
  public init(_ table: TableReference) { self.table = table }
}

/// A table divided into key ranges.
public struct TableSplits: Hashable, Sendable, Codable {
  /// The state that the ranges divide.
  public var snapshot: Snapshot
  /// The ranges; together they have every row once.
  public var ranges: [KeyRange]

  /// Makes splits.
  public init(snapshot: Snapshot, ranges: [KeyRange]) {
    self.snapshot = snapshot
    self.ranges = ranges
  }
}

/// Asks for a snapshot.
public struct SnapshotRequest: Hashable, Sendable {
  /// The tables that are to stay readable; nil for all.
  public var tables: Set<TableReference>?
  /// How long it lasts without being renewed or read; nil for the service's default. A day at most.
  public var lifetime: Duration?
  /// Whether it is there, with its time running anew, after the service was started again, too. Then it
  /// is of one table.
  public var isLasting = false
  /// See ``StatementRequest/atLeast``.
  public var atLeast: String?
  /// How long it waits for that; nil for the service's limit.
  public var timeout: Duration?

  /// Asks for a snapshot of all tables.
  public init(atLeast: String? = nil) { self.atLeast = atLeast }
}

/// A published state that stays readable for a while.
public struct Snapshot: Hashable, Sendable, Codable {
  /// Its name, which cannot be guessed.
  public var id: String
  /// The number of the last commit that it has.
  public var commit: UInt64
  /// The transactions of the source that it has, see `CommitPoint.gtids`.
  public var gtids: String?
  /// The tables that it is of; nil for all.
  public var tables: Set<TableReference>?
  /// When it ends, in seconds since 1970, unless it is renewed or read.
  public var expires: Double
  /// Whose it is.
  public var user: String?
  /// Whether it outlives the process that serves it.
  public var lasting: Bool?

  /// Makes a snapshot's description.
  public init(id: String, commit: UInt64, expires: Double) {
    self.id = id
    self.commit = commit
    self.expires = expires
  }

  init(id: String, pin: CommitPin, user: String, lifetime: Duration) {
    self.init(
      id: id, commit: pin.point.commit,
      expires: Date().timeIntervalSince1970 + lifetime / .seconds(1))
    gtids = pin.point.gtids
    tables = pin.tables
    lasting = pin.lasting != nil
    self.user = user
  }
}

/// A transaction to be committed.
public struct CommitRequest: Hashable, Sendable, Codable {
  /// Its name.
  public var transaction: String
  /// See ``StatementRequest/fencingToken``.
  public var fencingToken: UInt64?
  /// The names of its parts whose changes are published with its own, in their order; what other
  /// parts have collected is forgotten.
  public var parts: [String]?
  /// Makes a repeated commit harmless: of those with one token only the first changes a table.
  public var token: String?
  /// The number of a commit point since which nobody else may have changed the tables whose rows
  /// change; nil when that does not matter.
  public var unchangedSince: UInt64?

  /// Commits a transaction without parts, whatever others have changed.
  public init(_ transaction: String) { self.transaction = transaction }
}

/// A write of rows without SQL.
public struct TableWrite: Sendable {
  /// The table.
  public var table: TableReference
  /// What is done with each row.
  public var action = WriteRequest.Action.insert
  /// What happens when there is no such table.
  public var whenMissing = WriteRequest.WhenMissing.fail
  /// What happens when there is such a table.
  public var whenExisting = WriteRequest.WhenExisting.append
  /// Makes a retry harmless.
  public var token: String?
  /// The transaction that collects the rows.
  public var transaction: String?
  /// By what name it can be cancelled; nil for one that is made up.
  public var id: String?
  /// See ``StatementRequest/fencingToken``.
  public var fencingToken: UInt64?

  /// Appends rows to a table.
  public init(_ table: TableReference) { self.table = table }
}
