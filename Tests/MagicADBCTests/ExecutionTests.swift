import Arrow
import CArrowABI
import Glibc
import MagicAPI
import MagicCore
import Testing

@testable import MagicADBC

/// What happens between a call and the service.
@Suite struct ExecutionTests {
  /// Batches, and then perhaps an error.
  private actor Batches: RecordBatchReader {
    nonisolated let schema: Schema
    private var batches: [RecordBatch]
    private let error: APIError?
    private(set) var wasCancelled = false

    init(_ batches: [RecordBatch], error: APIError? = nil) {
      schema = batches[0].schema
      self.batches = batches
      self.error = error
    }

    func next() async throws -> RecordBatch? {
      if !batches.isEmpty { return batches.removeFirst() }
      if let error { throw error }
      return nil
    }

    func cancel() async { wasCancelled = true }
  }

  private func read(_ stream: UnsafeMutablePointer<ArrowArrayStream>) throws -> [Int64]? {
    var array = ArrowArray()
    guard stream.pointee.get_next(stream, &array) == 0 else { return nil }
    guard array.release != nil else { return [] }
    return try RecordBatch(
      importing: &array, schema: Schema(fields: [Field(name: "n", type: .int64)])
    ).columns[0].withValues(of: Int64.self) { Array($0) }
  }

  @Test func streamsEnd() throws {
    var stream = ArrowArrayStream()
    ResultStream.export(
      Batches([try numbers([1, 2]), try numbers([3])]), into: &stream, work: Work())
    var schema = ArrowSchema()
    #expect(stream.get_schema(&stream, &schema) == 0)
    #expect(try Schema(importing: &schema).fields.map(\.name) == ["n"])
    #expect(try read(&stream) == [1, 2])
    #expect(try read(&stream) == [3])
    #expect(try read(&stream) == [])
    #expect(try read(&stream) == [])
    #expect(stream.get_last_error(&stream) == nil)
    #expect(driverTable().ErrorFromArrayStream(&stream, nil) == nil)
    let release = try #require(stream.release)
    release(&stream)
    release(&stream)
    #expect(stream.release == nil)
  }

  @Test func streamsFail() throws {
    let driver = driverTable()
    var stream = ArrowArrayStream()
    ResultStream.export(
      Batches([try numbers([1])], error: APIError(.exhausted, "too much", engineCode: 241)),
      into: &stream, work: Work())
    #expect(try read(&stream) == [1])
    #expect(try read(&stream) == nil)
    #expect(try read(&stream) == nil)
    #expect(stream.get_last_error(&stream).map { String(cString: $0) } == "too much")
    var status: AdbcStatusCode = 0
    let error = try #require(driver.ErrorFromArrayStream(&stream, &status))
    #expect(Int32(status) == ADBC_STATUS_IO)
    #expect(String(cString: error.pointee.message) == "too much")
    #expect(driver.ErrorGetDetailCount(error) == 1)
    stream.release(&stream)
    #expect(driver.ErrorFromArrayStream(&stream, &status) == nil)
  }

