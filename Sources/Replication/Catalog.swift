import Binlog
import MagicCore
import MySQLSchema

/// What became of a table of the source.
public enum TableState: Hashable, Sendable, Codable {
  /// Its existing rows are being copied, or wait for that; nobody sees it yet.
  case copying
  /// It follows the stream.
  case live
  /// It no longer follows the stream; it stays as of `position`.
  case stopped(reason: String, at: BinlogPosition)
}

/// A table of the source and its copy. Its declaration, once it has one, never changes: a change of
/// the declaration is another entry with another number.
public struct ReplicatedTable: Hashable, Sendable, Codable {
  /// The number of the copy's storage; never reused in a data folder.
  public var id: UInt64
  public var schema: TableSchema
  public var state: TableState
  /// The copy contains every change before this position; changes from it on are applied when the
  /// stream brings them. Nil while nothing of the table is stored.
  public var copyPosition: BinlogPosition?
  /// From this position on the copy is the table as it is at the source; nil when that is
  /// ``copyPosition``. While nothing is stored: where the source did not have the table any more.
  public var visibleFrom: BinlogPosition?
  /// How far the copying is; nil when it has not begun, or is over.
  public var copy: TableCopy?
  /// Whether its rows are read as of one moment, because changes of it do not tell whole rows: what they
  /// leave out must be in the copy as it was just before.
  public var isReadAtOnce: Bool?

  /// Whether the source dropped it: programs before version 2 of the catalog kept such tables.
  private(set) var isDropped: Bool?

  public init(
    id: UInt64, schema: TableSchema, state: TableState, copyPosition: BinlogPosition? = nil
  ) {
    self.id = id
    self.schema = schema
    self.state = state
    self.copyPosition = copyPosition
  }

  public var name: TableName { schema.name }

  /// Whether rows of the table are stored, or it began empty.
  public var hasStorage: Bool {
    copyPosition != nil
  }

  var isStopped: Bool {
    if case .stopped = state { true } else { false }
  }

  /// Whether its rows can be seen once the stream has come to `position`.
  public func isVisible(at position: BinlogPosition) -> Bool {
    guard state != .copying, let copyPosition else { return false }
    return position >= visibleFrom ?? copyPosition
  }

  /// Whether a change whose event starts at `position` belongs to the copy.
  public func accepts(changeAt position: BinlogPosition) -> Bool {
    guard let copyPosition, position >= copyPosition else { return false }
    if case .stopped(_, let stop) = state { return position < stop }
    return true
  }

  /// Lets the table no longer follow the stream from `position` on.
  ///
  /// - Parameter shown: how far the copy is that it is to stay in. What cannot be seen there was never
  ///   whole, so that there is no state to show.
  /// - Returns: whether its storage is not needed any more.
  mutating func stop(
    _ reason: String, at position: BinlogPosition, shownAt shown: BinlogPosition
  ) -> Bool {
    let isUnneeded = hasStorage && !isVisible(at: shown)
    if isUnneeded { copyPosition = nil }
    state = .stopped(reason: reason, at: position)
    copy = nil
    return isUnneeded
  }
}

/// How far the copying of a table's existing rows is.
///
/// Each range is read in one piece, and its rows get a version of their own: what a copy that was
/// interrupted had done in part is known by that.
public struct TableCopy: Hashable, Sendable, Codable {
  /// The versions of the ranges that are stored whole, in ascending order.
  public var finished: [ClosedRange<UInt64>] = []
  /// The next version to be given to a range.
  public var nextVersion: UInt64 = 1
  /// What is not copied yet, or was begun only. The last one may be open: it is divided as the
  /// copying goes on.
  public var pending: [SourceKeyRange]
  public var rows: UInt64 = 0
  public var bytes: UInt64 = 0
  /// What the source's statistics say; may be far off.
  public var estimatedRows: UInt64
  /// The same for the size of its data, in bytes.
  public var estimatedBytes: UInt64

  public init(pending: [SourceKeyRange], estimatedRows: UInt64, estimatedBytes: UInt64) {
    self.pending = pending
    self.estimatedRows = estimatedRows
    self.estimatedBytes = estimatedBytes
  }

  /// Notes that a range is stored.
  mutating func finish(version: UInt64) {
    finished.append(version...version)
    finished.sort { $0.lowerBound < $1.lowerBound }
    var merged: [ClosedRange<UInt64>] = []
    for range in finished {
      if let last = merged.last, last.upperBound + 1 == range.lowerBound {
        merged[merged.count - 1] = last.lowerBound...range.upperBound
      } else {
        merged.append(range)
      }
    }
    finished = merged
  }
}

/// A statement of the source that is being applied to the copy: how it was before, should the process
/// end before the checkpoint after the statement is stored.
struct SchemaIntent: Hashable, Sendable, Codable {
  /// The entries that the statement replaces.
  var before: [ReplicatedTable]
  /// The numbers of the entries that replace them.
  var after: [UInt64]
  /// The end of the statement in the binlog.
  var end: BinlogPosition
}

