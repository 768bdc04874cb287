import MagicCore
import Synchronization

/// What names meant before tables were altered, renamed or dropped, for those who read snapshots.
///
/// A *past view* has the text of a table's view at a moment, so it reads every commit point that was
/// published by then just as the table's own view did. It has the table's name, in a database of its
/// own. Statements at a snapshot read it instead of whatever has the name now; see
/// ``PastReading``. It lasts while someone reads one of its commit points.
final class PastTables: Sendable {
  /// A past view.
  struct View: Sendable {
    /// The number of its database.
    var number: UInt64
    /// The name that it stands for.
    var name: TableReference
    /// Whose table it was; nil for a view of a user over such tables.
    var owner: StorageOwner?
    /// The comment of the table.
    var comment: String
    /// The text of a user's view when it was made; nil for a table.
    var definition: String?
    /// The tables that it reads, by the names that they had.
    var tables: Set<TableReference>
    /// The commit points that it is for.
    var range: Range<UInt64>
    /// The number of the kept table for whose snapshot alone it is; nil when it is for all.
    var lasting: UInt64?
    /// What it reads, which is not dropped before it.
    var storage: Set<StorageName>
    /// The statements that entered before may not know of it.
    var mark: UInt64 = 0
    /// Of a table, the revision that began with it; of a view of a user, the one whose past views its
    /// text was made with.
    var revision: UInt64 = 0

    /// Where the engine has it.
    var place: TableReference {
      TableReference(database: "\(PastTables.databasePrefix)\(number)", table: name.table)
    }
  }

  private struct State {
    var views: [View] = []
    /// Those that are still to be dropped.
    var unread: [View] = []
    var lastNumber: UInt64 = 0
    var revision: UInt64 = 0
  }

  /// What the names of all databases of past views begin with.
  static let databasePrefix = "\(StorageName.database)_past_"

  private let state = Mutex(State())

  /// Changes whenever a view is added.
  var revision: UInt64 { state.withLock { $0.revision } }

  /// What names mean to readers of a commit point that now mean something else, and the revision that
  /// knows it.
  ///
  /// - Parameter lasting: the number of the kept table whose snapshot is read; nil for others.
  func views(
    at commit: UInt64, lasting: UInt64? = nil
  ) -> (views: [TableReference: View], revision: UInt64) {
    state.withLock { state in
      let valid = state.views.filter {
        $0.range.contains(commit) && ($0.lasting == nil || $0.lasting == lasting)
      }
      let newest = valid.filter { $0.owner != nil }.map(\.revision).max() ?? 0
      var views: [TableReference: View] = [:]
      // A user's view may read a table by its own name that has changed since its text was made.
      for view in valid where view.owner != nil || view.revision >= newest {
        // Of several, the one that was made first still had the name then. Of a user's view the newest
        // has its present definition.
        if let other = views[view.name], view.definition == nil || other.definition == nil,
          other.range.upperBound <= view.range.upperBound
        {
          continue
        }
        views[view.name] = view
      }
      return (views, state.revision)
    }
  }

  /// Whether a past view of a table is for a commit point.
  func covers(_ owner: StorageOwner, _ commit: UInt64) -> Bool {
    state.withLock { state in
      state.views.contains { $0.owner == owner && $0.range.contains(commit) }
    }
  }

  /// The statements that entered before may not know of all past views of a table; 0 without any.
  func mark(of owner: StorageOwner) -> UInt64 {
    state.withLock { state in
      state.views.filter { $0.owner == owner }.map(\.mark).max() ?? 0
    }
  }

  /// Whether a past view reads a storage table.
  func holds(_ name: StorageName) -> Bool {
    state.withLock { $0.views.contains { $0.storage.contains(name) } }
  }

