import Arrow
import MagicAPI
import MagicCore
import NIOCore
import NIOHTTP1

/// Answers requests of the Magic API for programs: JSON and Arrow streams in and out.
struct MagicInterface: Sendable {
  static let prefix = "/magic/v1/"
  /// Grows with what is added to the API, so that programs see whether a server has what they need.
  static let revision = 4

  let contents: HTTPServer.Contents
  let limits: HTTPServer.Limits

  func respond(to request: Request, from caller: Caller) async throws -> Response {
    var response = try await answer(request, from: caller)
    response.headers.add(name: "X-Magic-API-Revision", value: "\(Self.revision)")
    return response
  }

  private func answer(_ request: Request, from caller: Caller) async throws -> Response {
    let name = String(request.path.dropFirst(Self.prefix.count))
    switch request.head.method {
    case .GET:
      if let view = contents.views[name] {
        return .json(try await view(caller, request.parameters["after"]))
      }
    case .POST:
      let service = contents.services(caller)
      if let response = try await rows(name, request, service) { return response }
      if let response = try await state(name, request, service) { return response }
      if let handler = contents.routes[name] {
        guard caller.role == .admin else {
          throw APIError(.forbidden, "Only an administrator may ask for \(name)")
        }
        return .json(try await handler(try await collect(request)))
      }
    default: break
    }
    throw RequestError(.notFound, "There is no route \(request.head.method) \(request.path)")
  }

  /// Requests that read or write rows, or tell about them.
  private func rows(
    _ name: String, _ request: Request, _ service: any MagicService
  ) async throws -> Response? {
    switch name {
    case "query":
      let message: StatementMessage = try await decode(request)
      return try arrow(try await service.query(try message.request()), for: request)
    case "execute":
      let message = try StatementMessage(request.parameters)
      let rows = try await StreamBody(RequestContent(request))
      return json(
        ChangeMessage(
          changedRows: try await service.execute(try message.request(), parameterRows: rows)))
    case "describe":
      let message: StatementMessage = try await decode(request)
      return json(DescriptionMessage(try await service.describe(try message.request())))
    case "scan":
      return try arrow(try await service.scan(try await decode(request)), for: request)
    case "split":
      let message: SplitMessage = try await decode(request)
      return json(
        try await service.split(message.table, into: message.count, snapshot: message.snapshot))
    case "write":
      let write = try TableWrite(request.parameters)
      let rows = try await StreamBody(RequestContent(request))
      return json(ChangeMessage(changedRows: try await service.write(write, rows: rows)))
    case "tables":
      let message: SelectionMessage = try await decode(request)
      return json(TablesMessage(try await service.tables(matching: message.selection)))
    case "databases":
      let _: EmptyMessage = try await decode(request)
      return json(DatabasesMessage(databases: try await service.databases()))
    default: return nil
    }
  }

  /// Requests about what outlives them: transactions, snapshots, running statements.
  private func state(
    _ name: String, _ request: Request, _ service: any MagicService
  ) async throws -> Response? {
    switch name {
    case "transactions/begin":
      let message: BeginMessage = try await decode(request)
      return json(
        TransactionMessage(transaction: try await service.beginTransaction(partOf: message.partOf)))
    case "transactions/commit": try await service.commit(try await decode(request))
    case "transactions/renew":
      let message: TransactionMessage = try await decode(request)
      try await service.renew(transaction: message.transaction)
    case "transactions/rollback":
      let message: TransactionMessage = try await decode(request)
      try await service.rollback(transaction: message.transaction)
    case "snapshots/open":
      let message: OpenSnapshotMessage = try await decode(request)
      return json(try await service.openSnapshot(try message.request()))
    case "snapshots/list":
      let _: EmptyMessage = try await decode(request)
      return json(SnapshotsMessage(snapshots: try await service.snapshots()))
    case "snapshots/renew":
      let message: SnapshotMessage = try await decode(request)
      return json(try await service.renew(snapshot: message.snapshot))
    case "snapshots/release":
      let message: SnapshotMessage = try await decode(request)
      try await service.release(snapshot: message.snapshot)
    case "commitpoint":
      let message: CommitPointRequestMessage = try await decode(request)
      let timeout = try message.timeout.map(StatementMessage.duration)
      return json(
        CommitPointMessage(
          try await service.commitPoint(atLeast: message.atLeast, timeout: timeout)))
    case "sessions/end":
      let message: SessionMessage = try await decode(request)
      try await service.end(session: message.session)
    case "statements/list":
      let _: EmptyMessage = try await decode(request)
      return json(StatementsMessage(statements: try await service.statements()))
    case "cancel":
      let message: CancelMessage = try await decode(request)
      return json(CancelledMessage(cancelled: try await service.cancel(statement: message.id)))
    default: return nil
    }
    return json(EmptyMessage())
  }

  private func decode<Result: Message>(_ request: Request) async throws -> Result {
    guard request.parameters.isEmpty else {
      throw RequestError("\(request.path) takes its request as JSON in the body, not in the URL")
    }
    return try Result(json: try await collect(request))
  }

  private func collect(_ request: Request) async throws -> [UInt8] {
    Array(buffer: try await RequestContent(request).collect(upTo: limits.requestByteCount))
  }

  private func json(_ message: some Message) -> Response { .json(Array(message.json)) }

  /// A result as an Arrow stream.
  private func arrow(_ result: QueryResult, for request: Request) throws -> Response {
    let tag = ExceptionBlock.makeTag()
    let encoder = ArrowBody(result.reader)
    var headers: HTTPHeaders = [
      "Content-Type": "application/vnd.apache.arrow.stream",
      "X-ClickHouse-Exception-Tag": tag,
    ]
    if let rows = result.changedRows {
      headers.add(name: "X-Magic-Changed-Rows", value: String(rows))
    }
    headers.add(result.commitPoint)
    let body = ResponseStream(
      next: { try await encoder.next() },
      ending: { error in
        let message = String(decoding: ErrorMessage(ErrorForm(error).apiError).json, as: UTF8.self)
        return [ByteBuffer(bytes: ExceptionBlock.bytes(message: message, tag: tag))]
      },
      cancel: { await result.reader.cancel() })
    return try Response(headers: headers, body: .stream(body))
      .compressed(for: request.head.headers)
  }
}

extension HTTPHeaders {
  /// Tells what a result reads.
  mutating func add(_ point: CommitPoint?) {
    guard let point else { return }
    add(name: "X-Magic-Commit-Point", value: String(point.commit))
    // A set of MySQL can be longer than clients take headers.
    if let gtids = point.gtids, gtids.utf8.count <= 8192 {
      add(name: "X-Magic-GTID", value: gtids)
    }
  }
}
