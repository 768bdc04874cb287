import Backup
import Compression
import Foundation
import LocalDatabase
import MagicCore
import Replication

/// The files of a backup, with what they turn out to be.
actor BackupFiles {
  private let source: BackupSource
  /// What was read of each file.
  private var found: [Manifest.File] = []
  private var digest = Digest()
  private var byteCount: UInt64 = 0
  private var name = ""

  init(source: BackupSource) { self.source = source }

  /// The plan, with which a backup begins.
  func plan() async throws -> Manifest {
    guard try await source.next() == Manifest.planName else {
      throw Failure("it does not begin with \(Manifest.planName): it is no backup")
    }
    return try Manifest(decoding: try await source.readAll(), from: Manifest.planName)
  }

  /// The next part of a table's rows; nil at the manifest.
  func nextPart() async throws -> PartName? {
    guard let name = try await source.next() else {
      throw Failure("it has no \(Manifest.name): the backup did not end")
    }
    if name == Manifest.name { return nil }
    guard let part = PartName(name) else {
      throw Failure("it holds '\(name)', which no backup has")
    }
    self.name = name
    digest = Digest()
    byteCount = 0
    return part
  }

  /// The next bytes of the part; nil at its end.
  func read() async throws -> [UInt8]? {
    guard let bytes = try await source.read() else {
      found.append(Manifest.File(name: name, byteCount: byteCount, sha256: digest.finish()))
      return nil
    }
    digest.add(bytes)
    byteCount += UInt64(bytes.count)
    return bytes
  }

  /// The manifest, which tells the same as the plan and as what was read.
  func manifest(of plan: Manifest) async throws -> Manifest {
    let manifest = try Manifest(decoding: try await source.readAll())
    guard manifest.plan == plan else {
      throw Failure("\(Manifest.name) and \(Manifest.planName) are of different backups")
    }
    let files = manifest.tables.flatMap(\.files)
    let known = Dictionary(files.map { ($0.name, $0) }) { first, _ in first }
    for file in found where known[file.name] != file {
      throw Failure(
        "the file \(file.name) is damaged: its SHA-256 is not the one in \(Manifest.name)")
    }
    guard found.count == files.count, known.count == files.count else {
      throw Failure(
        "it has \(found.count) files with rows where \(Manifest.name) has \(files.count)")
    }
    return manifest
  }
}

/// Makes in an empty data folder what a backup holds.
struct RestoreRun {
  let plan: Manifest
  let files: BackupFiles
  let open: OpenFolder
  let folder: String
  let progress: BackupProgress

  init(plan: Manifest, files: BackupFiles, open: OpenFolder, folder: String) {
    self.plan = plan
    self.files = files
    self.open = open
    self.folder = folder
    progress = BackupProgress(estimated: plan.tables.map(\.declared.estimatedByteCount))
  }

  /// - Returns: the manifest, which everything agrees with.
  func run() async throws -> Manifest {
    let settings = try await declaringSettings()
    try await makeDatabases(settings)
    try await make(plan.functions.map { ($0.name, $0.statement) }, settings)
    let definitions = try definitions()
    for definition in definitions.values { try await open.tables.create(definition) }
    let tables = plan.tables.map(\.declared).filter {
      [.mutable, .plain, .dictionary].contains($0.kind)
    }
    try await make(tables.map { ($0.name.description, $0.statement) }, settings)
    let views = plan.tables.map(\.declared).filter { [.view, .materializedView].contains($0.kind) }
    var haveViews = false
    func makeViews() async throws {
      guard !haveViews else { return }
      haveViews = true
      try await open.tables.change(showing: Array(definitions.values), dropping: [])
      try await make(views.map { ($0.name.description, $0.statement) }, settings)
    }
    let rows = try await load(definitions) { try await makeViews() }
    try await makeViews()
    for table in tables {
      for constraint in table.constraints {
        try await run("ALTER TABLE \(table.name.quoted) ADD \(constraint)", settings)
      }
    }
    let manifest = try await files.manifest(of: plan)
    try check(rows, manifest)
    if let replication = plan.replication {
      try await open.tables.publish([], checkpoint: Array(replication.checkpoint.utf8))
      try await StateStore(folder: URL(filePath: folder)).save(replication.catalog)
    }
    return manifest
  }

  // MARK: Declarations

