import Arrow
import MagicCore

extension TableScan: Message {
  public static var members: [String] {
    ["table", "columns", "filter", "range", "snapshot", "limit", "atLeast"]
  }
}

/// What is to be divided.
public struct SplitMessage: Message {
  public static let members = ["table", "count", "snapshot"]

  /// The table.
  public var table: TableReference
  /// How many ranges are wanted.
  public var count: Int
  /// The snapshot to divide; nil for a new one.
  public var snapshot: String?

  /// Makes a message.
  public init(table: TableReference, count: Int, snapshot: String?) {
    self.table = table
    self.count = count
    self.snapshot = snapshot
  }
}

extension TableSplits: Message {
  public static var members: [String] { ["snapshot", "ranges"] }
}

extension Snapshot: Message {
  public static var members: [String] {
    ["id", "commit", "gtids", "tables", "expires", "user", "lasting"]
  }
}

/// A `TableSelection` as JSON.
public struct SelectionMessage: Message {
  public static let members = ["database", "table", "kinds", "columns"]

  /// A pattern as of LIKE.
  public var database: String?
  /// A pattern as of LIKE.
  public var table: String?
  /// The kinds that are wanted.
  public var kinds: Set<TableEntry.Kind>?
  /// Whether columns are wanted.
  public var columns: Bool?

  /// Makes the message of a selection.
  public init(_ selection: TableSelection) {
    database = selection.database
    table = selection.table
    kinds = selection.kinds
    columns = selection.includesColumns
  }

  /// The selection.
  public var selection: TableSelection {
    var selection = TableSelection()
    selection.database = database
    selection.table = table
    selection.kinds = kinds
    selection.includesColumns = columns ?? false
    return selection
  }
}

/// Tables and views.
public struct TablesMessage: Message {
  /// A `TableEntry` as JSON.
  public struct Entry: Codable, Sendable {
    var database: String
    var table: String
    var kind: TableEntry.Kind
    var engine: String
    var comment: String
    var primaryKey: [String]
    var rowCount: Int?
    var estimatedRowCount: Int?
    var lastCommit: UInt64?
    var lastChange: Double?
    var byteCount: Int?
    var youngRowCount: Int?
    /// The columns: an Arrow stream without batches in base64.
    var schema: String?
    var columnTypes: [String]?
  }

  public static let members = ["tables"]

  /// The tables.
  public var tables: [Entry]

  /// Makes the message of tables.
  public init(_ entries: [TableEntry]) {
    tables = entries.map { entry in
      Entry(
        database: entry.name.database, table: entry.name.table, kind: entry.kind,
        engine: entry.engine, comment: entry.comment, primaryKey: entry.primaryKey,
        rowCount: entry.rowCount, estimatedRowCount: entry.estimatedRowCount,
        lastCommit: entry.lastCommit, lastChange: entry.lastChange, byteCount: entry.byteCount,
        youngRowCount: entry.youngRowCount, schema: entry.columns.map(StreamText.encode),
        columnTypes: entry.columnTypes)
    }
  }

  /// The tables.
  ///
  /// - Throws: ``APIError`` when a schema cannot be read.
  public func entries() throws(APIError) -> [TableEntry] {
    var entries: [TableEntry] = []
    for entry in tables {
      let columns = try entry.schema.map { text throws(APIError) in
        try StreamText.schema(text, member: "schema")
      }
      var found =
        TableEntry(
          name: TableReference(database: entry.database, table: entry.table), kind: entry.kind,
          engine: entry.engine, comment: entry.comment, primaryKey: entry.primaryKey,
          rowCount: entry.rowCount, estimatedRowCount: entry.estimatedRowCount,
          columns: columns, columnTypes: entry.columnTypes)
      found.lastCommit = entry.lastCommit
      found.lastChange = entry.lastChange
      found.byteCount = entry.byteCount
      found.youngRowCount = entry.youngRowCount
      entries.append(found)
    }
    return entries
  }
}

/// Databases.
public struct DatabasesMessage: Message {
  public static let members = ["databases"]

  /// Their names.
  public var databases: [String]

  /// Makes a message.
  public init(databases: [String]) { self.databases = databases }
}
