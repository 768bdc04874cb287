import MagicCore

/// Finds the mutable tables of an engine by the names of their storage and by the views that read
/// it, and removes what was never published or is not needed any more.
struct Recovery {
  let storage: StorageEngine
  let record: CommitRecord
  let isNewLog: Bool
  /// What the last commit with new tables had to show, which may not have happened.
  let intent: CommitIntent?
  let report: @Sendable (String) -> Void

  /// What was found.
  struct Recovered {
    var tables: [StorageOwner: MutableTable]
    /// The highest number of a user's table.
    var lastNumber: UInt64
    /// Whether there is a table of write tokens.
    var hasTokens: Bool
    /// Tables as they were, by their storage.
    var kept: [(storage: StorageName, description: KeptTables.Description)]
  }

  func run(on connection: any EngineConnection) async throws -> Recovered {
    let tables = try await connection.texts(
      "SELECT name FROM system.tables WHERE database = \(quotedString(StorageName.database))"
    ).map { $0[0] }
    let names = tables.compactMap { StorageName($0) }
    try checkFolder(tables, names)
    let stored = try await TableView.readAll(on: connection)
    let views = intended(stored)
    var found: [StorageOwner: MutableTable] = [:]
    let live = names.filter { $0.owner.kind != .kept }
    for (owner, names) in Dictionary(grouping: live, by: \.owner) {
      let view = views[owner]
      let table = try await recover(owner, names, view, on: connection)
      if let table { found[owner] = table }
      let kept = Set(await table?.storageNames ?? [])
      for name in names where !kept.contains(name) {
        try await connection.execute("DROP TABLE IF EXISTS \(name) SYNC")
      }
    }
    try await dropForgotten(stored, except: views, on: connection)
    let last = names.filter { $0.owner.kind == .user }.map(\.owner.number).max() ?? 0
    let hasTokens = tables.contains { "\(StorageName.database).\($0)" == WriteTokens.table }
    if hasTokens { try await WriteTokens.recover(commit: record.commit, on: connection) }
    return Recovered(
      tables: found, lastNumber: last, hasTokens: hasTokens,
      kept: try await recoverKept(names.filter { $0.owner.kind == .kept }, on: connection))
  }

  /// Drops what was not made to its end, or is to be forgotten, or is of a later state than the one that
  /// survived.
  private func recoverKept(
    _ names: [StorageName], on connection: any EngineConnection
  ) async throws -> [(storage: StorageName, description: KeptTables.Description)] {
    var found: [(storage: StorageName, description: KeptTables.Description)] = []
    for name in names {
      let comment = try await connection.texts(
        "SELECT comment FROM system.tables WHERE \(name.isNamed(by: "name"))")
      if let description = comment.first.flatMap({ KeptTables.Description($0[0]) }),
        description.point.commit <= record.commit
      {
        found.append((name, description))
      } else {
        try await connection.execute("DROP TABLE IF EXISTS \(name) SYNC")
      }
    }
    return found
  }

  /// The views as they are once the tables of a published commit are shown.
  private func intended(_ stored: [StorageOwner: [TableView]]) -> [StorageOwner: TableView] {
    var views = stored.compactMapValues(\.first)
    guard let intent = publishedIntent else { return views }
    for owner in intent.dropped ?? [] { views = views.filter { "\($0.key)" != owner } }
    for table in intent.tables {
      guard let owner = StorageOwner(table.owner) else { continue }
      views = views.filter { $0.value.name != table.name }
      views[owner] = TableView(
        name: table.name, comment: table.comment, references: stored[owner]?.first?.references)
    }
    return views
  }

  /// What was published and may not have been carried out.
  private var publishedIntent: CommitIntent? {
    guard let intent, intent.commit <= record.commit else { return nil }
    return intent
  }

  /// Drops the views of replicated tables under names that they do not have any more: a change of
  /// names was interrupted.
  private func dropForgotten(
    _ stored: [StorageOwner: [TableView]], except views: [StorageOwner: TableView],
    on connection: any EngineConnection
  ) async throws {
    guard publishedIntent != nil else { return }
    let names = Set(views.values.map(\.name))
    for (owner, stored) in stored where owner.kind == .replicated {
      for view in stored where !names.contains(view.name) {
        try await connection.execute("DROP VIEW IF EXISTS \(view.name.quoted) SYNC")
      }
    }
  }