  /// What a table may need that was declared with settings of its user's.
  private func declaringSettings() async throws -> [String: String] {
    let names = try await open.statements.texts(
      """
      SELECT name FROM system.settings WHERE type = 'Bool' AND (startsWith(name, 'allow_suspicious_') \
      OR match(name, '^(allow|enable)_experimental_.*(type|types|index|engine|window_view)$'))
      """)
    return Dictionary(names.map { ($0[0], "1") }) { $1 }
  }

  private func run(_ statement: String, _ settings: [String: String] = [:]) async throws {
    var context = StatementContext()
    context.settings = settings
    let result = try await open.statements.run(statement, format: "Null", context: context)
    while try await result.next() != nil {}
  }

  private func makeDatabases(_ settings: [String: String]) async throws {
    let existing = try await open.statements.texts("SELECT name FROM system.databases").map {
      $0[0]
    }
    let missing = plan.databases.filter { !existing.contains($0.name) }
    try await make(missing.map { ($0.name, $0.statement) }, settings)
  }

  /// Makes things that may need each other.
  private func make(
    _ declared: [(name: String, statement: String)], _ settings: [String: String]
  ) async throws {
    var waiting = declared
    while !waiting.isEmpty {
      var failed: [(name: String, statement: String)] = []
      var failure: (name: String, error: any Error)?
      for thing in waiting {
        do {
          try await run(thing.statement, settings)
        } catch {
          failed.append(thing)
          failure = failure ?? (thing.name, error)
        }
      }
      if let failure, failed.count == waiting.count {
        throw Failure("\(failure.name) cannot be made: \(failure.error)")
      }
      waiting = failed
    }
  }

  /// The replicated tables whose rows are in the backup, by their places.
  private func definitions() throws -> [Int: TableDefinition] {
    let known = Dictionary(
      (plan.replication?.catalog.tables ?? []).map { ($0.id, $0.definition) }
    ) { first, _ in first }
    var definitions: [Int: TableDefinition] = [:]
    for (index, table) in plan.tables.enumerated() where table.declared.kind == .replicated {
      guard let id = table.declared.replicationID, let definition = known[id],
        definition.name == table.declared.name
      else { throw Failure("\(table.declared.name) is not in the backup's catalog") }
      definitions[index] = definition
    }
    return definitions
  }

  // MARK: Rows

  /// Stores the rows of all tables.
  ///
  /// - Returns: how many each has.
  private func load(
    _ definitions: [Int: TableDefinition], makeViews: () async throws -> Void
  ) async throws -> [Int: UInt64] {
    var rows: [Int: UInt64] = [:]
    var loads: [Int: TableLoad] = [:]
    do {
      while let part = try await files.nextPart() {
        guard plan.tables.indices.contains(part.table) else {
          throw Failure("\(part) is of no table")
        }
        let table = plan.tables[part.table].declared
        if table.kind == .materializedView { try await makeViews() }
        let load: TableLoad
        if let begun = loads[part.table] {
          load = begun
        } else {
          guard part.number == 0, rows[part.table] == nil else {
            throw Failure("\(part) is not where it belongs")
          }
          load = begin(table, definitions[part.table])
          loads[part.table] = load
        }
        try await pass(part, to: load)
        if part.isLast {
          loads[part.table] = nil
          var count: UInt64
          do {
            count = try await load.finish() ?? 0
          } catch let error as EngineError {
            throw Failure(
              "the rows of \(table.name) cannot be read, the backup may be damaged: \(error)")
          }
          if count == 0 { count = try await self.count(table, definitions[part.table]) }
          rows[part.table] = count
          progress.end(table: part.table, rows: count)
        }
      }
      if let (index, load) = loads.first {
        loads[index] = nil
        await load.abandon()
        throw Failure("the rows of \(plan.tables[index].declared.name) are not complete")
      }
      return rows
    } catch {
      for load in loads.values { await load.abandon() }
      throw error
    }
  }

  private func begin(
    _ table: DatabaseContents.Table, _ definition: TableDefinition?
  ) -> TableLoad {
    let statements = open.statements
    return TableLoad { input in
      if let definition {
        return try await statements.copy(input, columns: table.columns, into: definition)
      }
      var context = StatementContext()
      context.input = input
      // Rows stay as they were stored, values of columns that are computed included.
      context.settings = ["insert_allow_materialized_columns": "1", "optimize_on_insert": "0"]
      let columns = table.columns.list
      let query =
        table.kind == .plain
        ? "SELECT \(columns) FROM input(\(quotedString(table.columns.structure))) " : ""
      return try await statements.run(
        "INSERT INTO \(table.name.quoted) (\(columns)) \(query)FORMAT Native", format: "Null",
        context: context
      ).changedRows
    }
  }

