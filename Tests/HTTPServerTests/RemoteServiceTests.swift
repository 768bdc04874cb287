import Arrow
import Foundation
import HTTPServer
import MagicAPI
import MagicClient
import MagicCore
import Testing

/// The Magic API through the client and the server.
@Suite struct RemoteServiceTests {
  private static func batch(_ first: Int64, _ count: Int) throws -> RecordBatch {
    let ids = PrimitiveBuilder<Int64>(type: .int64)
    let names = BinaryBuilder(type: .utf8)
    for id in first..<first + Int64(count) {
      ids.append(id)
      if id % 3 == 0 { names.appendNull() } else { names.append(Array("n\(id)".utf8).span.bytes) }
    }
    return try RecordBatch(
      schema: fakeSchema, columns: [ids.finish(), names.finish()], rowCount: count)
  }

  private static func ids(_ batches: [RecordBatch]) -> [Int64] {
    batches.flatMap { $0.columns[0].withValues(of: Int64.self) { Array($0) } }
  }

  private static func collect(_ result: QueryResult) async throws -> [RecordBatch] {
    var batches: [RecordBatch] = []
    while let batch = try await result.reader.next() { batches.append(batch) }
    return batches
  }

  @Test func statementsAreRunWithAllThatARequestHas() async throws {
    let service = FakeService(.rows([try Self.batch(0, 3), try Self.batch(3, 100_000)]))
    try await withServer(service) { client, _ in
      var request = StatementRequest("SELECT {a:String}, ? -- ü")
      request.database = "shop"
      request.parameters = ["a": "x\ty"]
      request.positionalParameters = try Self.batch(7, 1)
      request.settings = ["max_threads": "1"]
      request.id = "q"
      request.transaction = "t"
      request.snapshot = "s"
      request.session = SessionRequest(name: "n", timeout: .seconds(2), mustExist: true)
      request.writeToken = "w"
      request.timeout = .milliseconds(2500)
      let result = try await client.query(request)
      #expect(result.changedRows == 7)
      #expect(result.reader.schema == fakeSchema)
      let batches = try await Self.collect(result)
      #expect(batches.map(\.rowCount) == [3, 100_000])
      #expect(Self.ids(batches) == Array(0..<100_003))
      #expect(batches[1].columns[1].nullCount == 33_334)

      _ = try await client.run(request, format: "CSV", input: nil)
      let rows = Array("1,2\n".utf8)
      _ = try await client.execute(request, parameterRows: Rows(fakeSchema, [Self.batch(1, 2)]))
      let input = StatementInput.of([rows, rows])
      request.sql = "INSERT INTO t FORMAT CSV"
      let inserted = try await client.run(request, format: "CSV", input: input)
      #expect(inserted.changedRows == 3)
      #expect(service.seen.inputs == [nil, rows + rows])
      #expect(Self.ids(service.seen.batches) == [1, 2])
      #expect(service.seen.requests.count == 4)
      for seen in service.seen.requests {
        #expect(seen.database == "shop")
        #expect(seen.parameters == ["a": "x\ty"])
        #expect(seen.positionalParameters.map { Self.ids([$0]) } == [7])
        #expect(seen.settings == ["max_threads": "1"])
        #expect(seen.id == "q" && seen.transaction == "t" && seen.snapshot == "s")
        #expect(seen.session == request.session)
        #expect(seen.writeToken == "w")
        #expect(seen.timeout == .milliseconds(2500))
      }
      #expect(
        service.received == [
          "SELECT {a:String}, ? -- ü", "SELECT {a:String}, ? -- ü", "SELECT {a:String}, ? -- ü",
          "INSERT INTO t FORMAT CSV\n",
        ])
    }
  }

  @Test func tablesAreReadAndWritten() async throws {
    let service = FakeService(.rows([try Self.batch(0, 3)]))
    try await withServer(service) { client, _ in
      var scan = TableScan(TableReference(database: "shop", table: "or ders"))
      scan.columns = ["id"]
      scan.filter = "id > 1"
      scan.range = KeyRange(key: ["id"], lower: ["1"], upper: nil, rowCount: 3)
      scan.snapshot = "s"
      scan.limit = 10
      #expect(Self.ids(try await Self.collect(try await client.scan(scan))) == [0, 1, 2])
      #expect(service.seen.scans == [scan])

      var write = TableWrite(scan.table)
      write.action = .upsert
      write.whenMissing = .create(primaryKey: ["a,b", "c"])
      write.whenExisting = .replace
      write.token = "w"
      write.transaction = "t"
      write.id = "q"
      let batches = try (0..<20).map { try Self.batch(Int64($0 * 50_000), 50_000) }
      let count = try await client.write(write, rows: Rows(fakeSchema, batches))
      #expect(count == 1_000_000)
      #expect(Self.ids(service.seen.batches) == Array(0..<1_000_000))
      let seen = try #require(service.seen.writes.first)
      #expect(seen.table == scan.table && seen.action == .upsert)
      #expect(seen.whenMissing == .create(primaryKey: ["a,b", "c"]))
      #expect(seen.whenExisting == .replace)
      #expect(seen.token == "w" && seen.transaction == "t" && seen.id == "q")

      let splits = try await client.split(scan.table, into: 2, snapshot: nil)
      #expect(splits.snapshot == Snapshot(id: "s1", commit: 9, expires: 1.5))
      #expect(splits.ranges.map(\.rowCount) == [4, 5])
      #expect(splits.ranges[0].upper == ["10"] && splits.ranges[0].lower == nil)
    }
  }

  @Test func stateIsAskedForAndChanged() async throws {
    let service = FakeService(.chunks([]))
    try await withServer(service) { client, _ in
      let description = try await client.describe(StatementRequest("SELECT 1"))
      #expect(description.columns == fakeSchema)
      #expect(description.parameterCount == 2 && description.isRead)
      var selection = TableSelection()
      selection.database = "sh%"
      selection.includesColumns = true
      let tables = try await client.tables(matching: selection)
      #expect(tables.map(\.name.description) == ["shop.orders"])
      #expect(tables.first?.columns == fakeSchema)
      #expect(tables.first?.columnTypes == ["Int64", "Nullable(String)"])
      #expect(tables.first?.primaryKey == ["id"])
      #expect(try await client.databases() == ["default", "shop"])
      #expect(try await client.beginTransaction(partOf: nil) == "t1")
      #expect(try await client.beginTransaction(partOf: "t1") == "t1.1")
      var request = CommitRequest("t1")
      request.parts = ["t1.1", "t1.2"]
      request.token = "once"
      request.unchangedSince = 7
      try await client.renew(transaction: "t1")
      try await client.commit(request)
      try await client.rollback(transaction: "t2")
      #expect(
        try await client.openSnapshot(SnapshotRequest())
          == Snapshot(id: "s2", commit: 8, expires: 2.5))
      try await client.release(snapshot: "s2")
      #expect(try await client.cancel(statement: "q1"))
      #expect(try await client.cancel(statement: "q2") == false)
      let error = await #expect(throws: APIError.self) { try await client.renew(snapshot: "s9") }
      #expect(error == APIError(.notFound, "There is no snapshot s9"))
      #expect(
        service.seen.calls == [
          "tables sh% - true", "renew t1", "commit t1 [t1.1,t1.2] once 7",
          "rollback t2", "release s2",
        ])
    }
  }

  @Test func errorsKeepTheirKind() async throws {
    let cause = APIError(.exhausted, "Code: 241. DB::Exception: too much", engineCode: 241)
    let service = FakeService(.failEarly(cause))
    try await withServer(service) { client, _ in
      let request = StatementRequest("SELECT 1")
      #expect(
        await #expect(throws: APIError.self) { try await client.query(request) } == cause)
      #expect(
        await #expect(throws: APIError.self) {
          try await client.run(request, format: "TSV", input: nil)
        } == cause)
      // One that refuses before it reads the rows.
      let batches = try (0..<50).map { try Self.batch(Int64($0 * 50_000), 50_000) }
      #expect(
        await #expect(throws: APIError.self) {
          try await client.write(
            TableWrite(TableReference(database: "a", table: "b")),
            rows: Rows(fakeSchema, batches))
        } == cause)
    }
  }

  @Test func errorAmidAResultIsTold() async throws {
    let cause = EngineError(code: 241, message: "Code: 241. DB::Exception: too much")
    try await withServer(FakeService(.failAfter([1], cause))) { client, _ in
      // The error of the reader is nobody else's: the schema comes before it.
      let result = try await client.query(StatementRequest("SELECT 1"))
      let error = await #expect(throws: APIError.self) { try await Self.collect(result) }
      #expect(error == APIError(cause))
      let text = try await client.run(StatementRequest("SELECT 1"), format: "TSV", input: nil)
      await #expect(throws: APIError(cause)) { while try await text.next() != nil {} }
    }
  }

  @Test func rowsThatCannotBeReadLeaveAWriteUnfinished() async throws {
    struct Broken: Error {}
    let service = FakeService(.chunks([]))
    try await withServer(service) { client, _ in
      await #expect(throws: APIError.self) {
        try await client.write(
          TableWrite(TableReference(database: "a", table: "b")),
          rows: Rows(fakeSchema, [Self.batch(0, 10)], then: Broken()))
      }
      #expect(await eventually { service.seen.inputErrors.count == 1 })
    }
  }

  @Test(arguments: [
    ("query", "{", "400", "not the JSON object"),
    ("query", "{\"sql\":1}", "400", "'sql' must be of type String"),
    ("query", "{\"sql\":\"x\",\"snapshoot\":\"s\"}", "400", "'snapshoot' is unknown"),
    ("query", "{}", "400", "'sql' is missing"),
    ("query", "{\"sql\":\"x\",\"arguments\":\"AAAA\"}", "400", "'arguments'"),
    ("query", "{\"sql\":\"x\",\"timeout\":-1}", "400", "number of seconds"),
    ("query?sql=x", "", "400", "as JSON in the body"),
    ("execute?sql=x&nope=1", "", "400", "'nope' is unknown"),
    ("execute", "", "400", "'sql' is missing"),
    ("execute?sql=x", "no arrow at all", "400", "not a proper Arrow stream"),
    ("write?table=t", "", "400", "ends before its schema"),
    ("write?table=t&mode=sideways", "", "400", "append, create, create_append, replace"),
    ("write?table=t&key=a", "", "400", "a mode that makes the table"),
    ("write?table=t&action=burn", "", "400", "insert, upsert, delete or import"),
    ("nowhere", "{}", "404", "There is no route"),
    ("snapshots/renew", "{\"snapshot\":\"s\"}", "404", "There is no snapshot s"),
  ])
  func requestsThatAreWrong(
    path: String, body: String, status: String, text: String
  ) async throws {
    let service = FakeService(.chunks([]))
    try await withServer(service) { _, socket in
      let answer = try await curl([
        "--unix-socket", socket, "-i", "-d", body, "http://m/magic/v1/\(path)",
      ])
      #expect(answer.output.hasPrefix("HTTP/1.1 \(status) "), "\(answer)")
      #expect(answer.output.contains("Content-Type: application/json\r\n"))
      #expect(answer.output.contains("{\"error\":{"))
      #expect(answer.output.contains(text), "\(answer)")
      #expect(service.seen.batches.isEmpty)
    }
  }
}

extension StatementInput {
  fileprivate static func of(_ chunks: [[UInt8]]) -> StatementInput {
    let rest = Rest(chunks)
    return StatementInput { await rest.next() }
  }

  private actor Rest {
    private var chunks: ArraySlice<[UInt8]>

    init(_ chunks: [[UInt8]]) { self.chunks = chunks[...] }

    func next() -> [UInt8]? { chunks.popFirst() }
  }
}

/// Gives batches, and then an error if there is one.
private actor Rows: RecordBatchReader {
  nonisolated let schema: Schema
  private var batches: ArraySlice<RecordBatch>
  private let error: (any Error)?

  init(_ schema: Schema, _ batches: [RecordBatch], then error: (any Error)? = nil) {
    self.schema = schema
    self.batches = batches[...]
    self.error = error
  }

  func next() async throws -> RecordBatch? {
    if let batch = batches.popFirst() { return batch }
    if let error { throw error }
    return nil
  }

  func cancel() {}
}
