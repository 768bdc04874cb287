import Arrow
import MagicAPI
import MagicCore
import NIOCore
import NIOHTTP1

/// The Magic API of the other side.
extension MagicClient: MagicService {
  public func run(
    _ request: StatementRequest, format: String, input: StatementInput?
  ) async throws -> StatementResult {
    try await failing {
      let path = try "/?" + urlQuery(clickHouseParameters(request, format: format))
      let answer = try await self.request(
        .POST, path, body: Self.body(request.sql, then: input))
      try await answer.check(Self.clickHouseError)
      return answer.statementResult(format: format, makeError: Self.clickHouseError)
    }
  }

  public func query(_ request: StatementRequest) async throws -> QueryResult {
    try await failing { try await rows("query", StatementMessage(request)) }
  }

  public func execute(
    _ request: StatementRequest, parameterRows: any RecordBatchReader
  ) async throws -> Int? {
    try await failing {
      let parameters = try StatementMessage(request).parameterList
      let change: ChangeMessage = try await send(
        "execute?" + urlQuery(parameters), .stream(ArrowInput(parameterRows).input))
      return change.changedRows
    }
  }

  public func describe(_ request: StatementRequest) async throws -> StatementDescription {
    try await failing {
      let message: DescriptionMessage = try await send("describe", StatementMessage(request))
      return try message.description()
    }
  }

  public func scan(_ scan: TableScan) async throws -> QueryResult {
    try await failing { try await rows("scan", scan) }
  }

  public func split(
    _ table: TableReference, into count: Int, snapshot: String?
  ) async throws -> TableSplits {
    try await failing {
      try await send("split", SplitMessage(table: table, count: count, snapshot: snapshot))
    }
  }

  public func write(_ write: TableWrite, rows: any RecordBatchReader) async throws -> Int {
    try await failing {
      let change: ChangeMessage = try await send(
        "write?" + urlQuery(try write.parameterList), .stream(ArrowInput(rows).input))
      return change.changedRows ?? 0
    }
  }

  public func tables(matching filter: TableSelection) async throws -> [TableEntry] {
    try await failing {
      let message: TablesMessage = try await send("tables", SelectionMessage(filter))
      return try message.entries()
    }
  }

  public func databases() async throws -> [String] {
    try await failing {
      let message: DatabasesMessage = try await send("databases", EmptyMessage())
      return message.databases
    }
  }

  public func beginTransaction(partOf: String?) async throws -> String {
    try await failing {
      let message: TransactionMessage = try await send(
        "transactions/begin", BeginMessage(partOf: partOf))
      return message.transaction
    }
  }

  public func commit(_ request: CommitRequest) async throws {
    try await failing {
      let _: EmptyMessage = try await send("transactions/commit", request)
    }
  }

  public func renew(transaction: String) async throws {
    try await failing {
      let _: EmptyMessage = try await send(
        "transactions/renew", TransactionMessage(transaction: transaction))
    }
  }

  public func rollback(transaction: String) async throws {
    try await failing {
      let _: EmptyMessage = try await send(
        "transactions/rollback", TransactionMessage(transaction: transaction))
    }
  }

  public func commitPoint(atLeast gtids: String?, timeout: Duration?) async throws -> CommitPoint {
    try await failing {
      let message: CommitPointMessage = try await send(
        "commitpoint",
        CommitPointRequestMessage(atLeast: gtids, timeout: timeout.map { $0 / .seconds(1) }))
      return message.point
    }
  }

  public func openSnapshot(_ request: SnapshotRequest) async throws -> Snapshot {
    try await failing { try await send("snapshots/open", OpenSnapshotMessage(request)) }
  }

  public func snapshots() async throws -> [Snapshot] {
    try await failing {
      let message: SnapshotsMessage = try await send("snapshots/list", EmptyMessage())
      return message.snapshots
    }
  }