/// Every table that the data folder knows, as it is stored in `catalog.json`.
public struct Catalog: Hashable, Sendable, Codable {
  /// The version of the form of the files in the data folder, raised when an older program could
  /// not read them.
  public static let currentFormatVersion = 2

  public var formatVersion = Catalog.currentFormatVersion
  /// What identifies the server that the positions are of; nil when the copy was made from files.
  public var sourceIdentity: String?
  public private(set) var tables: [ReplicatedTable] = []
  private var nextTableID: UInt64 = 1
  private var intent: SchemaIntent?

  public init() {}

  /// The newest table of that name.
  public subscript(name: TableName) -> ReplicatedTable? {
    tables.last { $0.schema.name == name }
  }

  /// The table with that number.
  public subscript(id id: UInt64) -> ReplicatedTable? {
    tables.first { $0.id == id }
  }

  /// Adds a table under a number of its own.
  @discardableResult
  public mutating func add(
    _ schema: TableSchema, state: TableState, copyPosition: BinlogPosition? = nil
  ) -> ReplicatedTable {
    let table = ReplicatedTable(
      id: nextTableID, schema: schema, state: state, copyPosition: copyPosition)
    nextTableID += 1
    tables.append(table)
    return table
  }

  /// Whether existing rows of a table of that name are being copied, or wait for that.
  func isCopying(_ name: TableName) -> Bool {
    tables.contains { $0.name == name && $0.state == .copying }
  }

  /// Adds a table that has to be copied from the source, whose declaration is not known yet; nothing when
  /// it is being copied. For `isReadAtOnce` see ``ReplicatedTable/isReadAtOnce``.
  public mutating func addWanted(_ name: TableName, isReadAtOnce: Bool? = nil) {
    guard !isCopying(name) else { return }
    var table = add(TableSchema(name: name, columns: [], primaryKey: []), state: .copying)
    table.isReadAtOnce = isReadAtOnce
    update(table)
  }

  /// Replaces the table that has the same number.
  public mutating func update(_ table: ReplicatedTable) {
    if let index = tables.firstIndex(where: { $0.id == table.id }) { tables[index] = table }
  }

  /// Removes a table for good.
  public mutating func remove(id: UInt64) { tables.removeAll { $0.id == id } }

  /// Notes how the catalog was before a statement, which it has been changed by.
  mutating func begin(_ before: Catalog, until end: BinlogPosition) {
    let kept = Set(tables.map(\.id))
    let old = Set(before.tables.map(\.id))
    intent = SchemaIntent(
      before: before.tables.filter { !kept.contains($0.id) || self[id: $0.id] != $0 },
      after: tables.map(\.id).filter { !old.contains($0) }, end: end)
  }

  /// Takes a catalog of an earlier version over.
  mutating func upgrade() {
    formatVersion = Self.currentFormatVersion
    tables.removeAll { $0.isDropped == true }
  }

  /// Tables count as being copied as long as there are changes of them that wait for it.
  mutating func takeBackCopied(_ relayed: [UInt64: UInt64]) {
    for index in tables.indices
    where tables[index].state == .live && relayed[tables[index].id] != nil {
      tables[index].state = .copying
      tables[index].copy = TableCopy(pending: [], estimatedRows: 0, estimatedBytes: 0)
    }
  }

  /// Ends what ``begin(_:until:)`` began, or takes it back when the checkpoint is not after the
  /// statement.
  ///
  /// - Returns: the tables that are gone with the statement.
  @discardableResult
  mutating func resolveIntent(at checkpoint: BinlogPosition) -> [ReplicatedTable] {
    guard let intent else { return [] }
    self.intent = nil
    guard checkpoint < intent.end else { return [] }
    let gone = tables.filter { intent.after.contains($0.id) }
    tables.removeAll { intent.after.contains($0.id) }
    for table in intent.before {
      if self[id: table.id] != nil { update(table) } else { tables.append(table) }
    }
    tables.sort { $0.id < $1.id }
    return gone
  }

  /// The catalog of a copy that is made of some tables' rows at a checkpoint.
  ///
  /// It has no table that came after the checkpoint: the stream, or the next copy from the source, makes
  /// those again. Nor has it one whose rows should be in the copy but are not.
  ///
  /// `stored` has the numbers of the tables whose rows as of the checkpoint are in the copy.
  public func asOf(_ checkpoint: BinlogPosition, holding stored: Set<UInt64>) -> Catalog {
    var catalog = self
    catalog.resolveIntent(at: checkpoint)
    catalog.tables.removeAll { table in
      if table.hasStorage {
        return !table.isVisible(at: checkpoint) || !stored.contains(table.id)
      }
      if case .stopped(_, let position) = table.state { return position > checkpoint }
      return true
    }
    return catalog
  }
}
