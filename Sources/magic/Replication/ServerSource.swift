import Binlog
import MySQLSchema
import MySQLSource
import Replication
import RowEncoding

/// A MySQL-family server as replication sees one.
///
/// Questions with small answers share a connection that is made when it is needed.
actor ServerSource: ReplicationSource {
  private let url: SourceURL
  private var connection: SourceConnection?

  init(url: SourceURL) { self.url = url }

  /// - Throws: `SourceError` when the server cannot be reached, or is not set up for replication.
  func check() async throws {
    try await ask { try await $0.checkSettings() }
  }

  func identity() async throws -> String {
    try await ask { connection in
      let server = try await connection.server()
      return server.uuid ?? "\(server.hostname) (server_id \(server.serverID))"
    }
  }

  func currentPosition() async throws -> BinlogPosition {
    try await ask { try await $0.position().binlog }
  }

  func snapshot() async throws -> any SourceSnapshot {
    ServerSnapshot(snapshot: try await Snapshot.begin(at: url))
  }

  func stream(from position: BinlogPosition) async throws -> any BinlogEventSource {
    ServerStream(stream: try await BinlogStream.open(url, from: position))
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
      used = try await SourceConnection.connect(to: url)
      connection = used
    }
    do {
      return try await question(used)
    } catch let error as SourceError where error.isTransient {
      await used.close()
      connection = nil
      throw error
    }
  }
}

/// A consistent snapshot of a server.
private struct ServerSnapshot: SourceSnapshot {
  let snapshot: Snapshot

  var position: BinlogPosition { snapshot.position.binlog }
  var gtid: String? { snapshot.position.gtid }

  func tables(_ filter: TableFilter) async throws -> [SnapshotTable] {
    try await snapshot.listTables(filter).map { table in
      switch table.schema {
      case .success(let schema): .table(schema, estimatedRows: table.estimatedRows)
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
          options: options))
    }
  }

  func close() async { await snapshot.close() }
}

/// The rows of a table of a server.
private struct ServerRows: SnapshotRows {
  let rows: TableRows

  func next() async throws -> SnapshotBatch? {
    try await tableErrors {
      try await rows.next().map { SnapshotBatch(rows: $0.rows, counters: $0.counters) }
    }
  }
}

/// Tells errors that concern one table from those that concern the whole source.
private func tableErrors<Result>(_ body: () async throws -> Result) async throws -> Result {
  do {
    return try await body()
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