  public func renew(snapshot: String) async throws -> Snapshot {
    try await failing { try await send("snapshots/renew", SnapshotMessage(snapshot: snapshot)) }
  }

  public func release(snapshot: String) async throws {
    try await failing {
      let _: EmptyMessage = try await send(
        "snapshots/release", SnapshotMessage(snapshot: snapshot))
    }
  }

  public func end(session: String) async throws {
    try await failing {
      let _: EmptyMessage = try await send("sessions/end", SessionMessage(session: session))
    }
  }

  public func statements() async throws -> [StatementEntry] {
    try await failing {
      let message: StatementsMessage = try await send("statements/list", EmptyMessage())
      return message.statements
    }
  }

  public func cancel(statement id: String) async throws -> Bool {
    try await failing {
      let message: CancelledMessage = try await send("cancel", CancelMessage(id: id))
      return message.cancelled
    }
  }

  // MARK: How requests are sent

  private func rows(_ route: String, _ message: some Message) async throws -> QueryResult {
    let answer = try await request(
      .POST, "/magic/v1/" + route, body: .bytes(ByteBuffer(bytes: message.json)))
    try await answer.check { Self.error($1) }
    let rows = answer.head.headers.first(name: "X-Magic-Changed-Rows").flatMap { Int($0) }
    return QueryResult(
      // An Arrow stream tells itself where it ends.
      reader: try await ArrowResponse(answer.reader(holdsBack: false, makeError: Self.error)),
      changedRows: rows, commitPoint: CommitPoint(answer.head.headers))
  }

  private func send<Result: Message>(
    _ route: String, _ message: some Message
  ) async throws -> Result {
    try await send(route, .bytes(ByteBuffer(bytes: message.json)))
  }

  private func send<Result: Message>(
    _ route: String, _ body: Exchange.Body
  ) async throws -> Result {
    let answer = try await request(.POST, "/magic/v1/" + route, body: body)
    try await answer.check { Self.error($1) }
    return try Result(json: try await answer.collect())
  }

  /// The error that a body in JSON tells of.
  static func error(_ text: String) -> APIError {
    guard let message = try? ErrorMessage(json: Array(text.utf8)) else {
      return APIError(.unavailable, "The other side is no Magic, it says: \(text.prefix(200))")
    }
    return message.apiError
  }

  private static func clickHouseError(_ head: HTTPResponseHead, _ text: String) -> APIError {
    var error = clickHouseError(text)
    let kind = head.headers.first(name: "X-Magic-Error-Kind").flatMap(APIError.Kind.init(rawValue:))
    if let kind { error.kind = kind }
    return error
  }

  private static func clickHouseError(_ text: String) -> APIError {
    APIError(EngineError(code: engineErrorCode(text), message: text))
  }

  private static func body(_ sql: String, then input: StatementInput?) -> Exchange.Body {
    guard let input else { return .bytes(ByteBuffer(string: sql)) }
    // The rows begin after one line break.
    let text = sql.hasSuffix("\n") ? sql : sql + "\n"
    return .stream(ContinuedInput(first: Array(text.utf8), then: input).input)
  }

  private func failing<Result>(_ body: () async throws -> Result) async throws -> Result {
    do {
      return try await body()
    } catch let error as APIError {
      throw error
    } catch let error as EngineError {
      throw APIError(error)
    } catch let error as ClientError {
      throw APIError(.unavailable, error.message)
    } catch is CancellationError {
      throw APIError(.cancelled, "The request was cancelled")
    } catch {
      throw APIError(.failed, "\(error)")
    }
  }
}

extension CommitPoint {
  /// What an answer says that it reads.
  init?(_ headers: HTTPHeaders) {
    guard let commit = headers.first(name: "X-Magic-Commit-Point").flatMap({ UInt64($0) }) else {
      return nil
    }
    self.init(commit: commit)
    gtids = headers.first(name: "X-Magic-GTID")
  }
}
