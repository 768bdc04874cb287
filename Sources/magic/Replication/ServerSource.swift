import Binlog
import MySQLSchema
import MySQLSource
import Replication
import RowEncoding

/// A MySQL-family server as replication sees one, or several of one topology, of which one is followed.
///
/// Questions with small answers share a connection that is made when it is needed.
actor ServerSource: ReplicationSource {
  private let url: SourceURL
  private let limits: BatchLimits
  /// Which of the URL's hosts is followed.
  private var hostIndex = 0
  private var connection: SourceConnection?

  /// - Parameter limits: how many of a table's rows are read before they are handed over.
  init(url: SourceURL, limits: BatchLimits = BatchLimits()) {
    self.url = url
    self.limits = limits
  }

  nonisolated var canFailOver: Bool { url.hosts.count > 1 }

  nonisolated func isTransient(_ error: any Error) -> Bool {
    (error as? SourceError)?.isTransient ?? false
  }

  private var current: SourceURL { url.at(url.hosts[hostIndex]) }

  /// The host and port of the server that is followed.
  var address: String { url.hosts[hostIndex].description }

  /// Chooses the first server that can be reached, beginning with the one that is followed.
  ///
  /// - Throws: `SourceError` when none can be reached, of the first one.
  func chooseHost() async throws {
    var failure: SourceError?
    for offset in url.hosts.indices {
      let index = (hostIndex + offset) % url.hosts.count
      do throws(SourceError) {
        let reached = try await SourceConnection.connect(to: url.at(url.hosts[index]))
        await connection?.close()
        connection = reached
        hostIndex = index
        return
      } catch {
        guard error.isTransient else { throw error }
        failure = failure ?? error
      }
    }
    if let failure { throw failure }
  }

  /// Goes on with the next host, when the one that is followed lacks what the copy needs.
  func skipHost() async {
    hostIndex = (hostIndex + 1) % url.hosts.count
    await connection?.close()
    connection = nil
  }

  /// - Returns: what may be better at the server.
  /// - Throws: `SourceError` when the server cannot be reached, or is not set up for replication.
  func check() async throws -> [SourceWarning] {
    try await chooseHost()
    return try await ask { try await $0.checkSettings() }
  }

  func identity() async throws -> String {
    try await ask { connection in
      let server = try await connection.server()
      return server.uuid ?? "\(server.hostname) (server_id \(server.serverID))"
    }
  }

  func foldsNames() async throws -> Bool {
    try await ask { try await $0.facts() }.lowerCaseTableNames == 1
  }

  func tellsWholeRows() async throws -> Bool {
    let facts = try await ask { try await $0.facts() }
    return (facts.rowImage ?? "FULL").uppercased() == "FULL"
      && (facts.rowValueOptions ?? "").isEmpty
  }

  func currentPosition() async throws -> BinlogPosition {
    try await ask { try await $0.position().binlog }
  }

  func binlogBytes(from start: BinlogPosition, to end: BinlogPosition) async throws -> UInt64? {
    do {
      return try await ask { try await $0.binlogBytes(from: start, to: end) }
    } catch let error as SourceError where error.code == .purged || error.code == .permission {
      return nil
    }
  }

  func snapshot(of filter: TableFilter) async throws -> any SourceSnapshot {
    let before = try await ask { try await $0.listTables(filter) }
    let schemas = before.map { ($0.name, try? $0.schema.get()) }
    return ServerSnapshot(
      snapshot: try await Snapshot.begin(at: current),
      schemasBefore: Dictionary(schemas) { $1 }, limits: limits)
  }

  func reader() async throws -> any RangeReader {
    ServerReader(reader: try await TableReader.connect(to: current), limits: limits)
  }

  func ranges(of schema: TableSchema, estimatedRows: UInt64, rowsPerRange: Int) async throws
    -> [SourceKeyRange]?
  {
    try await tableErrors {
      try await ask {
        try await $0.ranges(of: schema, estimatedRows: estimatedRows, rowsPerRange: rowsPerRange)
      }
    }
  }

  func nextBoundary(of schema: TableSchema, after key: [String]?, rowCount: Int) async throws
    -> [String]?
  {
    try await tableErrors {
      try await ask { try await $0.nextBoundary(of: schema, after: key, rowCount: rowCount) }
    }
  }

  func stream(from start: StreamStart) async throws -> any BinlogEventSource {
    let place: BinlogStart =
      switch start {
      case .position(let position): .position(position)
      case .gtids(.mariadb(let position)): .mariadbGTID(position.description)
      case .gtids(.mysql(let set)): .mysqlGTIDs(set)
      }
    return ServerStream(stream: try await BinlogStream.open(current, from: place))
  }

  func close() async {
    await connection?.close()
    connection = nil
  }

  private func ask<Answer: Sendable>(
    _ question: (SourceConnection) async throws -> Answer
  ) async throws -> Answer {
    let used: SourceConnection
    if let connection {
      used = connection
    } else {
      used = try await SourceConnection.connect(to: current)
      connection = used
    }
    do {
      return try await question(used)
    } catch let error as SourceError where error.isTransient {
      await used.close()
      if connection === used { connection = nil }
      throw error
    }
  }
}

