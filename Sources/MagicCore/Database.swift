import Arrow

/// Tables in an engine, mutable ones included, and everything that can be done with them. What is
/// done has no limits and asks for no rights: that is the caller's affair.
public protocol Database: StatementService {
  /// Runs one statement; its result's bytes are in the format of its own FORMAT clause, else in
  /// `format`.
  ///
  /// - Throws: ``EngineError`` when the statement fails before the first byte of its result.
  func run(
    _ statement: String, format: String, context: StatementContext
  ) async throws -> StatementResult

  /// Runs one statement; its result comes as record batches.
  ///
  /// - Throws: ``EngineError`` when the statement fails before its first row.
  func query(_ statement: String, context: StatementContext) async throws -> QueryResult

  /// Runs a statement once for each row of values for its `?` or `$1`, `$2`, …. An `INSERT … VALUES`
  /// of nothing but those is one write of all rows.
  ///
  /// - Returns: how many rows it changed, when it tells.
  /// - Throws: ``EngineError``; what ran before the row that failed stays, except for such an INSERT.
  func execute(
    _ statement: String, parameterRows: any RecordBatchReader, context: StatementContext
  ) async throws -> Int?

  /// The columns that a statement's result has, found without running it; exactly those that
  /// ``query(_:context:)`` gives. nil for a statement that has no result.
  ///
  /// - Throws: ``EngineError`` when the statement is wrong.
  func schema(of statement: String, context: StatementContext) async throws -> Schema?

  /// What a statement would touch; decides nothing.
  ///
  /// `parameters` has the values of `{name:Identifier}`, as in ``StatementContext/parameters``.
  /// `thoroughly` says whether the names that it reads, its functions and its engines are wanted,
  /// too. The engine's own parser finds them, and the statement is compared with what that says.
  ///
  /// - Throws: ``EngineError`` when the text is not even a statement.
  func inspect(
    _ statement: String, parameters: [String: String], thoroughly: Bool
  ) async throws -> StatementInspection

  /// Opens a session that outlives its statements.
  func openSession() async throws -> any DatabaseSession

  /// Keeps the newest published state of some tables, or of all, as it is, whatever becomes of them.
  ///
  /// - Throws: ``EngineError`` when one of them is no mutable table.
  func snapshot(of tables: Set<TableReference>?) async throws -> CommitPin

  /// Keeps the newest published state of a table as it is, for processes to come too, until it is
  /// forgotten.
  ///
  /// - Parameters:
  ///   - table: its name.
  ///   - note: what ``lastingSnapshots`` gives with it.
  /// - Throws: ``EngineError`` when it is no mutable table.
  func lastingSnapshot(of table: TableReference, note: String) async throws -> CommitPin

  /// The states that are kept so.
  var lastingSnapshots: [(pin: CommitPin, note: String)] { get }

  /// Replaces the note of a state that is kept so.
  ///
  /// - Throws: ``EngineError``.
  func note(_ note: String, ofLasting number: UInt64) async throws

  /// Forgets the state that is kept so and has that number, once nobody reads it.
  ///
  /// - Throws: ``EngineError``.
  func forget(lasting number: UInt64) async throws

  /// The newest published state.
  var published: CommitPoint { get }

  /// Begins a transaction.
  func begin() async throws -> any Transaction

  /// Writes rows: all of them, or none when this throws. Those of a plain MergeTree table are seen
  /// together too, but may not all survive a crash.
  ///
  /// - Returns: the number of rows.
  /// - Throws: ``EngineError``, or what reading the rows threw; nothing was written then.
  func write(_ request: WriteRequest, rows: any RecordBatchReader) async throws -> Int

  /// The tables and views, sorted by database and name.
  func tables(matching filter: TableSelection) async throws -> [TableEntry]

  /// Key ranges that together have every row of a table once, and are of about equal size; one
  /// range without bounds when it cannot be divided. `count` are wanted; there may be fewer.
  func split(
    _ table: TableReference, into count: Int, at commitPoint: CommitPin?
  ) async throws -> [KeyRange]
}

/// A statement's result as record batches.
public struct QueryResult: Sendable {
  /// The rows; without columns for a statement that has no result.
  public var reader: any RecordBatchReader
  /// How many rows the statement changed, for one that tells.
  public var changedRows: Int?
  /// What it reads; nil for a statement that has no result.
  public var commitPoint: CommitPoint?

  /// Makes a result.
  public init(
    reader: any RecordBatchReader, changedRows: Int? = nil, commitPoint: CommitPoint? = nil
  ) {
    self.reader = reader
    self.changedRows = changedRows
    self.commitPoint = commitPoint
  }
}