  @Test func cancelledStreamsDoNotLookComplete() async throws {
    let reader = Batches([try numbers([1])])
    let connection = Work()
    let statement = Work(parent: connection)
    var stream = ArrowArrayStream()
    ResultStream.export(reader, into: &stream, work: statement)
    #expect(try read(&stream) == [1])
    connection.cancel()
    var array = ArrowArray()
    #expect(stream.get_next(&stream, &array) == ECANCELED)
    #expect(
      stream.get_last_error(&stream).map { String(cString: $0) } == "the statement was cancelled")
    while await !reader.wasCancelled { await Task.yield() }
    stream.release(&stream)
  }

  @Test func callsAreCancelled() async throws {
    let work = Work()
    let waiter = Task.detached {
      try work.wait { try await Task.sleep(for: .seconds(100)) }
    }
    // It may not have begun yet.
    let canceller = Task {
      while !Task.isCancelled {
        work.cancel()
        try await Task.sleep(for: .milliseconds(5))
      }
    }
    let result = await waiter.result
    canceller.cancel()
    #expect(throws: CancellationError.self) { try result.get() }
  }

  @Test func queriesAreRepeatedForRowsOfParameters() async throws {
    let service = FakeService(answer: { request in
      let row = try #require(request.positionalParameters)
      let value = row.columns[0].withValues(of: Int64.self) { $0[0] }
      return Batches([try numbers([value, value * 10])])
    })
    let description = StatementDescription(
      columns: Schema(fields: [Field(name: "n", type: .int64)]), parameterCount: 1, isRead: true)
    let query = try await RepeatedQuery(
      StatementRequest("SELECT ?"), description,
      rows: ParameterRows(Batches([try numbers([1, 2]), try numbers([]), try numbers([3])])),
      service: service)
    #expect(try await allNumbers(query) == [1, 10, 2, 20, 3, 30])
    let none = try await RepeatedQuery(
      StatementRequest("SELECT ?"), description, rows: ParameterRows(Batches([try numbers([])])),
      service: service)
    #expect(none.schema.fields.map(\.name) == ["n"])
    #expect(try await allNumbers(none) == [])
  }

  @Test func parametersAreReadOnce() async throws {
    let rows = ParameterRows(Batches([try numbers([]), try numbers([1, 2, 3]), try numbers([4])]))
    #expect(try await rows.peek()?.rowCount == 1)
    #expect(try await rows.nextRow()?.rowCount == 1)
    #expect(try await rows.peek()?.rowCount == 1)
    #expect(try await allNumbers(rows) == [2, 3, 4])
    #expect(try await rows.nextRow()?.rowCount == nil)
  }

  @Test func columnsThatDependOnTheParametersAreRefused() async throws {
    let service = FakeService(answer: { request in
      let value = request.positionalParameters?.columns[0].withValues(of: Int64.self) { $0[0] }
      return Batches([try numbers([1], name: "n\(value ?? 0)")])
    })
    let query = try await RepeatedQuery(
      StatementRequest("SELECT ?"),
      StatementDescription(columns: nil, parameterCount: 1, isRead: true),
      rows: ParameterRows(Batches([try numbers([1, 2])])), service: service)
    await #expect(throws: APIError.self) { try await allNumbers(query) }
  }

  @Test func partitions() async throws {
    let service = FakeService(answer: { Batches([try numbers([Int64($0.sql.utf8.count)])]) })
    var request = StatementRequest("SELECT * FROM items")
    request.database = "shop"
    let parts = try await Partition.divide(request, into: 3, service: service)
    #expect(parts.count == 3)
    var exported = try AdbcPartitions(parts)
    #expect(exported.num_partitions == 3)
    let bytes = UnsafeRawBufferPointer(
      start: exported.partitions[1], count: exported.partition_lengths[1])
    let text = String(decoding: bytes, as: UTF8.self)
    #expect(text.contains(#""lower":["1"]"#) && text.contains(#""snapshot":"s""#))
    let reader = try await Partition.decode(bytes).read(service).reader
    #expect(try await allNumbers(reader) == [Int64("shop.items [\"1\"]".utf8.count)])
    let release = try #require(exported.release)
    release(&exported)
    release(&exported)
    #expect(exported.num_partitions == 0)

    let whole = try await Partition.divide(
      StatementRequest("SELECT id FROM items WHERE id > 1"), into: 3, service: service)
    #expect(whole.count == 1)
    for garbage in ["", "{", "[1]", "{\"scan\":3}"] {
      #expect(throws: DriverError.self) {
        try Array(garbage.utf8).withUnsafeBytes { try Partition.decode($0) }
      }
    }
    let empty = try Array("{}".utf8).withUnsafeBytes { try Partition.decode($0) }
    await #expect(throws: DriverError.self) { try await empty.read(service) }
  }

  @Test func ingestions() throws {
    var ingestion = Ingestion()
    #expect(throws: DriverError.self) { try ingestion.write(schema: "default") }
    for (key, value) in [
      ("adbc.ingest.target_table", "t"), ("adbc.ingest.mode", "adbc.ingest.mode.replace"),
      ("magic.ingest.primary_key", "a, b"), ("magic.ingest.action", "upsert"),
    ] {
      #expect(try ingestion.setOption(key, .text(value)))
    }
    var write = try ingestion.write(schema: "shop")
    #expect(write.table == TableReference(database: "shop", table: "t"))
    #expect(write.whenExisting == .replace && write.whenMissing == .create(primaryKey: ["a", "b"]))
    #expect(write.action == .upsert)
    #expect(try ingestion.setOption("adbc.ingest.target_db_schema", .text("other")))
    #expect(try ingestion.setOption("adbc.ingest.mode", .text("adbc.ingest.mode.append")))
    write = try ingestion.write(schema: "shop")
    #expect(write.table.database == "other")
    #expect(write.whenExisting == .append && write.whenMissing == .fail)
    for (key, value) in [
      ("adbc.ingest.mode", "append"), ("adbc.ingest.temporary", "yes"),
      ("adbc.ingest.target_catalog", "other"), ("magic.ingest.action", "drop"),
    ] {
      #expect(throws: DriverError.self) { try ingestion.setOption(key, .text(value)) }
    }
    #expect(try !ingestion.setOption("nothing", .text("")))
  }
}
