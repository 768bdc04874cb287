import Arrow
import Foundation
import MagicCore
import MySQLSchema
import Synchronization

@testable import Replication

/// The process ends here.
struct SimulatedCrash: Error {}

/// Rows of a table in a simulated store, all cells as text.
struct SimulatedStorage {
  struct Version {
    var version: UInt64
    var isDeleted: Bool
    var row: [String]
  }

  var definition: TableDefinition
  var copied: [[String]: Version] = [:]
  var changed: [[String]: Version] = [:]
  /// The rows of a table without a key; fewer than none where a change comes before its row is copied.
  var bag: [[String]: Int] = [:]

  var columns: [String] { definition.schema.fields.map(\.name) }

  func key(of row: [String]) -> [String] { definition.primaryKey.map { row[$0] } }

  var rows: [[String]] {
    guard !definition.primaryKey.isEmpty else {
      return bag.flatMap { Array(repeating: $0.key, count: max(0, $0.value)) }
    }
    return copied.merging(changed) { $1 }.values.filter { !$0.isDeleted }.map(\.row)
  }

  var content: [String] {
    [columns.joined(separator: " ")] + rows.map { $0.joined(separator: " ") }.sorted()
  }
}

/// What is on the disk of a simulated store. It outlives the processes.
final class SimulatedDisk: Sendable {
  struct State {
    var checkpoint: [UInt8]?
    var storage: [UInt64: SimulatedStorage] = [:]
    var names: [TableName: UInt64] = [:]
    /// Where what was promised was not kept.
    var violations: [String] = []
  }

  let state = Mutex(State())

  var violations: [String] { state.withLock(\.violations) }
}

/// A store as one process has it open. It checks that it is used as `ChangeSink` says.
final class SimulatedSink: ChangeSink {
  typealias Batches = [(table: TableDefinition, batch: RecordBatch)]

  let disk: SimulatedDisk
  /// Called before a step takes effect, and after it: the process may end there.
  private let step: @Sendable () throws -> Void
  /// Called when the visible rows or names have changed.
  private let published: @Sendable (Checkpoint, _ areNamesCurrent: Bool) async -> Void
  private let staged = Mutex<[(id: UInt64, rows: [SimulatedStorage.Version])]>([])

  init(
    disk: SimulatedDisk, step: @escaping @Sendable () throws -> Void,
    published: @escaping @Sendable (Checkpoint, Bool) async -> Void
  ) {
    self.disk = disk
    self.step = step
    self.published = published
  }

  private func perform<Result>(_ body: (inout SimulatedDisk.State) throws -> Result) throws
    -> Result
  {
    try step()
    let result = try disk.state.withLock { state in try body(&state) }
    try step()
    return result
  }

  func checkpoint() async throws -> [UInt8]? { try perform { $0.checkpoint } }

  func storedTableIDs() async throws -> [UInt64] { try perform { $0.storage.keys.sorted() } }

  func obstacle(to table: TableDefinition) async throws -> String? { nil }

  func create(_ table: TableDefinition) async throws {
    try perform { state in
      if state.names.values.contains(table.id) { state.violations.append("created while seen") }
      state.storage[table.id] = SimulatedStorage(definition: table)
    }
  }

  func create(
    _ table: TableDefinition, from old: TableDefinition, columns: [Int?], defaults: RecordBatch
  ) async throws {
    let values = defaults.texts[0]
    try perform { state in
      guard let source = state.storage[old.id] else { throw Missing(old.id) }
      var storage = SimulatedStorage(definition: table)
      func convert(_ row: [String]) -> [String] {
        columns.indices.map { index in columns[index].map { row[$0] } ?? values[index] }
      }
      if old.primaryKey.isEmpty != table.primaryKey.isEmpty {
        state.violations.append("converted between with and without a key")
      }
      for row in source.rows {
        let row = convert(row)
        if table.primaryKey.isEmpty {
          storage.bag[row, default: 0] += 1
        } else {
          storage.copied[storage.key(of: row)] = .init(version: 0, isDeleted: false, row: row)
        }
      }
      state.storage[table.id] = storage
    }
  }

  func change(showing shown: [TableDefinition], dropping dropped: [TableDefinition]) async throws {
    let checkpoint = try perform { state in
      for table in dropped {
        state.storage[table.id] = nil
        state.names = state.names.filter { $0.value != table.id }
      }
      for table in shown {
        guard state.storage[table.id] != nil else { throw Missing(table.id) }
        state.storage[table.id]?.definition.name = table.name
        state.names = state.names.filter { $0.value != table.id }
      }
      for table in shown {
        let name = TableName(database: table.name.database, table: table.name.table)
        state.names[name] = table.id
        if state.storage[table.id]?.bag.values.contains(where: { $0 < 0 }) == true {
          state.violations.append("\(name) lacks a row that was deleted")
        }
      }
      return state.checkpoint
    }
    if let checkpoint { await published(try Checkpoint(decoding: checkpoint), true) }
  }