  /// Decompresses a file into a table.
  private func pass(_ part: PartName, to load: TableLoad) async throws {
    let decompressor = try Decompressor(.zstd)
    do {
      while let bytes = try await files.read() {
        var start = 0
        while true {
          var rows: [UInt8] = []
          try bytes.withUnsafeBytes { input in
            let rest = UnsafeRawBufferPointer(rebasing: input[start...])
            let step = try decompressor.decompress(rest, upTo: 1 << 20)
            start += step.consumed
            rows = step.bytes
          }
          if rows.isEmpty { break }
          progress.add(bytes: rows.count, toTable: part.table)
          try await load.send(rows)
        }
      }
      try decompressor.finish()
    } catch let error as CompressionError {
      throw Failure("the file \(part) is damaged: \(error)")
    } catch let error as EngineError {
      throw Failure("the rows in \(part) of \(plan.tables[part.table].declared.name): \(error)")
    }
  }

  private func count(
    _ table: DatabaseContents.Table, _ definition: TableDefinition?
  ) async throws -> UInt64 {
    if let definition { try await open.tables.change(showing: [definition], dropping: []) }
    let rows = try await open.statements.texts("SELECT toString(count()) FROM \(table.name.quoted)")
    return rows.first.flatMap { UInt64($0[0]) } ?? 0
  }

  private func check(_ rows: [Int: UInt64], _ manifest: Manifest) throws {
    for (index, table) in manifest.tables.enumerated() where !table.declared.columns.isEmpty {
      guard let found = rows[index] else {
        throw Failure("the rows of \(table.declared.name) are missing")
      }
      if let count = table.rowCount, count != found {
        throw Failure("\(table.declared.name) has \(found) rows, and \(count) in the backup")
      }
    }
  }
}

/// Rows that are passed on to a statement which stores them, no faster than it does.
final actor TableLoad {
  private var chunk: [UInt8]?
  private var isEnded = false
  private var isAbandoned = false
  private var isDone = false
  private var waiting: [CheckedContinuation<Void, Never>] = []
  private var storing: Task<Int?, any Error>?
  private let store: @Sendable (StatementInput) async throws -> Int?

  init(store: @escaping @Sendable (StatementInput) async throws -> Int?) { self.store = store }

  /// Passes bytes on, once those before have been taken.
  ///
  /// - Throws: why the statement ended.
  func send(_ bytes: [UInt8]) async throws {
    begin()
    while chunk != nil, !isDone { await wait() }
    if isDone, let storing { _ = try await storing.value }
    chunk = bytes
    wakeUp()
  }

  /// Tells that all bytes were sent.
  ///
  /// - Returns: how many rows they were, when the engine tells.
  func finish() async throws -> UInt64? {
    begin()
    while chunk != nil, !isDone { await wait() }
    isEnded = true
    wakeUp()
    return try await storing?.value.map(UInt64.init)
  }

  /// Ends the statement, which stores nothing then.
  func abandon() async {
    isAbandoned = true
    wakeUp()
    _ = await storing?.result
  }

  private func begin() {
    guard storing == nil else { return }
    storing = Task { [store] in
      defer { end() }
      return try await store(StatementInput { try await self.next() })
    }
  }

  private func next() async throws -> [UInt8]? {
    while true {
      if isAbandoned { throw CancellationError() }
      if let chunk {
        self.chunk = nil
        wakeUp()
        return chunk
      }
      if isEnded { return nil }
      await wait()
    }
  }

  private func end() {
    isDone = true
    wakeUp()
  }

  private func wait() async { await withCheckedContinuation { waiting.append($0) } }

  private func wakeUp() {
    let woken = waiting
    waiting = []
    for continuation in woken { continuation.resume() }
  }
}

extension StatementService {
  /// All rows of a statement whose columns are texts without tabs and line breaks.
  fileprivate func texts(_ statement: String) async throws -> [[String]] {
    let result = try await run(statement, format: "TSVRaw")
    var bytes: [UInt8] = []
    while let chunk = try await result.next() { bytes += chunk }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map {
      $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
    }
  }
}
