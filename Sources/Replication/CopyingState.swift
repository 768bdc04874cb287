import Binlog
import MySQLSchema

/// A piece of the copying of existing rows, for one worker.
enum CopyTask: Sendable {
  /// Rows of one table between two keys, which get this version.
  case range(ReplicatedTable, SourceKeyRange, version: UInt64)
  /// Finds out how the table is to be divided.
  case plan(ReplicatedTable)
  /// Divides an open range.
  case divide(ReplicatedTable, SourceKeyRange)
  /// Whole tables without a key, as of their common snapshot.
  case snapshot(any SourceSnapshot, [ReplicatedTable])
}

/// Who copies what at the moment; what is stored of it is in the catalog.
struct CopyingState {
  /// Whether tables may have to be shown that are not seen yet.
  var hasHidden = true
  /// The ranges that workers read, by table.
  private var taken: [UInt64: Set<SourceKeyRange>] = [:]
  /// Tables that a worker divides.
  private var divided: Set<UInt64> = []
  /// Tables whose open ranges need not be divided any more.
  private var isDivided: Set<UInt64> = []
  /// Tables that are planned.
  private var planned: Set<UInt64> = []
  /// Tables without a key, by their snapshots.
  private var snapshots: [(snapshot: any SourceSnapshot, tables: [ReplicatedTable])] = []
  /// How much was read since when, for the time left.
  var begin: ContinuousClock.Instant?
  var rowsSinceBegin: UInt64 = 0
  /// The rows so far of tables that are read at once, which end as a whole.
  var rowsReadAtOnce: [UInt64: UInt64] = [:]
  /// Tables that were copied, and all that were to be.
  var finishedTables = 0

  /// Whether existing rows are still to be copied.
  func isNeeded(_ catalog: Catalog) -> Bool {
    hasHidden && catalog.tables.contains { $0.state == .copying }
  }

  mutating func add(_ snapshot: any SourceSnapshot, _ tables: [ReplicatedTable]) {
    snapshots.append((snapshot, tables))
  }

  /// The next piece of work that nobody does yet.
  mutating func next(_ catalog: Catalog) -> (task: CopyTask, changed: ReplicatedTable?)? {
    if let (snapshot, tables) = snapshots.popLast() { return (.snapshot(snapshot, tables), nil) }
    // Small tables need not wait for large ones: those come first that the fewest work at.
    let waiting = catalog.tables.filter { $0.state == .copying && $0.copy != nil }
    for var table in waiting.sorted(by: { workers($0.id) < workers($1.id) }) {
      guard var copy = table.copy, !divided.contains(table.id) else { continue }
      if !planned.contains(table.id), copy.finished.isEmpty, copy.pending == [SourceKeyRange()] {
        divided.insert(table.id)
        return (.plan(table), nil)
      }
      let ranges = taken[table.id] ?? []
      guard let range = copy.pending.first(where: { !ranges.contains($0) }) else { continue }
      if range.through == nil, !isDivided.contains(table.id) {
        divided.insert(table.id)
        return (.divide(table, range), nil)
      }
      let version = copy.nextVersion
      copy.nextVersion += 1
      table.copy = copy
      taken[table.id, default: []].insert(range)
      return (.range(table, range, version: version), table)
    }
    return nil
  }

  private func workers(_ id: UInt64) -> Int { taken[id]?.count ?? 0 }

  /// Notes how a table is divided.
  ///
  /// - Parameter isWhole: whether its open ranges stay as they are.
  mutating func notePlan(_ id: UInt64, isWhole: Bool) {
    divided.remove(id)
    planned.insert(id)
    if isWhole { isDivided.insert(id) }
  }

  /// A worker is done with a range, or gives it up.
  mutating func release(_ id: UInt64, _ range: SourceKeyRange) { taken[id]?.remove(range) }

  /// A worker gives up finding out how the table is divided.
  mutating func releaseDivision(_ id: UInt64) { divided.remove(id) }

  mutating func forget(_ ids: [UInt64]) {
    for id in ids {
      taken[id] = nil
      rowsReadAtOnce[id] = nil
      divided.remove(id)
      isDivided.remove(id)
      planned.remove(id)
    }
  }

  mutating func forgetAll() {
    taken = [:]
    rowsReadAtOnce = [:]
    divided = []
    isDivided = []
    planned = []
    snapshots = []
  }
}
