import Arrow
import Foundation
import GRPCCore
import MagicAPI
import MagicCore
import SwiftProtobuf

/// What GetFlightInfo, PollFlightInfo, GetSchema and ListFlights answer.
extension FlightService {
  /// Says where the rows are that a descriptor asks for. A statement that gives no rows runs here
  /// and now, since a client that wants no rows may never ask for them.
  func flightInfo(
    for descriptor: ProtoFlightDescriptor, _ call: inout Call
  ) async throws -> ProtoFlightInfo {
    var info = ProtoFlightInfo()
    switch try command(of: descriptor) {
    case .scan(let ticket): info = try await scanInfo(ticket.scan, call)
    case .write: throw APIError.invalid("rows are written by DoPut; there is nothing to read")
    case .sql(let command):
      if let statement = try statement(of: command, call) {
        info = try await statementInfo(statement, &call)
      } else {
        let query = try CatalogQuery(command, configuration: configuration)
        info.schema = encapsulated(query.schema)
        var ticket = ProtoTicket()
        ticket.ticket = try command.serializedBytes()
        info.endpoint = [endpoint(ticket)]
        info.totalRecords = -1
      }
    }
    info.flightDescriptor = descriptor
    info.totalBytes = -1
    return info
  }

  /// The same as ``flightInfo(for:_:)``: nothing has to run before its rows can be read.
  func pollInfo(
    for descriptor: ProtoFlightDescriptor, _ call: inout Call
  ) async throws -> ProtoPollInfo {
    var poll = ProtoPollInfo()
    poll.info = try await flightInfo(for: descriptor, &call)
    poll.progress = 1
    return poll
  }

  /// The columns that a descriptor's rows have; runs nothing.
  func schemaResult(
    for descriptor: ProtoFlightDescriptor, _ call: Call
  ) async throws -> ProtoSchemaResult {
    var result = ProtoSchemaResult()
    result.schema = encapsulated(try await schema(for: descriptor, call))
    return result
  }

  private func schema(for descriptor: ProtoFlightDescriptor, _ call: Call) async throws -> Schema {
    switch try command(of: descriptor) {
    case .scan(let ticket): return try await columns(of: ticket.scan, call)
    case .write(let write): return try await columns(of: TableScan(write.table), call)
    case .sql(let command):
      guard let statement = try statement(of: command, call) else {
        return try CatalogQuery(command, configuration: configuration).schema
      }
      return try await call.service.describe(request(for: statement, call)).columns
        ?? Schema(fields: [])
    }
  }

  /// The tables that the caller sees, each as a flight.
  func listFlights(_ call: Call) async throws -> [ProtoFlightInfo] {
    var selection = TableSelection()
    selection.includesColumns = true
    return try await call.service.tables(matching: selection).map { table in
      var info = ProtoFlightInfo()
      info.schema = encapsulated(table.columns ?? Schema(fields: []))
      info.flightDescriptor.type = .path
      info.flightDescriptor.path = [table.name.database, table.name.table]
      info.endpoint = [endpoint(try ProtoTicket(ScanTicket(scan: TableScan(table.name))))]
      info.totalRecords = Int64(table.rowCount ?? -1)
      info.totalBytes = -1
      return info
    }
  }

  /// What a descriptor asks for.
  func command(of descriptor: ProtoFlightDescriptor) throws -> FlightCommand {
    switch descriptor.type {
    case .cmd: return try FlightCommand(decoding: descriptor.cmd)
    case .path:
      return .scan(ScanTicket(scan: TableScan(try table(atPath: descriptor.path))))
    case .unknown, .UNRECOGNIZED:
      throw APIError.invalid("the descriptor must have a path or a command")
    }
  }

  /// The table that a path names: `[database, table]`, with the catalog before it or not.
  func table(atPath path: [String]) throws -> TableReference {
    let names = path.count == 3 && path[0] == FlightConfiguration.catalog ? path[1...] : path[...]
    guard names.count == 2, let database = names.first, let table = names.last else {
      throw APIError.invalid("a path must be [database, table]")
    }
    return TableReference(database: database, table: table)
  }

  // MARK: Statements

  /// The statement that a command is, sent at once or prepared; nil for a command about metadata.
  private func statement(
    of command: Google_Protobuf_Any, _ call: Call
  ) throws -> PreparedStatement? {
    if let query = try command.unpack(ProtoCommandStatementQuery.self) {
      let transaction = query.hasTransactionID ? try name(query.transactionID) : nil
      return PreparedStatement(sql: query.query, transaction: transaction)
    }
    return try command.unpack(ProtoCommandPreparedStatementQuery.self).map { query in
      try preparedStatement(query.preparedStatementHandle, call)
    }
  }

  /// A request for what was prepared, or sent at once.
  func request(for statement: PreparedStatement, _ call: Call) -> StatementRequest {
    var request = call.request(statement.sql)
    request.transaction = statement.transaction
    request.positionalParameters = statement.parameters.first.flatMap { rows in
      rows.rowCount > 0 ? rows.slice(0..<1) : nil
    }
    return request
  }