/// Rows to be written into a table.
public struct WriteRequest: Sendable {
  /// What is done with each row.
  public enum Action: String, Hashable, Sendable, Codable {
    /// It is added; in a mutable table it replaces the row of the same key.
    case insert
    /// The same, and the table must be a mutable one.
    case upsert
    /// The row of its key goes; rows have the columns of the key only. For mutable tables.
    case delete
    /// It is added with the version and mark that it brings in the hidden columns. For mutable
    /// tables.
    case importing = "import"
  }

  /// What happens when there is no such table.
  public enum WhenMissing: Hashable, Sendable {
    /// It is an error.
    case fail
    /// A mutable table of the rows' columns is made; without key columns, its rows have no key.
    case create(primaryKey: [String])
  }

  /// What happens when there is such a table.
  public enum WhenExisting: String, Hashable, Sendable, Codable {
    /// It is an error.
    case fail
    /// The rows are added.
    case append
    /// A new table with these rows takes its place; `whenMissing` says how it is made.
    case replace
  }

  /// The table.
  public var table: TableReference
  /// What is done with each row.
  public var action: Action
  /// What happens when there is no such table.
  public var whenMissing: WhenMissing
  /// What happens when there is such a table.
  public var whenExisting: WhenExisting
  /// See ``StatementContext/writeToken``.
  public var token: String?
  /// Collects the rows instead of having them published at once.
  public var transaction: (any Transaction)?
  /// See ``StatementContext/fencing``.
  public var fencing: Fencing?

  /// Makes a request.
  public init(
    table: TableReference, action: Action = .insert, whenMissing: WhenMissing = .fail,
    whenExisting: WhenExisting = .append, token: String? = nil,
    transaction: (any Transaction)? = nil
  ) {
    self.table = table
    self.action = action
    self.whenMissing = whenMissing
    self.whenExisting = whenExisting
    self.token = token
    self.transaction = transaction
  }
}

/// Which tables are meant. Patterns are those of SQL's LIKE; nil means all.
public struct TableSelection: Hashable, Sendable, Codable {
  /// A pattern for the database's name.
  public var database: String?
  /// A pattern for the table's name.
  public var table: String?
  /// The kinds that are wanted; nil for all.
  public var kinds: Set<TableEntry.Kind>?
  /// Whether the entries have ``TableEntry/columns``.
  public var includesColumns = false

  /// Means all tables.
  public init() {}
}

/// A table or view, as metadata requests tell about it.
public struct TableEntry: Hashable, Sendable, Codable {
  /// What it is, by the name that database interfaces use.
  public enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
    case table = "TABLE"
    case view = "VIEW"
    case systemTable = "SYSTEM TABLE"
    case temporaryTable = "LOCAL TEMPORARY"
  }

  /// Its name.
  public var name: TableReference
  /// What it is. A mutable table is a table, although the engine has a view in its place.
  public var kind: Kind
  /// The engine's name of the table engine, `MutableMergeTree` for a mutable table.
  public var engine: String
  /// Its comment; empty when it has none.
  public var comment: String
  /// The columns that identify a row, in key order; empty when nothing does.
  public var primaryKey: [String]
  /// The number of rows when it is known without counting.
  public var rowCount: Int?
  /// About how many rows there are; a mutable table's newest changes are left out.
  public var estimatedRowCount: Int?
  /// The number of the last commit that changed a mutable table, as far as is known: none earlier
  /// than the last that the process has made of it.
  public var lastCommit: UInt64?
  /// When that was, in seconds since 1970; nil when the process has not changed the table.
  public var lastChange: Double?
  /// How many bytes a mutable table takes on the disk, young rows included.
  public var byteCount: Int?
  /// How many of a mutable table's rows are not settled yet, versions and delete marks included.
  public var youngRowCount: Int?
  /// The visible columns, exactly as a `SELECT *` gives them; nil when they were not asked for.
  public var columns: Schema?
  /// The engine's types of ``columns``, as it prints them.
  public var columnTypes: [String]?

  /// Makes an entry.
  public init(
    name: TableReference, kind: Kind, engine: String, comment: String = "",
    primaryKey: [String] = [], rowCount: Int? = nil, estimatedRowCount: Int? = nil,
    columns: Schema? = nil,
    columnTypes: [String]? = nil
  ) {
    self.name = name
    self.kind = kind
    self.engine = engine
    self.comment = comment
    self.primaryKey = primaryKey
    self.rowCount = rowCount
    self.estimatedRowCount = estimatedRowCount ?? rowCount
    self.columns = columns
    self.columnTypes = columnTypes
  }
}

