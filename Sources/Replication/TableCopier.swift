import Arrow
import MagicCore
import MySQLSchema
import RowEncoding

/// Copies existing rows with several connections at once, beside the stream.
public struct TableCopier: Sendable {
  private let replicator: Replicator
  private let source: any ReplicationSource
  private let sink: any ChangeSink
  private let configuration: Replicator.Configuration
  private let limit: RateLimit?
  /// Told an error that may pass, after which the worker begins anew.
  private let report: @Sendable (any Error) -> Void

  public init(
    replicator: Replicator, source: any ReplicationSource,
    report: @escaping @Sendable (any Error) -> Void
  ) async {
    self.replicator = replicator
    self.source = source
    self.report = report
    sink = replicator.sink
    configuration = await replicator.configuration
    limit = configuration.copyBytesPerSecond.map { RateLimit(bytesPerSecond: $0) }
  }

  /// Copies what is to be copied, now and later, until the replicator stops.
  ///
  /// - Throws: What cannot be mended by trying again.
  public func run() async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<max(1, configuration.copyWorkers) { group.addTask { try await work() } }
      for try await _ in group {}
    }
  }

  private func work() async throws {
    var reader: (any RangeReader)?
    while let task = await replicator.nextCopyTask() {
      do {
        let open: any RangeReader
        if let reader { open = reader } else { open = try await source.reader() }
        reader = open
        try await perform(task, open)
      } catch {
        await reader?.close()
        reader = nil
        if try await recover(from: error, task) == .later { try await Task.sleep(for: .seconds(1)) }
      }
    }
    await reader?.close()
  }

  enum Continuation { case now, later }

  /// Makes good for a piece that failed.
  ///
  /// - Returns: when to go on.
  /// - Throws: What cannot be mended by trying again.
  func recover(from error: any Error, _ task: CopyTask) async throws -> Continuation {
    if error is CancellationError { throw error }
    if source.isTransient(error) {
      report(error)
      try await replicator.released(task)
      return .later
    }
    switch task {
    case .range(let table, _, _), .plan(let table), .divide(let table, _):
      try await giveUp(table, error)
    case .snapshot: throw error
    }
    // A declaration that goes on changing must not keep the source busy.
    return error is SchemaChanged ? .later : .now
  }

  /// A table cannot be copied as it was begun.
  private func giveUp(_ table: ReplicatedTable, _ error: any Error) async throws {
    // Otherwise the source has dropped or changed it meanwhile.
    guard await replicator.isBeingCopied(table.id) else { return }
    switch error {
    case is SchemaChanged: try await replicator.restart(table.id)
    case is EncodingError, is TableUnavailable:
      try await replicator.stopCopying(table.id, "\(error)")
    default: throw error
    }
  }

  func perform(_ task: CopyTask, _ reader: any RangeReader) async throws {
    switch task {
    case .plan(let table):
      let ranges = try await source.ranges(
        of: table.schema, estimatedRows: table.copy?.estimatedRows ?? 0,
        rowsPerRange: rowsPerRange(table))
      try await replicator.planned(table, ranges)
    case .divide(let table, let range):
      let boundary = try await source.nextBoundary(
        of: table.schema, after: range.after, rowCount: rowsPerRange(table))
      await replicator.divided(table, range, at: boundary)
    case .range(let table, let range, let version):
      let rows = try await reader.rows(
        of: table.schema, in: range, version: version, options: configuration.encodingOptions)
      let copied = try await copy(rows, into: table)
      try await replicator.finished(table, range, version: version, copied)
    case .snapshot(let snapshot, let tables):
      for table in tables where await replicator.isBeingCopied(table.id) {
        do {
          let rows = try await snapshot.rows(
            of: table.schema, version: 1, options: configuration.encodingOptions, isOrdered: false)
          let copied = try await copy(rows, into: table)
          try await replicator.finished(table, nil, version: 1, copied)
        } catch let error where !(error is CancellationError) && !source.isTransient(error) {
          try await giveUp(table, error)
          // The connection is amid the rows: the others need another one.
          for other in tables { try await replicator.restart(other.id) }
        }
      }
      await snapshot.close()
    }
  }

  /// Very large tables have larger pieces, so that their list stays short.
  private func rowsPerRange(_ table: ReplicatedTable) -> Int {
    max(configuration.rowsPerRange, Int(clamping: (table.copy?.estimatedRows ?? 0) / 2000))
  }

  private func copy(_ rows: any SnapshotRows, into table: ReplicatedTable) async throws
    -> Replicator.Copied
  {
    let definition = table.definition
    var copied = Replicator.Copied()
    // One batch is fetched while the one before it is stored.
    var storing: Task<Void, any Error>?
    do {
      while let batch = try await rows.next() {
        try await storing?.value
        try await limit?.take(batch.byteCount)
        copied.add(batch)
        storing = Task { [sink, replicator] in
          try await sink.copy(batch.rows, into: definition)
          await replicator.noteCopied(rows: UInt64(batch.rows.rowCount), of: table)
        }
      }
      try await storing?.value
    } catch {
      _ = try? await storing?.value
      throw error
    }
    copied.through = rows.readThrough
    return copied
  }
}

/// Lets a number of bytes a second pass.
actor RateLimit {
  private let bytesPerSecond: Int
  private let clock = ContinuousClock()
  /// When what has passed so far is paid for.
  private var free: ContinuousClock.Instant

  init(bytesPerSecond: Int) {
    self.bytesPerSecond = max(1, bytesPerSecond)
    free = clock.now
  }

  /// Waits until the bytes may pass.
  func take(_ byteCount: Int) async throws {
    let now = clock.now
    free = max(free, now) + .seconds(Double(byteCount) / Double(bytesPerSecond))
    if free > now { try await Task.sleep(until: free) }
  }
}