  /// Makes a past view.
  ///
  /// - Parameters:
  ///   - owner: whose table it was; nil for a view of a user.
  ///   - definition: the text of the user's view.
  ///   - tables: what it reads by its text, of a view of a user.
  ///   - kept: the number of the kept table for whose snapshot alone it is.
  ///   - storage: what it reads in the end.
  ///   - select: its text.
  ///   - revision: of a view of a user, the one of the past views that its text has.
  @discardableResult func add(
    _ name: TableReference, of owner: StorageOwner?, comment: String = "",
    definition: String? = nil, reaching tables: Set<TableReference>? = nil,
    for range: Range<UInt64>, forKept kept: UInt64? = nil, holding storage: Set<StorageName>,
    select: String,
    madeAt revision: UInt64? = nil, registry: ReaderRegistry,
    on connection: any EngineConnection
  ) async throws -> View {
    let number = state.withLock { state in
      state.lastNumber += 1
      return state.lastNumber
    }
    var view = View(
      number: number, name: name, owner: owner, comment: comment, definition: definition,
      tables: tables ?? [name], range: range, lasting: kept, storage: storage)
    let database = quotedIdentifier(view.place.database)
    try await connection.execute("CREATE DATABASE \(database) ENGINE = Atomic")
    do {
      try await connection.execute("CREATE VIEW \(view.place.quoted) AS \(select)")
    } catch {
      _ = try? await connection.execute("DROP DATABASE \(database) SYNC")
      throw error
    }
    return state.withLock { state in
      // Whoever enters from now on waits for this lock, and sees the view.
      view.mark = registry.mark
      state.revision += 1
      view.revision = revision ?? state.revision
      // What was kept had the name at that very moment, whatever was made while it was copied.
      state.views.insert(view, at: owner?.kind == .kept ? 0 : state.views.endIndex)
      return view
    }
  }

  /// Drops the views that nobody can read any more.
  func dropUnread(_ storage: StorageEngine) async throws {
    // Forgotten at the moment at which nobody reads them: who pins their commit point again, which can
    // still be the published one, reads what has the name, or has another made.
    let unread = state.withLock { state in
      state.views.removeAll { view in
        let isRead =
          view.lasting.map(storage.kept.contains) ?? false
          || storage.registry.snapshotCommits(of: view.owner).contains(where: view.range.contains)
        if !isRead { state.unread.append(view) }
        return !isRead
      }
      return state.unread
    }
    guard !unread.isEmpty else { return }
    try await storage.withConnection { connection in
      for view in unread {
        try await connection.execute(
          "DROP DATABASE IF EXISTS \(quotedIdentifier(view.place.database)) SYNC")
        state.withLock { $0.unread.removeAll { $0.number == view.number } }
        // Nothing else has it.
        if view.owner?.kind == .kept { storage.retire(Array(view.storage)) }
      }
    }
  }

  /// Drops what a process left behind that ended without doing so.
  static func dropAll(on connection: any EngineConnection) async throws {
    let databases = try await connection.texts(
      "SELECT name FROM system.databases WHERE startsWith(name, \(quotedString(databasePrefix)))")
    for row in databases {
      try await connection.execute("DROP DATABASE IF EXISTS \(quotedIdentifier(row[0])) SYNC")
    }
  }
}

extension MutableTable {
  /// Lets snapshots go on reading the table as it is now, under its present name, whatever becomes
  /// of it. The caller holds the latch.
  ///
  /// - Returns: a mark: the statements that entered before may still read it otherwise.
  func preserve(on connection: any EngineConnection) async throws -> UInt64 {
    guard let name else { return 0 }
    // Before it had its name, it was preserved under an earlier one.
    let commits = storage.registry.snapshotCommits(of: owner).filter { $0 >= nameStart }
    if commits.contains(where: { !storage.past.covers(owner, $0) }) {
      try await storage.past.add(
        name, of: owner, comment: comment,
        for: nameStart..<storage.registry.published.commit + 1,
        holding: Set(storageNames), select: view.livingRows, registry: storage.registry,
        on: connection)
    }
    return storage.past.mark(of: owner)
  }

  /// Lets snapshots go on reading generations that are not to be read by the table's own view any
  /// more, so that this stays as short as it would be without them. The caller holds the latch.
  func preserveOldGenerations(on connection: any EngineConnection) async throws {
    guard let name else { return }
    for (generation, range) in pinnedGenerations {
      let range = range.clamped(to: nameStart..<UInt64.max)
      let commits = storage.registry.snapshotCommits(of: owner)
      if commits.contains(where: { range.contains($0) && !storage.past.covers(owner, $0) }) {
        let branch = MutableView(shape: shape, branches: [branch(of: generation)])
        try await storage.past.add(
          name, of: owner, comment: comment, for: range, holding: Set(generation.storageNames),
          select: branch.livingRows, registry: storage.registry, on: connection)
      }
      pastMarks[generation.number] = storage.past.mark(of: owner)
    }
  }
}