  func copy(_ batch: RecordBatch, into table: TableDefinition) async throws {
    try perform { state in
      guard var storage = state.storage[table.id] else { throw Missing(table.id) }
      if state.names.values.contains(table.id) {
        state.violations.append("copied into \(table.name), which is seen")
      }
      for row in batch.versions {
        if table.primaryKey.isEmpty {
          storage.bag[row.row, default: 0] += 1
        } else {
          let key = storage.key(of: row.row)
          if let known = storage.copied[key] {
            state.violations.append(
              "\(table.name) \(key) was copied twice, as \(known.version) and \(row.version)")
          }
          if row.version >= Checkpoint.firstVersion {
            state.violations.append("a copied row has version \(row.version)")
          }
          storage.copied[key] = row
        }
      }
      state.storage[table.id] = storage
    }
  }

  func discardCopied(_ table: TableDefinition, keeping versions: [ClosedRange<UInt64>])
    async throws
  {
    try perform { state in
      guard var storage = state.storage[table.id] else { throw Missing(table.id) }
      if state.names.values.contains(table.id) {
        state.violations.append("copied rows of \(table.name), which is seen, are removed")
      }
      storage.copied = storage.copied.filter { row in
        versions.contains { $0.contains(row.value.version) }
      }
      state.storage[table.id] = storage
    }
  }

  func rows(of table: TableDefinition, keys: RecordBatch) async throws -> RecordBatch {
    throw Missing(table.id)
  }

  func stage(_ batches: Batches) async throws {
    try step()
    staged.withLock { $0 += batches.map { ($0.table.id, $0.batch.versions) } }
  }

  func discardStaged() async throws {
    try step()
    staged.withLock { $0 = [] }
  }

  func publish(_ batches: Batches, checkpoint: [UInt8]) async throws {
    let all = staged.withLock { staged in
      defer { staged = [] }
      return staged + batches.map { ($0.table.id, $0.batch.versions) }
    }
    let new = try Checkpoint(decoding: checkpoint)
    try perform { state in
      if let old = try state.checkpoint.map({ try Checkpoint(decoding: $0) }),
        new.position < old.position || new.nextVersion < old.nextVersion
      {
        state.violations.append("the checkpoint goes back from \(old.position) to \(new.position)")
      }
      for (id, rows) in all {
        guard var storage = state.storage[id] else { throw Missing(id) }
        for row in rows { Self.apply(row, to: &storage, &state.violations) }
        state.storage[id] = storage
      }
      state.checkpoint = checkpoint
    }
    await published(new, false)
  }

  private static func apply(
    _ row: SimulatedStorage.Version, to storage: inout SimulatedStorage,
    _ violations: inout [String]
  ) {
    guard !storage.definition.primaryKey.isEmpty else {
      storage.bag[row.row, default: 0] += row.isDeleted ? -1 : 1
      if storage.bag[row.row] == 0 { storage.bag[row.row] = nil }
      return
    }
    let key = storage.key(of: row.row)
    if let known = storage.changed[key], known.version >= row.version {
      violations.append(
        "\(storage.definition.name) \(key) goes from version \(known.version) to \(row.version)")
    }
    if row.version < Checkpoint.firstVersion {
      violations.append("a change has version \(row.version)")
    }
    storage.changed[key] = row
  }

  func createDatabase(_ name: String) async throws { try perform { _ in } }

  func dropDatabase(_ name: String) async throws { try perform { _ in } }

  /// There is no such table.
  struct Missing: Error {
    var id: UInt64
    var operation: String
    init(_ id: UInt64, _ operation: String = #function) {
      self.id = id
      self.operation = operation
    }
  }
}

extension RecordBatch {
  /// The cells of each row.
  var texts: [[String]] {
    (0..<rowCount).map { row in columns.map { $0.text(at: row) } }
  }

  /// The rows, of whose columns the last two are version and mark.
  var versions: [SimulatedStorage.Version] {
    texts.map { cells in
      SimulatedStorage.Version(
        version: UInt64(cells[cells.count - 2]) ?? 0, isDeleted: cells[cells.count - 1] == "1",
        row: Array(cells.dropLast(2)))
    }
  }
}
