/// What a database holds at a snapshot, and how each thing is made again, for a backup.
public struct DatabaseContents: Hashable, Sendable, Codable {
  /// Something that has a name in the engine, and the statement that makes it.
  public struct Declared: Hashable, Sendable, Codable {
    /// Its name.
    public var name: String
    /// The statement that makes it.
    public var statement: String

    /// Describes it.
    public init(name: String, statement: String) {
      self.name = name
      self.statement = statement
    }
  }

  /// A column with rows.
  public struct Column: Hashable, Sendable, Codable {
    /// Its name.
    public var name: String
    /// Its type, as ClickHouse prints it.
    public var type: String

    /// Describes a column.
    public init(name: String, type: String) {
      self.name = name
      self.type = type
    }
  }

  /// A table, or what is read like one.
  public struct Table: Hashable, Sendable, Codable {
    /// What it is.
    public enum Kind: String, Hashable, Sendable, Codable {
      /// A mutable table that replication writes.
      case replicated
      /// A mutable table of users; as of the snapshot.
      case mutable
      /// A table of the engine's own, which is no part of commit points.
      case plain
      case dictionary
      case view
      case materializedView
    }

    /// Its name as of the snapshot.
    public var name: TableReference
    /// What it is.
    public var kind: Kind
    /// The number of a replicated table, see ``TableDefinition/id``.
    public var replicationID: UInt64?
    /// The statement that makes it.
    public var statement: String
    /// What is added to a table once it has its rows, which need not meet them: `CONSTRAINT …`.
    public var constraints: [String]
    /// The columns that have to be stored to have its rows again; empty for what stores none.
    public var columns: [Column]
    /// About how many bytes its rows are.
    public var estimatedByteCount: UInt64

    /// Describes a table.
    public init(
      name: TableReference, kind: Kind, replicationID: UInt64? = nil, statement: String,
      constraints: [String] = [], columns: [Column] = [], estimatedByteCount: UInt64 = 0
    ) {
      self.name = name
      self.kind = kind
      self.replicationID = replicationID
      self.statement = statement
      self.constraints = constraints
      self.columns = columns
      self.estimatedByteCount = estimatedByteCount
    }
  }

  /// The databases.
  public var databases: [Declared]
  /// The SQL functions of users.
  public var functions: [Declared]
  /// The tables, sorted by name.
  public var tables: [Table]

  /// Describes a database.
  public init(databases: [Declared] = [], functions: [Declared] = [], tables: [Table] = []) {
    self.databases = databases
    self.functions = functions
    self.tables = tables
  }
}

extension [DatabaseContents.Column] {
  /// The names, as a list in SQL.
  public var list: String { map { quotedIdentifier($0.name) }.joined(separator: ", ") }
  /// The names and types, as a table's structure in SQL.
  public var structure: String {
    map { "\(quotedIdentifier($0.name)) \($0.type)" }.joined(separator: ", ")
  }
}