  private func checkFolder(_ tables: [String], _ names: [StorageName]) throws {
    let isFirstForm = tables.contains { $0.hasPrefix("t") && UInt64($0.dropFirst()) != nil }
    if isFirstForm {
      throw EngineError(
        message: "this data folder was written by version 0.1, whose form of storage is no longer "
          + "read: copy the tables anew into an empty data folder")
    }
    if isNewLog, !names.isEmpty {
      throw EngineError(
        message: "the data folder has tables, but its commit log (the file `commits`) is missing: "
          + "restore it from a backup")
    }
  }

  /// - Returns: nil when nothing of the table is to be kept.
  private func recover(
    _ owner: StorageOwner, _ names: [StorageName], _ view: TableView?,
    on connection: any EngineConnection
  ) async throws -> MutableTable? {
    if publishedIntent?.dropped?.contains("\(owner)") == true { return nil }
    // A table of a user that no view shows was being created or dropped.
    if view == nil, owner.kind == .user {
      if names.contains(where: { !$0.isStage }) {
        report("storage \(owner) belongs to no table any more and is dropped")
      }
      return nil
    }
    var newest: MutableTable.Generation?
    for name in names {
      guard case .settled(let number, let from) = name.role, from <= record.commit,
        view?.references?.contains(name.table) ?? true, number > newest?.number ?? 0
      else { continue }
      newest = MutableTable.Generation(settled: name, number: number, from: from, youngs: [])
    }
    guard var generation = newest else {
      if view == nil { return nil }
      throw EngineError(
        message: "the storage of \(view?.name.description ?? "\(owner)") is missing: restore the "
          + "data folder from a backup")
    }
    var lastYoung: UInt64 = 0
    let lastGeneration = names.map(Self.generation).max() ?? 0
    for name in names.sorted(by: { $0.table < $1.table }) {
      guard case .young(let number, let young) = name.role else { continue }
      lastYoung = max(lastYoung, young)
      // The view names it before rows of it are published, and forgets it once they are settled.
      guard number >= generation.number, view?.references?.contains(name.table) ?? true else {
        continue
      }
      let recovered = try await recoverYoung(name, on: connection)
      if recovered.rows > 0 { generation.youngs.append(recovered) }
    }
    generation.youngs.sort { Self.number($0.name) < Self.number($1.name) }
    let table = MutableTable(
      owner: owner, storage: storage, name: view?.name, comment: view?.comment ?? "",
      shape: try await TableShape.read(generation.settled, on: connection),
      generation: generation, lastYoung: lastYoung, lastGeneration: lastGeneration,
      lastCommit: record.commit,
      markFloor: try await markFloor(generation.settled, on: connection))
    if generation.youngs.isEmpty { try await table.freeze(on: connection) }
    try await table.refreshView(on: connection)
    return table
  }

  private static func number(_ name: StorageName) -> UInt64 {
    if case .young(_, let number) = name.role { return number }
    return 0
  }

  private static func generation(_ name: StorageName) -> UInt64 {
    switch name.role {
    case .settled(let generation, _), .young(let generation, _): generation
    case .stage: 0
    }
  }

  /// Removes the rows that were never published.
  private func recoverYoung(
    _ name: StorageName, on connection: any EngineConnection
  ) async throws -> MutableTable.Young {
    let later = "\(HiddenColumn.commit) > \(record.commit)"
    let counts = try await connection.texts(
      "SELECT toString(countIf(\(later))), toString(countIf(NOT \(later))) FROM \(name)")
    if counts.first?.first != "0" {
      try await connection.execute("DELETE FROM \(name) WHERE \(later)")
    }
    let rows = counts.first.flatMap { Int($0[1]) } ?? 0
    var young = MutableTable.Young(name: name, rows: rows)
    if rows > 0 {
      young.inserts = 1
      young.firstCommit = 1
      young.lastCommit = record.commit
      young.firstWrite = .now
      young.lastWrite = .now
    }
    return young
  }

  private func markFloor(
    _ settled: StorageName, on connection: any EngineConnection
  ) async throws -> UInt64 {
    let comment = try await connection.texts(
      "SELECT comment FROM system.tables WHERE \(settled.isNamed(by: "name"))")
    return comment.first?.first.flatMap(UInt64.init) ?? 0
  }
}
