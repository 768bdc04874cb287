import Foundation
import MagicCore
import Synchronization

/// Tables as they were at commit points, which are kept for processes to come.
///
/// A *kept table* is a copy, by links, of the settled rows of a table, with its young rows settled
/// into it: no later commit changes it. It is owned by nobody but itself (`k5_s1_130`), and a past
/// view shows it under the table's name at its commit point, so it is read like a snapshot. What it
/// is the comment of its storage says, so that no list has to agree with it; without that it is
/// dropped at the next start.
final class KeptTables: Sendable {
  /// What a kept table is.
  struct Description: Codable, Sendable {
    var name: TableReference
    /// The table's comment.
    var comment: String
    var point: CommitPoint
    /// What whoever had it kept wants to know.
    var note: String

    /// - Returns: nil for what is no description.
    init?(_ text: String) {
      guard let value = try? JSONDecoder().decode(Self.self, from: Data(text.utf8)) else {
        return nil
      }
      self = value
    }

    init(name: TableReference, comment: String, point: CommitPoint, note: String) {
      (self.name, self.comment, self.point, self.note) = (name, comment, point, note)
    }

    var text: String {
      get throws { String(decoding: try JSONEncoder().encode(self), as: UTF8.self) }
    }
  }

  private struct State {
    var kept: [StorageName: Description] = [:]
    var lastNumber: UInt64 = 0
  }

  private let state = Mutex(State())

  /// All that are kept.
  var all: [StorageName: Description] { state.withLock { $0.kept } }

  /// Whether a kept table is to stay.
  func contains(_ number: UInt64) -> Bool {
    state.withLock { $0.kept.keys.contains { $0.owner.number == number } }
  }

  func newOwner() -> StorageOwner {
    state.withLock { state in
      state.lastNumber += 1
      return StorageOwner(kind: .kept, number: state.lastNumber)
    }
  }

  func add(_ storage: StorageName, _ description: Description) {
    state.withLock { state in
      state.kept[storage] = description
      state.lastNumber = max(state.lastNumber, storage.owner.number)
    }
  }

  /// - Returns: what the kept table of that number is with another note; nil when it is not kept any more.
  func note(
    _ note: String, of number: UInt64
  ) -> (storage: StorageName, description: Description)? {
    state.withLock { state in
      guard var found = state.kept.first(where: { $0.key.owner.number == number }) else {
        return nil
      }
      found.value.note = note
      state.kept[found.key] = found.value
      return (found.key, found.value)
    }
  }

  /// - Returns: the storage of the kept table of that number; nil when it is not kept any more.
  func remove(_ number: UInt64) -> StorageName? {
    state.withLock { state in
      guard let name = state.kept.keys.first(where: { $0.owner.number == number }) else {
        return nil
      }
      state.kept[name] = nil
      return name
    }
  }
}

extension MutableTable {
  /// Makes a copy of the table as it is now, without copying files.
  ///
  /// - Throws: ``EngineError`` also when it has been dropped.
  fileprivate func copyState(
    to owner: StorageOwner, note: String, on connection: any EngineConnection
  ) async throws -> (storage: StorageName, description: KeptTables.Description) {
    try await settling.withLatch {
      let (frozen, description) = try await latch.withLatch {
        guard !isRemoved, let name else {
          throw EngineError(code: 60, message: "the table was dropped")
        }
        if openYoung.rows > 0 { try await freeze(on: connection) }
        try await waitForCommits()
        // Whatever is published by now of this table is in these, and nothing else is.
        return (
          current.youngs.filter { $0.rows > 0 },
          KeptTables.Description(
            name: name, comment: comment, point: storage.registry.published, note: note)
        )
      }
      let kept = StorageName(owner, .settled(generation: 1, from: description.point.commit))
      do {
        try await copySettled(to: kept, settling: frozen, on: connection)
        // Merging both would be for nothing, and they would share no files any more.
        try await connection.execute(
          "ALTER TABLE \(kept) MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 1, "
            + "max_bytes_to_merge_at_min_space_in_pool = 1")
        try await connection.execute(
          "ALTER TABLE \(kept) MODIFY COMMENT \(quotedString(try description.text))")
      } catch {
        await storage.discard(kept)
        throw error
      }
      return (kept, description)
    }
  }
}

extension StorageEngine {
  /// Lets a kept table be read.
  func show(
    _ kept: StorageName, _ description: KeptTables.Description,
    isolation: isolated (any Actor)? = #isolation, on connection: any EngineConnection
  ) async throws {
    let commit = description.point.commit
    let view = MutableView(
      shape: try await TableShape.read(kept, on: connection),
      branches: [Branch(settled: kept, from: commit, youngs: [])])
    try await past.add(
      description.name, of: kept.owner, comment: description.comment, for: commit..<commit + 1,
      forKept: kept.owner.number, holding: [kept], select: view.livingRows, registry: registry,
      on: connection)
  }
}

extension MutableTables {
  /// Keeps a table as it is now.
  func keep(_ table: MutableTable, note: String) async throws -> CommitPin {
    let owner = storage.kept.newOwner()
    // Once begun, it goes on to its end whatever becomes of the caller's task.
    return try await Task { [storage] in
      try await storage.withConnection { connection in
        let (kept, description) = try await table.copyState(to: owner, note: note, on: connection)
        storage.kept.add(kept, description)
        do {
          try await storage.show(kept, description, on: connection)
        } catch {
          _ = storage.kept.remove(owner.number)
          await storage.discard(kept)
          throw error
        }
        return Self.pin(kept, description)
      }
    }.value
  }

  /// The states that processes before have kept, and this one.
  var kept: [(pin: CommitPin, note: String)] {
    storage.kept.all.map { (Self.pin($0, $1), $1.note) }
  }

  /// Drops a kept table once nobody reads it.
  func forget(kept number: UInt64) async throws {
    guard let name = storage.kept.remove(number) else { return }
    // If the process ends before it is dropped, the next one does that.
    try await Task { [self] in try await describe(name, "") }.value
  }

  /// Replaces the note of a kept table.
  func note(_ note: String, ofKept number: UInt64) async throws {
    guard let (name, description) = storage.kept.note(note, of: number) else { return }
    try await describe(name, try description.text)
    // It may have been forgotten meanwhile.
    if !storage.kept.contains(number) { try await describe(name, "") }
  }

  private func describe(_ name: StorageName, _ text: String) async throws {
    try await storage.withConnection {
      _ = try await $0.execute("ALTER TABLE \(name) MODIFY COMMENT \(quotedString(text))")
    }
  }

  private static func pin(_ kept: StorageName, _ description: KeptTables.Description) -> CommitPin {
    CommitPin(
      description.point, tables: [description.name], isSnapshot: true, lasting: kept.owner.number
    ) {}
  }
}