/// A part of a table: the rows whose key is at least ``lower`` and less than ``upper``.
public struct KeyRange: Hashable, Sendable, Codable {
  /// The key's expressions, as SQL; empty when the range is the whole table.
  public var key: [String]
  /// A SQL literal for each of the first expressions of the key; nil for no bound.
  public var lower: [String]?
  /// Likewise.
  public var upper: [String]?
  /// About how many rows it has, for the balance of work.
  public var rowCount: Int

  /// Makes a range.
  public init(key: [String] = [], lower: [String]? = nil, upper: [String]? = nil, rowCount: Int = 0)
  {
    self.key = key
    self.lower = lower
    self.upper = upper
    self.rowCount = rowCount
  }

  /// The range as a condition in SQL; nil when it has no bounds.
  public var condition: String? {
    let bounds = [(">", ">=", lower), ("<", "<", upper)].compactMap { sign, last, bound in
      bound.flatMap { Self.condition(Array(zip(key, $0)), sign, last) }
    }
    return bounds.isEmpty ? nil : bounds.joined(separator: " AND ")
  }

  /// Compares one expression after another, because the engine's index does not help to compare
  /// tuples.
  private static func condition(
    _ parts: [(key: String, bound: String)], _ sign: String, _ last: String
  ) -> String? {
    var result: String?
    for (key, bound) in parts.reversed() {
      result =
        result.map { "(\(key) \(sign) \(bound) OR (\(key) = \(bound) AND \($0)))" }
        ?? "(\(key) \(last) \(bound))"
    }
    return result
  }
}

/// What a statement's text says that it does.
public struct StatementInspection: Hashable, Sendable {
  /// What right a statement takes.
  public enum Kind: Hashable, Sendable {
    /// It reads: SELECT, SHOW, DESCRIBE, EXPLAIN, EXISTS, CHECK.
    case read
    /// It changes rows: INSERT, UPSERT, IMPORT, UPDATE, DELETE.
    case write
    /// It changes tables: CREATE, ALTER, DROP, RENAME, TRUNCATE, OPTIMIZE and alike.
    case declare
    /// It changes the session: SET, USE.
    case session
    /// It ends a statement: KILL QUERY.
    case kill
    /// Everything else, SYSTEM above all: only for who may do anything.
    case administer
  }

  /// A name in the statement that may be a table's or a database's.
  public struct Name: Hashable, Sendable {
    /// The database, when one is written.
    public var database: String?
    /// The table; nil when only a database is named.
    public var table: String?

    /// Makes a name.
    public init(database: String? = nil, table: String? = nil) {
      self.database = database
      self.table = table
    }
  }

  /// A setting that a statement sets.
  public struct Setting: Hashable, Sendable {
    /// The setting's name.
    public var name: String
    /// Its value, without quotes; nil when that is not a single literal.
    public var value: String?

    /// Makes a setting.
    public init(name: String, value: String?) {
      self.name = name
      self.value = value
    }
  }

  /// What right it takes.
  public var kind: Kind
  /// The first word, such as `SELECT`, in capitals: for logs and counters.
  public var verb: String
  /// All names that it writes to or declares.
  public var targets: [Name] = []
  /// All other names with a database in them, and databases in the place of a database's name. A
  /// table without a database in front is of the session's own.
  public var sources: [Name] = []
  /// The functions that it calls, table functions included, as written.
  public var functions: Set<String> = []
  /// The functions that stand in the place of a table.
  public var tableFunctions: Set<String> = []
  /// The engines of the tables and databases that it declares.
  public var engines: Set<String> = []
  /// The settings that it sets.
  public var settings: [Setting] = []
  /// The parameters in the place of names that have no value.
  public var missingParameters: Set<String> = []
  /// Whether it may read what its text does not name: a name is computed, say.
  public var isOpaque = false
  /// The same statement, in which no condition is evaluated for rows of system tables that a filter
  /// of the session leaves out; nil when it reads none.
  public var guarded: String?
  /// Whether it is an INSERT whose VALUES the engine reads as they were inspected, so that they may be
  /// expressions.
  public var hasPlainValues = false
  /// Whether it reads tables, or what WITH defines, by names without a database.
  public var readsOwnTables = false
  /// The text with every literal replaced by `?`: it holds no data and no secrets.
  public var pattern: String
  /// How many `?`, or the highest `$n`, it has in the place of values.
  public var positionalParameterCount: Int
  /// The id in `KILL QUERY WHERE query_id = '…'`.
  public var killedStatement: String?

  /// Makes an inspection.
  public init(
    kind: Kind, verb: String, targets: [Name] = [], pattern: String = "",
    positionalParameterCount: Int = 0
  ) {
    self.kind = kind
    self.verb = verb
    self.targets = targets
    self.pattern = pattern
    self.positionalParameterCount = positionalParameterCount
  }
}