/// A consistent snapshot of a server.
private struct ServerSnapshot: SourceSnapshot {
  let snapshot: Snapshot
  /// What the tables were before the snapshot was taken. The server tells only what they are now: what is
  /// the same before and after it is the declaration that they have in it.
  let schemasBefore: [TableName: TableSchema?]
  let limits: BatchLimits

  var position: BinlogPosition { snapshot.position.binlog }
  var gtid: String? { snapshot.position.gtid }

  func tables(_ filter: TableFilter) async throws -> [SnapshotTable] {
    try await snapshot.listTables(filter).map { table in
      switch table.schema {
      case .success(let schema) where schemasBefore[table.name] != schema:
        .changing(table.name)
      case .success(let schema):
        .table(
          schema,
          SourceStatistics(
            rows: table.estimatedRows, bytes: table.dataBytes,
            hasCascades: table.isChangedByCascades))
      case .failure(let error): .refused(table.name, reason: "\(error)")
      }
    }
  }

  func rows(of schema: TableSchema, version: UInt64, options: EncodingOptions, isOrdered: Bool)
    async throws -> any SnapshotRows
  {
    try await tableErrors {
      ServerRows(
        rows: try await snapshot.rows(
          of: schema, version: version, orderBy: isOrdered ? schema.byteOrder : nil,
          limits: limits, options: options))
    }
  }

  func close() async { await snapshot.close() }
}

/// A connection that reads ranges of tables.
private struct ServerReader: RangeReader {
  let reader: TableReader
  let limits: BatchLimits

  func rows(
    of schema: TableSchema, in range: SourceKeyRange, version: UInt64, options: EncodingOptions
  ) async throws -> any SnapshotRows {
    try await tableErrors {
      ServerRows(
        rows: try await reader.rows(
          of: schema, in: range, version: version, limits: limits, options: options))
    }
  }

  func close() async { await reader.close() }
}

/// The rows of a table of a server.
private struct ServerRows: SnapshotRows {
  let rows: TableRows

  var readThrough: BinlogPosition? { rows.readPosition?.through.binlog }

  func next() async throws -> SnapshotBatch? {
    try await tableErrors {
      let before = rows.byteCount
      return try await rows.next().map {
        SnapshotBatch(
          rows: $0.rows, counters: $0.counters, byteCount: Int(rows.byteCount - before))
      }
    }
  }
}

/// No such database, no such column, no such table, a table that was changed after the snapshot.
private let changedTableErrors: Set = [1049, 1054, 1146, 1412]

/// Tells errors that concern one table from those that concern the whole source.
private func tableErrors<Result>(
  isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Result
) async throws -> Result {
  do {
    return try await body()
  } catch let error as SourceError
    where error.code == .schemaChanged || changedTableErrors.contains(error.number ?? 0)
  {
    throw SchemaChanged()
  } catch let error as SourceError where [.schema, .permission, .sql].contains(error.code) {
    throw TableUnavailable("\(error)")
  }
}

/// The binlog of a server.
private struct ServerStream: BinlogEventSource {
  let stream: BinlogStream

  func next(within limit: Duration?) async throws -> EventBatch? {
    do {
      guard let limit else { return EventBatch(events: try await stream.next()) }
      return EventBatch(events: try await next(within: limit))
    } catch let error as SourceError where error.code == .closed {
      return nil
    }
  }

  /// Waits no longer than `limit`. Cancelling the wait loses no events: they stay in the queue, or
  /// they are the wait's result.
  private func next(within limit: Duration) async throws -> [[UInt8]] {
    try await withThrowingTaskGroup(of: [[UInt8]]?.self) { group in
      group.addTask { try await stream.next() }
      group.addTask {
        try? await Task.sleep(for: limit)
        return nil
      }
      defer { group.cancelAll() }
      while let result = await group.nextResult() {
        switch result {
        case .success(let events?): return events
        case .success(nil): group.cancelAll()
        case .failure(is CancellationError) where !Task.isCancelled: return []
        case .failure(let error): throw error
        }
      }
      return []
    }
  }

  func close() async { stream.close() }
}

extension TableSchema {
  /// An ORDER BY list, in the source's SQL, that orders rows by their key as the copy does: numbers
  /// and dates by value, everything else by the bytes of its text.
  fileprivate var byteOrder: String {
    primaryKey.map { index in
      let name = "`" + columns[index].name.replacing("`", with: "``") + "`"
      switch columns[index].type {
      case .string, .enumeration, .set, .json, .uuid:
        return "CAST(CONVERT(\(name) USING utf8mb4) AS BINARY)"
      case .integer, .float, .double, .decimal, .bit, .date, .datetime, .timestamp, .time, .year,
        .binary, .bytes, .geometry, .inet4, .inet6, .vector:
        return name
      }
    }.joined(separator: ", ")
  }
}