  private func statementInfo(
    _ statement: PreparedStatement, _ call: inout Call
  ) async throws -> ProtoFlightInfo {
    var info = ProtoFlightInfo()
    if StatementText(statement.sql).sessionEffect == .none,
      let columns = try await call.service.describe(request(for: statement, call)).columns
    {
      info.schema = encapsulated(columns)
      if let scan = try await dividedScan(statement, call) {
        try await divide(scan, into: &info, call)
        return info
      }
      let request = request(for: statement, call)
      let ticket = StatementTicket(
        id: randomName(), sql: request.sql, database: request.database,
        settings: request.settings, session: request.session?.name,
        transaction: request.transaction, snapshot: request.snapshot,
        parameters: try StatementTicket.encode(statement.parameters))
      var endpoint = endpoint(try ProtoTicket(ticket))
      endpoint.expirationTime = expirationTime
      info.endpoint = [endpoint]
      info.totalRecords = -1
      return info
    }
    let reader = statement.parameters.first.map {
      BatchList(schema: $0.schema, statement.parameters)
    }
    let count = try await run(statement, parameterRows: reader, &call)
    info.schema = encapsulated(Schema(fields: []))
    // Clients show this as the number of rows that a statement changed.
    info.totalRecords = Int64(count ?? -1)
    info.endpoint = [endpoint(try ProtoTicket.nothing)]
    return info
  }

  // MARK: Tables

  private func columns(of scan: TableScan, _ call: Call) async throws -> Schema {
    let request = call.request(try scan.statement())
    return try await call.service.describe(request).columns ?? Schema(fields: [])
  }

  private func scanInfo(_ scan: TableScan, _ call: Call) async throws -> ProtoFlightInfo {
    var info = ProtoFlightInfo()
    info.schema = encapsulated(try await columns(of: scan, call))
    let count = call.session.endpointCount ?? configuration.splitCount
    if scan.range == nil, scan.limit == nil, count > 1, try await isLarge(scan.table, call) {
      try await divide(scan, into: &info, call)
    } else {
      let ticket = ScanTicket(scan: scan, id: randomName())
      info.endpoint = [endpoint(try ProtoTicket(ticket))]
      info.totalRecords = -1
    }
    return info
  }

  /// The scan that a statement is, when it reads nothing but a whole large table and the client
  /// reads several endpoints.
  private func dividedScan(_ statement: PreparedStatement, _ call: Call) async throws -> TableScan?
  {
    let count =
      call.session.endpointCount ?? (call.readsAllEndpoints ? configuration.splitCount : 1)
    guard count > 1, statement.transaction == nil, !call.session.isHeldByEngine,
      call.session.settings.isEmpty,
      let (database, table) = StatementText(statement.sql).scannedTable
    else { return nil }
    let name = TableReference(database: database ?? call.session.database, table: table)
    guard try await isLarge(name, call) else { return nil }
    var scan = TableScan(name)
    scan.snapshot = call.session.snapshot
    return scan
  }

  private func isLarge(_ table: TableReference, _ call: Call) async throws -> Bool {
    var selection = TableSelection()
    selection.database = likePattern(table.database)
    selection.table = likePattern(table.table)
    let entry = try await call.service.tables(matching: selection).first { $0.name == table }
    return entry?.kind == .table && (entry?.estimatedRowCount ?? 0) >= configuration.splitRowCount
  }

  /// Adds endpoints that together read a table at one commit point.
  private func divide(
    _ scan: TableScan, into info: inout ProtoFlightInfo, _ call: Call
  ) async throws {
    let count = call.session.endpointCount ?? configuration.splitCount
    let splits = try await call.service.split(scan.table, into: count, snapshot: scan.snapshot)
    let flight = randomName()
    info.endpoint = try splits.ranges.map { range in
      var part = scan
      part.range = range
      part.snapshot = splits.snapshot.id
      var endpoint = endpoint(try ProtoTicket(ScanTicket(scan: part, id: flight)))
      endpoint.expirationTime = Google_Protobuf_Timestamp(
        roundingTimeIntervalSince1970: splits.snapshot.expires)
      return endpoint
    }
    info.totalRecords = -1
  }

  /// Until when a ticket is good that needs nothing but itself.
  var expirationTime: Google_Protobuf_Timestamp {
    let end = Date.now + configuration.handleLifetime / .seconds(1)
    return Google_Protobuf_Timestamp(roundingTimeIntervalSince1970: end.timeIntervalSince1970)
  }

  /// An endpoint at which a ticket is redeemed.
  func endpoint(_ ticket: ProtoTicket) -> ProtoFlightEndpoint {
    var endpoint = ProtoFlightEndpoint()
    endpoint.ticket = ticket
    let locations =
      configuration.locations.isEmpty
      ? ["arrow-flight-reuse-connection://?"] : configuration.locations
    endpoint.location = locations.map { uri in
      var location = ProtoLocation()
      location.uri = uri
      return location
    }
    return endpoint
  }
}

extension ProtoTicket {
  /// The ticket of a statement that gave no rows: a stream without columns.
  static var nothing: ProtoTicket {
    get throws {
      var ticket = ProtoTicket()
      ticket.ticket = Data(try packed(ProtoTicketStatementQuery()))
      return ticket
    }
  }
}
