import Binlog
import MySQLSchema
import MySQLSource
import TestSupport
import Testing

extension MariaDBServer {
  /// The end of the binlog.
  func position() async throws -> BinlogPosition {
    let status = try await rows("SHOW MASTER STATUS")
    return BinlogPosition(file: status[0][0], offset: UInt64(status[0][1]) ?? 0)
  }
}

@Suite(.enabled(if: MariaDBServer.isAvailable), .serialized, .timeLimit(.minutes(2)))
struct BinlogStreamTests {
  private static let table = TableName(database: "d", table: "t")

  private func startWithTable(_ options: [String] = []) async throws
    -> (server: MariaDBServer, schema: TableSchema)
  {
    let server = try await MariaDBServer.start(options: options)
    try await server.sql(
      "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY AUTO_INCREMENT, b LONGBLOB)")
    return (server, try await server.schema(of: Self.table))
  }

  @Test func goesOnOverLogFilesAndIdleTimes() async throws {
    let (server, schema) = try await startWithTable()
    let start = try await server.position()
    let options = BinlogStreamOptions(heartbeatMilliseconds: 200, silenceLimitSeconds: 2)
    let stream = try await BinlogStream.open(
      try sourceURL(server.url()), from: start, options: options)
    let writing = Task {
      for value in 1...5 {
        try await server.sql("INSERT INTO d.t (b) VALUES ('\(value)'); FLUSH BINARY LOGS")
      }
      // Longer than the limit of silence: heartbeats keep the stream alive.
      try await Task.sleep(for: .seconds(3))
      try await server.sql("INSERT INTO d.t (b) VALUES ('6')")
    }
    let rows = try await insertedRows(stream, from: start, schema) { $0.count >= 6 }
    try await writing.value
    #expect(rows == (1...6).map { ["\($0)", "[\(0x30 + $0)]"] })
    #expect(try await server.position().file == "mysql-bin.000006")
    stream.close()
    let closed = await #expect(throws: SourceError.self) { try await stream.next() }
    #expect(closed?.code == .closed)
    await server.stop()
  }

