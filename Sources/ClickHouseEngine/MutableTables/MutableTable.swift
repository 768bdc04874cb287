import Foundation
import MagicCore

/// A mutable table: its storage, and every change of it.
///
/// Rows are in *young* tables, which have all versions, until they are *settled* into a plain
/// MergeTree table that has every key once. The view under the table's name reads the settled rows
/// whose keys are in no young table, and the newest young rows; see `docs/mutable-tables.md`.
///
/// Whoever changes the table holds ``latch``; whoever moves rows from young to settled tables holds
/// ``settling``, which is taken first when both are needed.
actor MutableTable {
  struct Young {
    var name: StorageName
    var rows = 0
    /// Each one made a part.
    var inserts = 0
    var firstCommit: UInt64 = 0
    var lastCommit: UInt64 = 0
    var firstWrite: ContinuousClock.Instant?
    var lastWrite: ContinuousClock.Instant?
  }

  struct Generation {
    var settled: StorageName
    var number: UInt64
    /// The first commit point that reads it.
    var from: UInt64
    /// The last one takes new rows; those before it are frozen.
    var youngs: [Young]

    /// The names of all its storage tables.
    var storageNames: [StorageName] { [settled] + youngs.map(\.name) }
  }

  /// A writer waits while this many rows, or inserts, are young.
  static let youngRowLimit = 3_000_000
  static let youngInsertLimit = 600
  /// How long it waits.
  private static let roomPatience = Duration.seconds(60)

  /// When copied rows get statistics of their columns; nil when they have them.
  var statisticsAreDue: ContinuousClock.Instant?

  nonisolated let owner: StorageOwner
  nonisolated let latch = WriteLatch()
  nonisolated let settling = WriteLatch()
  nonisolated let storage: StorageEngine

  /// The name under which it is read; nil while nobody sees it.
  private(set) var name: TableReference? {
    didSet {
      if name != oldValue {
        nameStart = storage.registry.published.commit + 1
        // Whoever has read what the name meant before is to see that it means something else.
        lastCommit = max(lastCommit, storage.registry.published.commit)
      }
    }
  }
  /// Whether its young rows are settled in the background: those of a replicated table only while it is
  /// read, since rows are copied into the settled table before.
  var isSettled: Bool { owner.kind == .user || name != nil }
  /// The first commit point at which it has that name.
  private(set) var nameStart: UInt64 = 0
  /// Who entered before was there before the table had a name.
  private(set) var firstReaders: UInt64 = 0
  private(set) var comment: String
  private(set) var shape: TableShape
  /// Oldest first. All but the last are kept for readers of earlier commit points.
  private(set) var generations: [Generation]
  /// The last commit that changed the table, as far as is known.
  private(set) var lastCommit: UInt64 { didSet { lastChange = Date() } }
  /// When that was; nil when it was before the process began.
  private(set) var lastChange: Date?
  /// The highest version of a delete mark that is gone: whether a row with an older version still
  /// exists can no longer be told.
  var markFloor: UInt64
  /// What the view reads, so that it is only replaced when that changes.
  private var shown: MutableView?
  private var lastYoung: UInt64
  /// The highest number of a generation that a storage table was named by.
  private var lastGeneration: UInt64
  /// Whether the table was dropped.
  private(set) var isRemoved = false
  /// Whether it is about to be dropped, so that settling is to end soon.
  private(set) var isLeaving = false
  /// Why settling failed the last time.
  private var settlingFailure: String?
  /// How many rows are settled at once, which has to fit into memory: more are settled in slices.
  var sliceRowCount = 400_000
  /// The inserts into the open young table when its parts were counted.
  private var countedInserts = 0
  /// What identifies the next copied row of a table without key; nil until it is asked for.
  var nextCopiedRow: UInt64?
  var lastSettling: (end: ContinuousClock.Instant, duration: Duration)?
  /// Since when readers of earlier commit points hold up settling.
  var waitingSince: ContinuousClock.Instant?
  /// For the generations that snapshots read by past views: the statements that entered before may
  /// still read them by the table's own view.
  var pastMarks: [UInt64: UInt64] = [:]

  init(
    owner: StorageOwner, storage: StorageEngine, name: TableReference?, comment: String,
    shape: TableShape, generation: Generation, lastYoung: UInt64,
    lastGeneration: UInt64, lastCommit: UInt64, markFloor: UInt64
  ) {
    self.lastYoung = lastYoung
    self.lastGeneration = lastGeneration
    self.owner = owner
    self.storage = storage
    self.name = name
    self.comment = comment
    self.shape = shape
    generations = [generation]
    self.lastCommit = lastCommit
    self.markFloor = markFloor
  }

  /// The generation that new rows belong to.
  var current: Generation {
    get { generations[generations.count - 1] }
    set { generations[generations.count - 1] = newValue }
  }

  /// The young table that takes new rows.
  var openYoung: Young {
    get { current.youngs[current.youngs.count - 1] }
    set { current.youngs[current.youngs.count - 1] = newValue }
  }

  var youngRows: Int { current.youngs.reduce(0) { $0 + $1.rows } }
  var youngInserts: Int { current.youngs.reduce(0) { $0 + $1.inserts } }

  // MARK: The view

  /// The SQL that reads the table in its present state.
  var view: MutableView {
    MutableView(
      shape: shape, branches: generations.map(branch))
  }

  /// How a generation is read.
  func branch(of generation: Generation) -> Branch {
    Branch(
      settled: generation.settled, from: generation.from,
      youngs: generation.youngs.filter { $0.lastCommit > 0 }.map(\.name))
  }

  /// Makes the view read what ``view`` says. The caller holds the latch.
  func refreshView(on connection: any EngineConnection) async throws {
    guard let name else { return }
    let view = view
    guard view != shown else { return }
    // When this fails it is not known what the view reads.
    shown = nil
    try await connection.execute("CREATE OR REPLACE \(viewDeclaration(name, view))")
    shown = view
  }

  /// Lets the table be seen under a name that nothing else has.
  ///
  /// - Throws: ``EngineError`` when something has it.
  func show(as name: TableReference, on connection: any EngineConnection) async throws {
    let view = view
    try await connection.execute("CREATE \(viewDeclaration(name, view))")
    firstReaders = storage.registry.mark
    self.name = name
    shown = view
  }

  private func viewDeclaration(_ name: TableReference, _ view: MutableView) -> String {
    "VIEW \(name.quoted) AS \(view.livingRows)"
      + (comment.isEmpty ? "" : " COMMENT \(quotedString(comment))")
  }

  /// Sets the name under which the table is read, without touching any view.
  ///
  /// - Parameter commit: the first commit point at which it has the name; nil for the next one.
  func setName(_ name: TableReference?, from commit: UInt64? = nil) {
    if self.name == nil, name != nil { firstReaders = storage.registry.mark }
    self.name = name
    if let commit {
      nameStart = commit
      lastCommit = max(lastCommit, commit)
    }
    shown = nil
  }

  func setComment(_ comment: String) {
    self.comment = comment
    shown = nil
  }

  // MARK: Writing

  /// Waits until there is room for more young rows.
  ///
  /// - Throws: ``EngineError`` when there is none for long. Replication waits as long as it takes.
  func waitForRoom() async throws {
    let deadline = ContinuousClock.now + Self.roomPatience
    while isSettled
      ? youngRows >= Self.youngRowLimit || youngInserts >= Self.youngInsertLimit
      : try await hasTooManyParts()
    {
      guard owner.kind == .replicated || ContinuousClock.now < deadline else {
        let reason = settlingFailure ?? "statements that began before them still run"
        throw EngineError(
          message: "\(name?.description ?? "\(owner)") takes no more rows before older ones are "
            + "settled, which does not happen: \(reason)")
      }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  /// Whether merges have to catch up with the inserts into a table whose young rows are not settled.
  private func hasTooManyParts() async throws -> Bool {
    guard openYoung.inserts >= countedInserts + Self.youngInsertLimit / 2 else { return false }
    let young = openYoung
    let parts = try await storage.withConnection {
      try await $0.count("system.parts WHERE active AND \(young.name.isNamed(by: "table"))")
    }
    if parts >= Self.youngInsertLimit { return true }
    countedInserts = young.inserts
    return false
  }

  /// Rows of a commit whose place among all commits is fixed, still to be written.
  struct Append: Sendable {
    fileprivate var commit: UInt64
    fileprivate(set) var young: StorageName
    fileprivate var version: String
  }

  /// Fixes the place of a commit. The caller holds the latch and lets ``finish(_:of:on:)`` follow,
  /// with or without the latch: rows of several commits are written side by side.
  func begin(_ rows: StagedRows, on connection: any EngineConnection) async throws -> Append {
    let commit = try await storage.beginCommit()
    do {
      return try await append(rows, commit: commit, on: connection)
    } catch {
      await storage.takeBack(commit, from: [], because: error)
      throw error
    }
  }

  /// Fixes the place of rows among those of a commit that has begun. The caller holds the latch and
  /// lets ``write(_:of:on:)`` follow.
  func append(
    _ rows: StagedRows, commit: UInt64, on connection: any EngineConnection
  ) async throws -> Append {
    let version: String
    switch rows.versions {
    case .given: version = HiddenColumn.version
    case .allotted:
      version = "\(await storage.sequencer.versions(rows.count)) + \(rows.position)"
    }
    try await noteYoungRows(rows.count, commit: commit, on: connection)
    return Append(commit: commit, young: openYoung.name, version: version)
  }

  /// Writes the rows of a commit and publishes it; takes them back when that fails. Once begun, it
  /// goes on to its end whatever becomes of the statement's task.
  nonisolated func finish(
    _ append: Append, of rows: StagedRows, on connection: any EngineConnection
  ) async throws {
    try await Task {
      do {
        try await write(append, of: rows, on: connection)
        try storage.checkFence(of: append.commit)
      } catch {
        await storage.takeBack(append.commit, from: ["\(append.young)"], because: error)
        throw error
      }
      try await storage.publish(append.commit)
    }.value
  }

  /// Writes the rows of a commit into the young table.
  nonisolated func write(
    _ append: Append, of rows: StagedRows, on connection: any EngineConnection
  ) async throws {
    let shape = await shape
    // Few rows make one part; many would not fit into memory at once.
    let block =
      rows.isBulk
      ? ""
      : ", min_insert_block_size_rows = 1000000000, min_insert_block_size_bytes = 0, "
        + "max_insert_block_size = 1000000000"
    try await connection.execute(
      """
      INSERT INTO \(append.young) (\(MutableView.hidden), \(shape.storedColumnList)) \
      SELECT \(append.version) AS _magic_version, \(HiddenColumn.deleteMark), \
      \(append.commit), \(shape.storedValues(version: "_magic_version")) \
      FROM \(rows.source) SETTINGS max_threads = 1, max_insert_threads = 1\(block)
      """)
  }

  /// Publishes what a statement has set aside. The caller holds the latch, and both for many rows.
  func publish(_ rows: StagedRows, on connection: any EngineConnection) async throws {
    if rows.count == 0 { return }
    if rows.isBulk { return try await publishGeneration(adding: rows, on: connection) }
    try await finish(try await begin(rows, on: connection), of: rows, on: connection)
  }

  /// The last commit of the table that can be seen: one that was given up is not.
  var visibleCommit: UInt64 { min(lastCommit, storage.registry.published.commit) }

  /// Waits until all commits of the table that have begun are published. The caller holds the
  /// latch, so no others begin.
  func waitForCommits() async throws { try await storage.sequencer.waitForEnd(of: lastCommit) }

  /// Takes note of rows about to be written into the open young table, and makes the view read
  /// them: it must when they are published. The caller holds the latch.
  func noteYoungRows(
    _ count: Int, commit: UInt64, on connection: any EngineConnection
  ) async throws {
    let now = ContinuousClock.now
    openYoung.rows += count
    openYoung.inserts += 1
    if openYoung.firstCommit == 0 { openYoung.firstCommit = commit }
    openYoung.lastCommit = commit
    openYoung.firstWrite = openYoung.firstWrite ?? now
    openYoung.lastWrite = now
    lastCommit = commit
    try await refreshView(on: connection)
  }

  // MARK: Generations

  /// Publishes many rows as a new generation; without rows it is empty. The caller holds both
  /// latches.
  func publishGeneration(
    adding rows: StagedRows?, on connection: any EngineConnection
  ) async throws {
    let settled: StorageName
    if let rows {
      settled = try await makeSettled(adding: [rows], on: connection)
    } else {
      settled = storage.stageName(of: owner)
    }
    do {
      if rows == nil {
        try await waitForCommits()
        // An empty table has no row that an older version could bring back.
        try await connection.execute("CREATE TABLE \(settled) AS \(current.settled)")
        try await connection.execute("ALTER TABLE \(settled) MODIFY COMMENT ''")
      }
      // The last step is short: commits of other tables wait for it.
      try await Task { try await publishGeneration(settled, on: connection) }.value
      if rows == nil { markFloor = 0 }
    } catch {
      await storage.discard(settled)
      throw error
    }
  }

  /// Writes rows into the table while nobody sees it: they replace earlier ones of their keys.
  func fill(with rows: StagedRows) async throws {
    if rows.count == 0 { return }
    let versions = await storage.sequencer.versions(rows.count)
    try await storage.withConnection {
      try await settle([], into: current.settled, adding: rows, versions, on: $0)
    }
  }

  /// Makes what a new generation settles: a copy with what is young, and with rows of stages, of
  /// which later ones replace earlier ones. The caller holds both latches.
  func makeSettled(
    adding rows: [StagedRows], on connection: any EngineConnection
  ) async throws -> StorageName {
    try await waitForCommits()
    let settled = storage.stageName(of: owner)
    do {
      let versions = await storage.sequencer.versions(rows.first?.count ?? 0)
      try await copySettled(
        to: settled, settling: current.youngs.filter { $0.rows > 0 }, adding: rows.first,
        firstVersion: versions, on: connection)
      for rows in rows.dropFirst() {
        let versions = await storage.sequencer.versions(rows.count)
        try await settle([], into: settled, adding: rows, versions, on: connection)
      }
      return settled
    } catch {
      await storage.discard(settled)
      throw error
    }
  }

  private func publishGeneration(
    _ stage: StorageName, on connection: any EngineConnection
  ) async throws {
    let commit = try await storage.beginCommit()
    do {
      try await addGeneration(of: stage, from: commit, on: connection)
      do {
        try storage.checkFence(of: commit)
      } catch {
        await removeGeneration(from: commit, on: connection)
        throw error
      }
    } catch {
      await storage.abandon(commit)
      throw error
    }
    try await storage.publish(commit)
  }

  /// Lets a commit that has begun be read from a new generation. The caller holds both latches.
  func addGeneration(
    of stage: StorageName, from commit: UInt64, on connection: any EngineConnection
  ) async throws {
    do {
      generations.append(try await makeGeneration(of: stage, from: commit, on: connection))
      try await refreshView(on: connection)
    } catch {
      await removeGeneration(from: commit, on: connection)
      throw error
    }
    lastCommit = commit
  }

  /// Gives up the generation of a commit that will not be published.
  func removeGeneration(from commit: UInt64, on connection: any EngineConnection) async {
    guard current.from == commit, generations.count > 1 else { return }
    let failed = generations.removeLast()
    _ = try? await refreshView(on: connection)
    storage.retire(failed.storageNames)
  }

  /// Lets the next generation, which has the rows of the frozen young tables, be read from their
  /// last commit on. The caller holds both latches.
  func add(
    generationOf stage: StorageName, without frozen: [Young], on connection: any EngineConnection
  ) async throws {
    guard case .young(let number, _) = openYoung.name.role else { return }
    // The last of them may have been abandoned, and is not published then.
    let from = min(frozen.map(\.lastCommit).max() ?? lastCommit, storage.registry.published.commit)
    let settled = StorageName(owner, .settled(generation: number, from: from))
    try await connection.execute("RENAME TABLE \(stage) TO \(settled)")
    let open = current.youngs.filter { young in !frozen.contains { $0.name == young.name } }
    current.youngs = frozen
    generations.append(
      Generation(settled: settled, number: number, from: from, youngs: open))
    try await refreshView(on: connection)
  }

  /// Copies the settled rows, without copying files, and adds those of young tables and of a stage.
  func copySettled(
    to settled: StorageName, settling youngs: [Young], adding rows: StagedRows? = nil,
    firstVersion: UInt64 = 0, on connection: any EngineConnection
  ) async throws {
    try await connection.execute("CREATE TABLE \(settled) CLONE AS \(current.settled)")
    try await settle(
      youngs.map(\.name), into: settled, adding: rows, firstVersion, on: connection)
  }

  /// Makes a stage the settled table of the next generation.
  func makeGeneration(
    of stage: StorageName, shape: TableShape? = nil, from commit: UInt64,
    on connection: any EngineConnection
  ) async throws -> Generation {
    // Not merely the next one: a young table may have been made for that.
    lastGeneration += 1
    let number = lastGeneration
    let settled = StorageName(owner, .settled(generation: number, from: commit))
    let young = try await makeYoung(
      generation: number, shape: shape ?? self.shape, on: connection)
    try await connection.execute("RENAME TABLE \(stage) TO \(settled)")
    return Generation(settled: settled, number: number, from: commit, youngs: [young])
  }

  /// Makes an empty young table, which a generation and those after it may read.
  private func makeYoung(
    generation: UInt64, shape: TableShape, on connection: any EngineConnection
  ) async throws -> Young {
    lastYoung += 1
    let name = StorageName(owner, .young(generation: generation, number: lastYoung))
    try await connection.execute(Self.youngStatement(name, shape))
    return Young(name: name)
  }

  /// Opens a new young table, so that those before get no more rows. The caller holds the latch.
  ///
  /// - Parameter isForNext: whether the next generation reads it too.
  func freeze(isForNext: Bool = false, on connection: any EngineConnection) async throws {
    if isForNext { lastGeneration += 1 }
    let number = isForNext ? lastGeneration : current.number
    current.youngs.append(try await makeYoung(generation: number, shape: shape, on: connection))
  }

  /// Changes what the view reads; nothing changes when it cannot be replaced. The caller holds the
  /// latch.
  private func changeView(
    on connection: any EngineConnection, _ change: () -> Void
  ) async throws {
    let before = (generations, shape)
    change()
    do {
      try await refreshView(on: connection)
    } catch {
      (generations, shape) = before
      throw error
    }
  }

  /// Gives up a frozen young table whose rows are settled. The caller holds the latch.
  func removeYoung(_ name: StorageName, on connection: any EngineConnection) async throws {
    try await changeView(on: connection) { current.youngs.removeAll { $0.name == name } }
    storage.retire([name])
  }

  /// Gives up generations that nobody reads by the table's own view any more. The caller holds the
  /// latch.
  func removeOldGenerations(on connection: any EngineConnection) async throws {
    try await preserveOldGenerations(on: connection)
    let old = unreadGenerations
    guard !old.isEmpty else { return }
    let numbers = Set(old.map(\.number))
    try await changeView(on: connection) {
      generations.removeAll { numbers.contains($0.number) }
    }
    for number in numbers { pastMarks[number] = nil }
    storage.retire(old.flatMap(\.storageNames))
  }

  /// The generations that nobody reads by the table's own view any more: their commit points have
  /// passed, and snapshots read them otherwise.
  var unreadGenerations: [Generation] {
    let pinned = pinnedGenerations.map(\.generation.number)
    return oldGenerations.compactMap { generation, range in
      let isRead = storage.registry.hasStatements(
        from: range.lowerBound, below: range.upperBound,
        before: pastMarks[generation.number] ?? .max)
      return isRead || pinned.contains(generation.number) ? nil : generation
    }
  }

  /// The generations that snapshots read by the table's own view.
  var pinnedGenerations: [(generation: Generation, range: Range<UInt64>)] {
    // Most tables have but one, and this is asked often.
    guard generations.count > 1 else { return [] }
    let commits = storage.registry.snapshotCommits(of: owner)
    return oldGenerations.filter { generation, range in
      pastMarks[generation.number] == nil && commits.contains(where: range.contains)
    }
  }

  /// All generations but the current one, with the commit points that read them.
  private var oldGenerations: [(generation: Generation, range: Range<UInt64>)] {
    zip(generations, generations.dropFirst()).enumerated().map { index, pair in
      (pair.0, min(index == 0 ? 0 : pair.0.from, pair.1.from)..<pair.1.from)
    }
  }

  /// Replaces everything by one generation of another shape. The caller holds both latches, and
  /// nobody reads an earlier state.
  func replace(
    with generation: Generation, shape: TableShape, on connection: any EngineConnection
  ) async throws {
    let before = storageNames
    do {
      try await changeView(on: connection) { (generations, self.shape) = ([generation], shape) }
    } catch {
      storage.retire(generation.storageNames)
      throw error
    }
    storage.retire(before)
  }

  /// Puts off the next try to settle after one that failed.
  func note(settlingFailure: any Error) {
    lastSettling = (.now, .seconds(1))
    self.settlingFailure = "\(settlingFailure)"
  }

  /// Has settling end where it can be taken up again, or go on.
  func setLeaving(_ isLeaving: Bool) { self.isLeaving = isLeaving }

  /// Takes note that the table was dropped.
  func setRemoved() {
    isRemoved = true
    setName(nil)
  }

  /// The names of all its storage tables.
  var storageNames: [StorageName] { generations.flatMap(\.storageNames) }
}
