import Arrow
import GRPCCore
import GatheringTransport
import MagicAPI
import NIOCore
import Testing

@testable import FlightServer

@Suite struct ProtocolTests {
  /// A message with a body of a small and a large buffer.
  func message() -> IPCMessage {
    let values = numberColumn((0..<20_000).map { Int64($0) }, type: .int64)
    let texts = textColumn((0..<20_000).map { $0 % 7 == 0 ? nil : "\($0)" })
    var writer = StreamWriter(
      schema: Schema(fields: [
        Field(name: "n", type: .int64), Field(name: "s", type: .utf8),
      ]))
    let batch = try? RecordBatch(schema: writer.schema, columns: [values, texts], rowCount: 20_000)
    return batch.flatMap { try? writer.messages(for: $0).last } ?? writer.schemaMessage
  }

  @Test func gatheredAndContiguousMessagesAreTheSame() throws {
    let data = OutgoingData(message: message())
    let gathered: MessageBytes = try FlightDataSerializer().serialize(data)
    let contiguous: [UInt8] = try FlightDataSerializer().serialize(data)
    #expect(gathered.buffers.count > 1)
    #expect(Array(gathered.contiguous.readableBytesView) == contiguous)
    let decoded = try FlightDataDeserializer().deserialize(gathered)
    #expect(decoded.header == data.message.header)
    var body: [UInt8] = []
    data.message.appendBody(to: &body)
    #expect(decoded.body.withUnsafeBytes { Array($0) } == body)
  }

  @Test func lentMemoryIsKeptAsLongAsItIsReferredTo() throws {
    final class Owner: Sendable {}
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 8)
    defer { memory.deallocate() }
    memory.initializeMemory(as: UInt8.self, repeating: 7)
    weak var owner: Owner?
    var lent: [ByteBuffer] = []
    do {
      let strong = Owner()
      owner = strong
      let buffer = Buffer(unowned: UnsafeRawBufferPointer(memory), keptAliveBy: strong)
      lent = [LentMemory.lend(buffer), LentMemory.lend(buffer)]
    }
    #expect(lent[0].readableBytes == 1 << 20)
    #expect(
      lent[0].withUnsafeReadableBytes { $0.baseAddress } == UnsafeRawPointer(memory.baseAddress))
    lent.removeLast()
    #expect(owner != nil)
    // What is written goes into memory of its own.
    lent[0].writeInteger(UInt8(9))
    #expect(memory[0] == 7 && lent[0].getInteger(at: 1 << 20, as: UInt8.self) == 9)
    #expect(owner == nil)
    lent = []
  }

  @Test func truncatedMessagesAreRefusedOrShorter() throws {
    let whole: [UInt8] = try FlightDataSerializer().serialize(
      OutgoingData(message: StreamWriter(schema: FakeService.numbers).schemaMessage))
    for count in 0..<whole.count {
      let decoded = try? IncomingData(decoding: ByteBuffer(bytes: whole.prefix(count)))
      #expect(decoded?.header.count ?? 0 <= whole.count)
    }
    #expect(throws: RPCError.self) {
      try IncomingData(decoding: ByteBuffer(bytes: [0x12, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F]))
    }
    #expect(throws: RPCError.self) { try IncomingData(decoding: ByteBuffer(bytes: [0x0B])) }
    // A field of a later version is skipped.
    let metadata = try IncomingData(decoding: ByteBuffer(bytes: [0x20, 0x01, 0x1A, 0x01, 0x41]))
    #expect(metadata.metadata == [0x41])
  }

  @Test(arguments: [
    ("SELECT * FROM t", nil, "t"), ("select * from `a.b`.\"t\" ;", "a.b", "t"),
    ("/* x */ SELECT * -- y\n FROM d.t", "d", "t"),
  ])
  func plainScansAreRecognised(sql: String, database: String?, table: String) throws {
    let scan = try #require(StatementText(sql).scannedTable)
    #expect(scan.database == database && scan.table == table)
  }

  @Test(arguments: [
    "SELECT * FROM t WHERE 1", "SELECT a FROM t", "SELECT * FROM f(1)", "SELECT * FROM (SELECT 1)",
    "SELECT * FROM t FINAL", "SELECT * FROM t LIMIT 1", "SELECT * FROM a.b.c", "SELECT *", "",
    "SELECT * FROM 'x", "SELECT * FROM t, u",
  ])
  func otherStatementsAreNoPlainScans(sql: String) {
    #expect(StatementText(sql).scannedTable == nil)
  }

  @Test func changesOfTheSessionAreRecognised() {
    #expect(StatementText("use `my db`").sessionEffect == .use("my db"))
    #expect(StatementText("SET a = 1").sessionEffect == .engine)
    #expect(StatementText("create or replace temporary table t").sessionEffect == .engine)
    #expect(StatementText("CREATE TABLE temporary").sessionEffect == .none)
    #expect(StatementText("SELECT 1").sessionEffect == .none)
  }

  @Test func handlesExpireAndMakeRoom() async throws {
    let table = HandleTable<Int>(lifetime: .milliseconds(50), countLimit: 3)
    let first = table.add(1)
    #expect(table.use(first) == 1)
    try await Task.sleep(for: .milliseconds(80))
    #expect(table.use(first) == nil)
    let names = (0..<4).map { table.add($0) }
    #expect(names.compactMap { table.use($0) } == [1, 2, 3])
    table.remove(names[3])
    #expect(table.use(names[3]) == nil)
    let owned = table.add(7, owner: "ana")
    #expect(table.use(owned) == nil && table.use(owned, owner: "eve") == nil)
    table.remove(owned, owner: "eve")
    #expect(table.use(owned, owner: "ana") == 7)
  }
}