  @Test func eventsKeepTheirChecksums() async throws {
    for checksum in ["CRC32", "NONE"] {
      let (server, schema) = try await startWithTable(["--binlog-checksum=\(checksum)"])
      let start = try await server.position()
      try await server.sql("INSERT INTO d.t (b) VALUES ('a')")
      let stream = try await BinlogStream.open(try sourceURL(server.url()), from: start)
      var decoder = BinlogDecoder(file: start.file)
      var isDone = false
      while !isDone {
        for event in try await stream.next() {
          try decoder.decode(event.span.bytes, at: 0) { event, _ in
            if case .xid = event.body { isDone = true }
          }
        }
      }
      #expect(
        decoder.formatDescription?.checksum
          == (checksum == "NONE" ? ChecksumAlgorithm.none : .crc32))
      #expect(schema.columns.count == 2)
      stream.close()
      await server.stop()
    }
  }

  @Test func largeEventsAndBackPressure() async throws {
    let (server, schema) = try await startWithTable(["--innodb-log-file-size=64M"])
    let start = try await server.position()
    try await server.sql(
      "INSERT INTO d.t (b) VALUES (CONCAT('a', REPEAT('x', 40000000), 'z')), ('small')")
    for _ in 0..<8 {
      try await server.sql("INSERT INTO d.t (b) VALUES (REPEAT('y', 1000000))")
    }
    let options = BinlogStreamOptions(heartbeatMilliseconds: 100, maximumQueuedBytes: 3 << 20)
    let stream = try await BinlogStream.open(
      try sourceURL(server.url()), from: start, options: options)
    // The reader must stop at the bound, however long nobody takes events.
    try await Task.sleep(for: .seconds(1))
    #expect(stream.queuedByteCount < 3 << 20)
    let events = try await stream.next()
    #expect(!events.contains { $0.count > 3 << 20 })
    let large = try await stream.next()
    #expect(large.count == 1)
    #expect(large[0].count > 40_000_000)
    // What comes after must still be in order; the table map came before the large event.
    try await Task.sleep(for: .seconds(1))
    let queued = stream.queuedByteCount
    #expect(queued > 1 << 20 && queued <= 3 << 20)
    stream.close()

    let again = try await BinlogStream.open(
      try sourceURL(server.url()), from: start, options: options)
    let rows = try await insertedRows(again, from: start, schema) { $0.count >= 10 }
    #expect(rows[0][1] == "40000002 bytes, 97 … 122")
    #expect(rows.map { $0[0] } == (1...10).map(String.init))
    again.close()
    await server.stop()
  }

  @Test func purgedAndImpossiblePositions() async throws {
    let (server, _) = try await startWithTable()
    let start = try await server.position()
    try await server.sql(
      "INSERT INTO d.t (b) VALUES (1); FLUSH BINARY LOGS; FLUSH BINARY LOGS;")
    // A file stays until everything in it has reached the disk of the tables.
    repeat {
      try await server.sql("PURGE BINARY LOGS TO 'mysql-bin.000003'")
    } while try await server.rows("SHOW BINARY LOGS").count > 1
    for position in [
      start, BinlogPosition(file: "mysql-bin.000003", offset: 1_000_000),
      BinlogPosition(file: "other.000001", offset: 4),
    ] {
      let stream = try await BinlogStream.open(try sourceURL(server.url()), from: position)
      let error = await #expect(throws: SourceError.self) {
        while true { _ = try await stream.next() }
      }
      #expect(error?.code == .purged)
      #expect(error?.number == 1236)
      #expect(error?.message.contains(position.description) == true)
    }
    let tooFar = BinlogPosition(file: "mysql-bin.000003", offset: 1 << 33)
    let error = await #expect(throws: SourceError.self) {
      _ = try await BinlogStream.open(try sourceURL(server.url()), from: tooFar)
    }
    #expect(error?.code == .protocol)
    await server.stop()
  }

  @Test func lostConnectionAndMissingPrivilege() async throws {
    let (server, _) = try await startWithTable()
    try await server.sql(
      "CREATE USER blind@'%' IDENTIFIED BY 'b'; GRANT SELECT ON *.* TO blind@'%'")
    let start = try await server.position()
    let blind = await #expect(throws: SourceError.self) {
      let stream = try await BinlogStream.open(
        try sourceURL(server.url(user: "blind", password: "b")), from: start)
      while true { _ = try await stream.next() }
    }
    #expect(blind?.code == .permission)

    for isCrash in [true, false] {
      let stream = try await BinlogStream.open(try sourceURL(server.url()), from: start)
      if isCrash {
        await server.kill9()
        try await server.restart()
      } else {
        try await server.restart()
      }
      let lost = await #expect(throws: SourceError.self) {
        while true { _ = try await stream.next() }
      }
      #expect(lost?.code == .lostConnection, "\(String(describing: lost))")
    }
    await server.stop()
  }

  @Test func silenceCountsAsLostConnection() async throws {
    let (server, _) = try await startWithTable()
    let start = try await server.position()
    let options = BinlogStreamOptions(heartbeatMilliseconds: 60_000, silenceLimitSeconds: 1)
    let stream = try await BinlogStream.open(
      try sourceURL(server.url()), from: start, options: options)
    let lost = await #expect(throws: SourceError.self) {
      while true { _ = try await stream.next() }
    }
    #expect(lost?.code == .lostConnection)
    await server.stop()
  }

  @Test func closingAndCancellingWakeTheConsumer() async throws {
    let (server, _) = try await startWithTable()
    let start = try await server.position()
    let options = BinlogStreamOptions(heartbeatMilliseconds: 60_000)
    let stream = try await BinlogStream.open(
      try sourceURL(server.url()), from: start, options: options)
    let waiting = Task { while true { _ = try await stream.next() } }
    try await Task.sleep(for: .milliseconds(300))
    waiting.cancel()
    await #expect(throws: CancellationError.self) { try await waiting.value }

    let other = Task { while true { _ = try await stream.next() } }
    try await Task.sleep(for: .milliseconds(100))
    let clock = ContinuousClock()
    let time = await clock.measure {
      stream.close()
      _ = await other.result
    }
    #expect(time < .seconds(1))
    await #expect(throws: SourceError.self) { try await other.value }
    // The server's side of the stream ends too.
    try await Task.sleep(for: .milliseconds(500))
    #expect(
      try await server.rows("SHOW PROCESSLIST").filter { $0.contains("Binlog Dump") }.count <= 1)
    await server.stop()
  }
}
