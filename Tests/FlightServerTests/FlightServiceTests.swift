import Arrow
import Foundation
import GRPCCore
import MagicAPI
import MagicCore
import ProtobufCoding
import SwiftProtobuf
import Testing

@testable import FlightServer

@Suite struct FlightServiceTests {
  let service = FakeService()

  func query(_ sql: String) -> ProtoCommandStatementQuery {
    var query = ProtoCommandStatementQuery()
    query.query = sql
    return query
  }

  func schema(_ bytes: Data) throws -> Schema? {
    var reader = StreamReader()
    try reader.push([UInt8](bytes))
    return reader.schema
  }

  func numbers(_ batches: [RecordBatch]) -> [Int64] {
    batches.flatMap { $0.columns[0].withValues(of: Int64.self) { Array($0) } }
  }

  /// What a failed call says.
  func failure(_ body: () async throws -> Void) async -> RPCError? {
    do {
      try await body()
      return nil
    } catch {
      return error as? RPCError
    }
  }

  // MARK: Statements

  @Test func aStatementRunsWhenItsTicketIsRedeemed() async throws {
    try await FlightClient.with(service) { client in
      let info = try await client.info(query("SELECT 2500"))
      #expect(service.log.withLock { $0.requests.isEmpty })
      #expect(try schema(info.schema) == FakeService.numbers)
      #expect(info.endpoint.count == 1)
      #expect(info.endpoint[0].location.map(\.uri) == ["arrow-flight-reuse-connection://?"])
      for _ in 0..<2 {
        let stream = try await client.stream(info.endpoint[0].ticket)
        #expect(stream.schema == FakeService.numbers)
        #expect(numbers(stream.batches) == Array(0..<2500))
      }
    }
  }

  @Test func aStatementWithoutRowsRunsOnceWhateverTheClientAsks() async throws {
    try await FlightClient.with(service) { client in
      let info = try await client.info(query("CREATE TABLE t"))
      #expect(service.log.withLock { $0.requests.map(\.sql) } == ["CREATE TABLE t"])
      #expect(try schema(info.schema)?.fields.isEmpty == true)
      let stream = try await client.stream(info.endpoint[0].ticket)
      #expect(stream.batches.isEmpty && stream.schema?.fields.isEmpty == true)
      #expect(service.log.withLock { $0.requests.count } == 1)
      #expect(try await client.info(query("INSERT INTO t")).totalRecords == 3)
      // The schema alone runs nothing.
      let answer: FlightClient.Answer<ProtoSchemaResult> = try await client.call(
        "GetSchema", try client.descriptor(query("CREATE TABLE t")))
      #expect(try schema(answer.messages[0].schema)?.fields.isEmpty == true)
      #expect(service.log.withLock { $0.requests.count } == 2)
    }
  }

  @Test func anUpdateTellsItsRowsAndNeverANegativeNumber() async throws {
    try await FlightClient.with(service) { client in
      for (sql, rows) in [("INSERT INTO t", Int64(3)), ("CREATE TABLE t", 0)] {
        var update = ProtoCommandStatementUpdate()
        update.query = sql
        let answer = try await client.put(try client.descriptor(update), [])
        let result: ProtoDoPutUpdateResult = try decodeProto(answer.messages[0].appMetadata)
        #expect(result.recordCount == rows)
      }
    }
  }

  @Test func largeBatchesAreDivided() async throws {
    var configuration = FlightConfiguration()
    configuration.messageByteCount = 1000
    try await FlightClient.with(service, configuration: configuration) { client in
      let info = try await client.info(query("SELECT 1000"))
      let stream = try await client.stream(info.endpoint[0].ticket)
      #expect(numbers(stream.batches) == Array(0..<1000))
      #expect(stream.batches.allSatisfy { $0.rowCount <= 125 })
      #expect(stream.messageCount == 9)
    }
  }

  @Test func aFailureTellsWhyInBoundedWords() async throws {
    try await FlightClient.with(service) { client in
      let error = await failure { _ = try await client.info(query("FAIL")) }
      #expect(error?.code == .invalidArgument)
      #expect(error?.message.hasPrefix("it fails ü") == true)
      #expect((error?.message.utf8.count ?? 0) < 2100)
    }
  }

  @Test func aFlightIsCancelled() async throws {
    try await FlightClient.with(service) { client in
      let info = try await client.info(query("SLOW"))
      async let failed = failure { _ = try await client.get(info.endpoint[0].ticket) }
      while service.log.withLock({ $0.requests.isEmpty }) {
        try await Task.sleep(for: .milliseconds(5))
      }
      var request = ProtoCancelFlightInfoRequest()
      request.info = info
      let answer = try await client.act("CancelFlightInfo", request)
      let result: ProtoCancelFlightInfoResult = try decodeProto(answer.messages[0].body)
      #expect(result.status == .cancelled)
      #expect(await failed?.code == .cancelled)
      #expect(service.log.withLock { $0.cancelledReaders } > 0)
      // Its ticket is worth nothing any more.
      #expect(
        await failure { _ = try await client.get(info.endpoint[0].ticket) }?.code == .cancelled)
    }
  }

  private static let ana: Metadata = [
    "authorization": "Basic \(Data("ana:secret".utf8).base64EncodedString())"
  ]
  private static let eve: Metadata = [
    "authorization": "Basic \(Data("eve:secret".utf8).base64EncodedString())"
  ]

  @Test func nobodyButItsUserAndAdministratorsEndsAStream() async throws {
    try await FlightClient.with(service) { client in
      let info = try await client.info(query("SLOW"), Self.ana)
      let ticket = info.endpoint[0].ticket
      async let failed = failure { _ = try await client.get(ticket, Self.ana) }
      while service.log.withLock({ $0.requests.isEmpty }) {
        try await Task.sleep(for: .milliseconds(5))
      }
      var request = ProtoCancelFlightInfoRequest()
      request.info = info
      let answer = try await client.act("CancelFlightInfo", request, Self.eve)
      let result: ProtoCancelFlightInfoResult = try decodeProto(answer.messages[0].body)
      #expect(result.status == .cancelled)
      try await Task.sleep(for: .milliseconds(100))
      #expect(service.log.withLock { $0.cancelledReaders } == 0)
      // It concerns only what the one who cancels would read with the ticket.
      #expect(await failure { _ = try await client.get(ticket, Self.eve) }?.code == .cancelled)
      _ = try await client.act("CancelFlightInfo", request)
      #expect(await failed?.code == .cancelled)
    }
  }

  @Test func aPreparedStatementIsItsUsersOnly() async throws {
    try await FlightClient.with(service) { client in
      var create = ProtoActionCreatePreparedStatementRequest()
      create.query = "SELECT ?"
      let statement: ProtoActionCreatePreparedStatementResult = try await client.act(
        "CreatePreparedStatement", packing: create, Self.ana)
      let handle = statement.preparedStatementHandle
      var command = ProtoCommandPreparedStatementQuery()
      command.preparedStatementHandle = handle
      var close = ProtoActionClosePreparedStatementRequest()
      close.preparedStatementHandle = handle
      let closing = try Google_Protobuf_Any(message: close)
      let descriptor = try client.descriptor(command)
      #expect(await failure { _ = try await client.info(command, Self.eve) }?.code == .notFound)
      #expect(await failure { _ = try await client.info(command) }?.code == .notFound)
      let rows = try FakeService.batch(1..<2)
      let bound = await failure { _ = try await client.put(descriptor, [rows], Self.eve) }
      #expect(bound?.code == .notFound)
      _ = try await client.act("ClosePreparedStatement", closing, Self.eve)
      _ = try await client.act("ClosePreparedStatement", closing)
      _ = try await client.put(descriptor, [try FakeService.batch(40..<41)], Self.ana)
      let info = try await client.info(command, Self.ana)
      #expect(numbers(try await client.get(info.endpoint[0].ticket, Self.ana)) == [40])
      _ = try await client.act("ClosePreparedStatement", closing, Self.ana)
      #expect(await failure { _ = try await client.info(command, Self.ana) }?.code == .notFound)
    }
  }

  @Test func aSessionIsItsUsersOnly() async throws {
    try await FlightClient.with(service) { client in
      var set = ProtoSetSessionOptionsRequest()
      set.sessionOptions["schema"] = .with { $0.stringValue = "shop" }
      let answer = try await client.act("SetSessionOptions", set, Self.ana)
      let cookie = try #require(answer.headers.text("set-cookie")?.split(separator: ";").first)
      for (user, schema) in [(Self.eve, "default"), (Self.ana, "shop")] {
        var headers = user
        headers.addString(String(cookie), forKey: "cookie")
        let options: ProtoGetSessionOptionsResult = try decodeProto(
          try await client.act("GetSessionOptions", ProtoGetSessionOptionsRequest(), headers)
            .messages[0].body)
        #expect(options.sessionOptions["schema"]?.stringValue == schema)
      }
    }
  }

  // MARK: Prepared statements

  @Test func noRowsOfParametersGiveNoRows() async throws {
    try await FlightClient.with(service) { client in
      var create = ProtoActionCreatePreparedStatementRequest()
      create.query = "SELECT ?"
      let statement: ProtoActionCreatePreparedStatementResult = try await client.act(
        "CreatePreparedStatement", packing: create)
      var command = ProtoCommandPreparedStatementQuery()
      command.preparedStatementHandle = statement.preparedStatementHandle
      for batches in [[], [try FakeService.batch(0..<0)]] {
        _ = try await client.put(
          try client.descriptor(command), batches, schema: FakeService.numbers)
        let stream = try await client.stream(
          try await client.info(command).endpoint[0].ticket)
        #expect(stream.schema == FakeService.numbers && stream.batches.isEmpty)
      }
      #expect(service.log.withLock { $0.requests.isEmpty })
    }
  }

  @Test func aPreparedQueryKeepsItsParametersInTheTicket() async throws {
    try await FlightClient.with(service) { client in
      var create = ProtoActionCreatePreparedStatementRequest()
      create.query = "SELECT ?"
      let statement: ProtoActionCreatePreparedStatementResult = try await client.act(
        "CreatePreparedStatement", packing: create)
      #expect(try schema(statement.parameterSchema)?.fields.map(\.name) == ["1"])
      var command = ProtoCommandPreparedStatementQuery()
      command.preparedStatementHandle = statement.preparedStatementHandle
      let bound = try await client.put(
        try client.descriptor(command), [try FakeService.batch(40..<42)])
      let updated: ProtoDoPutPreparedStatementResult = try decodeProto(
        bound.messages[0].appMetadata)
      #expect(updated.preparedStatementHandle == statement.preparedStatementHandle)
      let info = try await client.info(command)
      var close = ProtoActionClosePreparedStatementRequest()
      close.preparedStatementHandle = statement.preparedStatementHandle
      #expect(
        try await client.act(
          "ClosePreparedStatement", try Google_Protobuf_Any(message: close)
        ).messages.isEmpty)
      #expect(numbers(try await client.get(info.endpoint[0].ticket)) == [40, 41])
      #expect(await failure { _ = try await client.info(command) }?.code == .notFound)
    }
  }

  @Test func unionsOfParametersBecomeTheirValues() async throws {
    let children = [numberColumn([Int64(9), 8], type: .int64), textColumn(["x"])]
    let fields = [Field(name: "i", type: .int64), Field(name: "s", type: .utf8)]
    let union = ArrayData(
      type: .denseUnion(fields), length: 2,
      buffers: [Buffer(copying: [0, 0]), Buffer(copying: [0, 0, 0, 0, 1, 0, 0, 0])],
      children: children)
    let rows = try RecordBatch(
      schema: Schema(fields: [Field(name: "1", type: union.type)]), columns: [union], rowCount: 2)
    #expect(numbers([try rows.withoutUnions()]) == [9, 8])
    let mixed = ArrayData(
      type: union.type, length: 2,
      buffers: [Buffer(copying: [0, 1]), Buffer(copying: [0, 0, 0, 0, 0, 0, 0, 0])],
      children: children)
    let mixedRows = try RecordBatch(schema: rows.schema, columns: [mixed], rowCount: 2)
    #expect(throws: APIError.self) { try mixedRows.withoutUnions() }
  }

  @Test func aPreparedUpdateTakesRowsOfParameters() async throws {
    try await FlightClient.with(service) { client in
      var create = ProtoActionCreatePreparedStatementRequest()
      create.query = "INSERT INTO t VALUES (?)"
      let statement: ProtoActionCreatePreparedStatementResult = try await client.act(
        "CreatePreparedStatement", packing: create)
      #expect(try schema(statement.datasetSchema)?.fields.isEmpty == true)
      var update = ProtoCommandPreparedStatementUpdate()
      update.preparedStatementHandle = statement.preparedStatementHandle
      let descriptor = try client.descriptor(update)
      let answer = try await client.put(
        descriptor, [try FakeService.batch(1..<3), try FakeService.batch(3..<4)])
      let result: ProtoDoPutUpdateResult = try decodeProto(answer.messages[0].appMetadata)
      #expect(result.recordCount == 3)
      #expect(service.log.withLock { $0.parameterRows } == [[1], [2], [3]])
      // Without columns there are no parameters, and it runs once.
      _ = try await client.put(descriptor, [], schema: Schema(fields: []))
      #expect(service.log.withLock { $0.requests.count } == 2)
    }
  }

  // MARK: Tables

  @Test func aLargeTableIsDividedForClientsThatReadAllEndpoints() async throws {
    try await FlightClient.with(service) { client in
      let byPath: FlightClient.Answer<ProtoFlightInfo> = try await client.call(
        "GetFlightInfo", client.path("shop", "orders"))
      let endpoints = byPath.messages[0].endpoint
      #expect(endpoints.count == 4)
      #expect(endpoints.allSatisfy { $0.expirationTime.seconds == 4_000_000_000 })
      var rows: [Int64] = []
      for endpoint in endpoints { rows += numbers(try await client.get(endpoint.ticket)) }
      #expect(rows == Array(0..<8))

      let sql = query("SELECT * FROM shop.orders")
      #expect(try await client.info(sql).endpoint.count == 1)
      #expect(try await client.info(sql, ["x-magic-endpoints": "3"]).endpoint.count == 3)
      let agent: Metadata = ["user-agent": "ADBC Flight SQL Driver - Go 1.0"]
      #expect(try await client.info(sql, agent).endpoint.count == 4)
      #expect(try await client.info(query("SELECT * FROM shop.seen"), agent).endpoint.count == 1)

      var renew = ProtoRenewFlightEndpointRequest()
      renew.endpoint = endpoints[0]
      let renewed: ProtoFlightEndpoint = try decodeProto(
        try await client.act("RenewFlightEndpoint", renew).messages[0].body)
      #expect(renewed.expirationTime.seconds == 4_100_000_000)
      #expect(renewed.ticket == endpoints[0].ticket)
      var cancel = ProtoCancelFlightInfoRequest()
      cancel.info = byPath.messages[0]
      _ = try await client.act("CancelFlightInfo", cancel)
      #expect(service.log.withLock { $0.released } == ["snap", "snap", "snap", "snap"])
    }
  }

  @Test func rowsAreWrittenByPathAndByCommand() async throws {
    try await FlightClient.with(service) { client in
      let answer = try await client.put(
        client.path("shop", "orders"), [try FakeService.batch(0..<5)])
      #expect(answer.messages[0].appMetadata == Data(#"{"rows":5}"#.utf8))
      var command = ProtoFlightDescriptor()
      command.type = .cmd
      command.cmd = Data(
        #"""
        {"write": {"table": {"database": "shop", "table": "t"}, "action": "upsert",
          "ifExists": "replace", "createWithKey": ["n"], "token": "once", "transaction": "tx"}}
        """#.utf8)
      _ = try await client.put(command, [try FakeService.batch(0..<2)])
      let write = try #require(service.log.withLock { $0.writes.last })
      #expect(write.action == .upsert && write.whenExisting == .replace)
      #expect(write.whenMissing == .create(primaryKey: ["n"]))
      #expect(write.token == "once" && write.transaction == "tx")
      #expect(await failure { _ = try await client.put(command, []) }?.code == .invalidArgument)
    }
  }

  @Test(arguments: [
    (#"{"scan": {"table": {"database": "a", "table": "b"}, "limt": 1}}"#, "'limt' is unknown"),
    (#"{"scan": {"table": {"database": "a", "table": "b"}}, "ids": "x"}"#, "'ids' is unknown"),
    (#"{"scan": {"table": {"database": "a", "table": "b"}, "limit": "1"}}"#, "scan.limit"),
    (#"{"scan": {"table": {"database": "a", "table": "b"}, "columns": []}}"#, "leave it out"),
    (#"{"scan": {"table": {"database": "a", "table": "b"}, "filter": "1) OR (1"}}"#, "`filter`"),
    (#"{"write": {"table": {"database": "a", "table": "b"}, "mode": "x"}}"#, "'mode' is unknown"),
    (#"{"other": 1}"#, "\"scan\" or \"write\""),
  ])
  func commandsSayNothingThatIsNotDone(json: String, message: String) async throws {
    try await FlightClient.with(service) { client in
      var command = ProtoFlightDescriptor()
      command.type = .cmd
      command.cmd = Data(json.utf8)
      let error = await failure {
        let _: FlightClient.Answer<ProtoFlightInfo> = try await client.call(
          "GetFlightInfo", command)
      }
      #expect(error?.code == .invalidArgument)
      #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }
  }

  @Test func anIngestionSaysWhatIsDoneWithTheTable() async throws {
    try await FlightClient.with(service) { client in
      var ingest = ProtoCommandStatementIngest()
      ingest.table = "t"
      ingest.schema = "shop"
      ingest.tableDefinitionOptions.ifNotExist = .create
      ingest.tableDefinitionOptions.ifExists = .append
      ingest.options = ["primary_key": "a, b", "token": "once"]
      let descriptor = try client.descriptor(ingest)
      let answer = try await client.put(descriptor, [try FakeService.batch(0..<3)])
      let result: ProtoDoPutUpdateResult = try decodeProto(answer.messages[0].appMetadata)
      #expect(result.recordCount == 3)
      let write = try #require(service.log.withLock { $0.writes.last })
      #expect(write.table == TableReference(database: "shop", table: "t"))
      #expect(write.whenMissing == .create(primaryKey: ["a", "b"]) && write.token == "once")
      ingest.options["tokn"] = "x"
      let misspelt = try client.descriptor(ingest)
      let error = await failure {
        _ = try await client.put(misspelt, [try FakeService.batch(0..<1)])
      }
      #expect(error?.message.contains("tokn") == true)
    }
  }

  // MARK: Callers and sessions

  @Test func aHandshakeGivesAToken() async throws {
    try await FlightClient.with(service) { client in
      let basic = "Basic " + Data("ana:secret".utf8).base64EncodedString()
      let answer: FlightClient.Answer<ProtoHandshakeResponse> = try await client.call(
        "Handshake", [], ["authorization": "\(basic)"], ProtoSerializer<ProtoHandshakeRequest>(),
        ProtoDeserializer<ProtoHandshakeResponse>())
      let bearer = try #require(answer.headers.text("authorization"))
      _ = try await client.info(query("SELECT 1"), ["authorization": "\(bearer)"])

      var login = ProtoBasicAuth()
      login.username = "ana"
      login.password = "secret"
      var request = ProtoHandshakeRequest()
      request.payload = try login.serializedBytes()
      let inMessage: FlightClient.Answer<ProtoHandshakeResponse> = try await client.call(
        "Handshake", request)
      var metadata = Metadata()
      metadata.addBinary([UInt8](inMessage.messages[0].payload), forKey: "auth-token-bin")
      _ = try await client.info(query("SELECT 1"), metadata)

      for wrong in ["Bearer nonsense", "Basic eA==", "Basic YW5hOng=", "Digest x"] {
        let error = await failure {
          _ = try await client.info(query("SELECT 1"), ["authorization": "\(wrong)"])
        }
        #expect(error?.code == .unauthenticated, "\(wrong)")
      }
    }
  }

  @Test func aSessionKeepsWhatIsSet() async throws {
    try await FlightClient.with(service) { client in
      var set = ProtoSetSessionOptionsRequest()
      set.sessionOptions["schema"] = .with { $0.stringValue = "shop" }
      set.sessionOptions["max_threads"] = .with { $0.int64Value = 2 }
      set.sessionOptions["catalog"] = .with { $0.stringValue = "other" }
      let answer = try await client.act("SetSessionOptions", set)
      let result: ProtoSetSessionOptionsResult = try decodeProto(answer.messages[0].body)
      #expect(result.errors.mapValues(\.value) == ["catalog": .invalidValue])
      let cookie = try #require(answer.headers.text("set-cookie")?.split(separator: ";").first)
      let headers: Metadata = ["cookie": "other=1; \(cookie)"]

      let info = try await client.info(query("SELECT 1"), headers)
      _ = try await client.get(info.endpoint[0].ticket)
      let request = try #require(service.log.withLock { $0.requests.last })
      #expect(request.database == "shop" && request.settings == ["max_threads": "2"])
      #expect(request.session == nil)

      // From SET on, statements share a session of the engine.
      _ = try await client.info(query("/* x */ set a = 1"), headers)
      _ = try await client.get(
        try await client.info(query("SELECT 1"), headers).endpoint[0].ticket)
      let name = cookie.split(separator: "=")[1]
      #expect(service.log.withLock { $0.requests.last?.session?.name } == String(name))

      _ = try await client.info(query("USE default"), headers)
      let options: ProtoGetSessionOptionsResult = try decodeProto(
        try await client.act("GetSessionOptions", ProtoGetSessionOptionsRequest(), headers)
          .messages[0].body)
      #expect(
        options.sessionOptions.mapValues(\.stringValue) == [
          "catalog": "magic", "schema": "default", "max_threads": "2",
        ])
      #expect(
        await failure { _ = try await client.info(query("USE nope"), headers) }?.code == .notFound)

      _ = try await client.act("CloseSession", ProtoCloseSessionRequest(), headers)
      let gone: ProtoGetSessionOptionsResult = try decodeProto(
        try await client.act("GetSessionOptions", ProtoGetSessionOptionsRequest(), headers)
          .messages[0].body)
      #expect(gone.sessionOptions["max_threads"] == nil)
    }
  }

  /// So that nothing is lost when a client misses the headers of the call that begins its session.
  @Test func aSessionHasItsNameBeforeItBegins() async throws {
    try await FlightClient.with(service) { client in
      func set(_ headers: Metadata) async throws -> Metadata {
        var set = ProtoSetSessionOptionsRequest()
        set.sessionOptions["schema"] = .with { $0.stringValue = "shop" }
        return try await client.act("SetSessionOptions", set, headers).headers
      }
      func schema(_ headers: Metadata) async throws -> String? {
        let options: ProtoGetSessionOptionsResult = try decodeProto(
          try await client.act("GetSessionOptions", ProtoGetSessionOptionsRequest(), headers)
            .messages[0].body)
        return options.sessionOptions["schema"]?.stringValue
      }
      func inform(_ headers: Metadata) async throws -> Metadata {
        let answer: FlightClient.Answer<ProtoFlightInfo> = try await client.call(
          "GetFlightInfo", try client.descriptor(query("SELECT 1")), headers)
        return answer.headers
      }
      let cookie = try #require(
        try await inform([:]).text("set-cookie")?.split(separator: ";").first)
      let headers: Metadata = ["cookie": "\(cookie)"]
      #expect(try await schema(headers) == "default")
      #expect(try await set(headers).text("set-cookie") == nil)
      #expect(try await schema(headers) == "shop")
      #expect(try await inform(headers).text("set-cookie") == nil)
      // Names of other forms are not taken.
      #expect(
        try await set(["cookie": "arrow_flight_session_id=mine"]).text("set-cookie")?
          .hasPrefix("arrow_flight_session_id=mine") == false)
    }
  }

  @Test func transactionsAreEndedByAction() async throws {
    try await FlightClient.with(service) { client in
      let begun: ProtoActionBeginTransactionResult = try await client.act(
        "BeginTransaction", packing: ProtoActionBeginTransactionRequest())
      for ending in [ProtoActionEndTransactionRequest.EndTransaction.commit, .rollback] {
        var end = ProtoActionEndTransactionRequest()
        end.transactionID = begun.transactionID
        end.action = ending
        _ = try await client.act("EndTransaction", try Google_Protobuf_Any(message: end))
      }
      #expect(service.log.withLock { $0.ended } == ["commit tx", "rollback tx"])
      var update = ProtoCommandStatementUpdate()
      update.query = "INSERT INTO t"
      update.transactionID = begun.transactionID
      _ = try await client.put(try client.descriptor(update), [])
      #expect(service.log.withLock { $0.requests.last?.transaction } == "tx")
    }
  }
}
