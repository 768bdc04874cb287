import Arrow

/// A ``StatementRequest`` as JSON.
public struct StatementMessage: Message {
  enum CodingKeys: String, CodingKey, CaseIterable {
    case sql, database, parameters, arguments, settings, id, transaction, snapshot, session, token
    case atLeast, fencingToken
    case timeout, sessionTimeout, sessionMustExist
  }

  public static let members = CodingKeys.allCases.map(\.rawValue)

  /// The text.
  public var sql: String
  /// The database of names without one; nil for `default`.
  public var database: String?
  /// The values of `{name:Type}`, by name.
  public var parameters: [String: String]?
  /// The values of `?` and `$n`: an Arrow stream of one row in base64.
  public var arguments: String?
  /// Settings of the engine.
  public var settings: [String: String]?
  /// By what name it can be cancelled.
  public var id: String?
  /// The transaction that collects its changes.
  public var transaction: String?
  /// The snapshot that it reads.
  public var snapshot: String?
  /// GTIDs that the state must have which it reads.
  public var atLeast: String?
  /// The fencing token under which it changes something.
  public var fencingToken: UInt64?
  /// The session that it belongs to.
  public var session: String?
  /// How long the session lasts without use, in seconds.
  public var sessionTimeout: Double?
  /// Whether it is an error when the session does not exist yet.
  public var sessionMustExist: Bool?
  /// Makes a repeated write harmless.
  public var token: String?
  /// How long it may run, in seconds.
  public var timeout: Double?

  /// Makes a message with nothing but a text.
  public init(sql: String) { self.sql = sql }

  /// Makes the message of a request.
  ///
  /// - Throws: ``APIError`` when the positional parameters cannot be sent.
  public init(_ request: StatementRequest) throws(APIError) {
    sql = request.sql
    database = request.database
    parameters = request.parameters.isEmpty ? nil : request.parameters
    if let row = request.positionalParameters { arguments = try StreamText.encode(row) }
    settings = request.settings.isEmpty ? nil : request.settings
    id = request.id
    transaction = request.transaction
    snapshot = request.snapshot
    atLeast = request.atLeast
    fencingToken = request.fencingToken
    session = request.session?.name
    sessionTimeout = request.session?.timeout.map { $0 / .seconds(1) }
    sessionMustExist = request.session?.mustExist
    token = request.writeToken
    timeout = request.timeout.map { $0 / .seconds(1) }
  }

  /// The request.
  ///
  /// - Throws: ``APIError`` of kind `invalid`.
  public func request() throws(APIError) -> StatementRequest {
    var request = StatementRequest(sql)
    if let database { request.database = database }
    request.parameters = parameters ?? [:]
    request.settings = settings ?? [:]
    if let arguments {
      request.positionalParameters = try Self.row(arguments, member: "arguments")
    }
    request.id = id
    request.transaction = transaction
    request.snapshot = snapshot
    request.atLeast = atLeast
    request.fencingToken = fencingToken
    if let session {
      request.session = SessionRequest(
        name: session, timeout: try sessionTimeout.map(Self.duration),
        mustExist: sessionMustExist ?? false)
    }
    request.writeToken = token
    request.timeout = try timeout.map(Self.duration)
    return request
  }

  /// Decodes an Arrow stream of one row in base64.
  ///
  /// - Throws: ``APIError`` of kind `invalid`, which names the member.
  public static func row(_ text: String, member: String) throws(APIError) -> RecordBatch {
    try StreamText.row(text, member: member)
  }

  /// A number of seconds.
  ///
  /// - Throws: ``APIError`` when it is not positive, or longer than a year.
  public static func duration(seconds: Double) throws(APIError) -> Duration {
    guard seconds > 0, seconds <= 366 * 86_400 else {
      throw APIError(.invalid, "A time-out must be a number of seconds, at most a year")
    }
    return .seconds(seconds)
  }
}

/// A ``StatementDescription`` as JSON.
public struct DescriptionMessage: Message {
  public static let members = ["schema", "parameterCount", "isRead"]

  /// The columns: an Arrow stream without batches in base64; nil when there is no result.
  public var schema: String?
  /// How many `?` it has.
  public var parameterCount: Int
  /// Whether it only reads.
  public var isRead: Bool

  /// Makes the message of a description.
  public init(_ description: StatementDescription) {
    schema = description.columns.map(StreamText.encode)
    parameterCount = description.parameterCount
    isRead = description.isRead
  }

  /// The description.
  ///
  /// - Throws: ``APIError`` when the schema cannot be read.
  public func description() throws(APIError) -> StatementDescription {
    StatementDescription(
      columns: try schema.map { text throws(APIError) in
        try StreamText.schema(text, member: "schema")
      }, parameterCount: parameterCount, isRead: isRead)
  }
}

/// What a statement, or a write, changed.
public struct ChangeMessage: Message {
  public static let members = ["changedRows"]

  /// The number of rows; nil when the statement does not tell.
  public var changedRows: Int?

  /// Makes a message.
  public init(changedRows: Int?) { self.changedRows = changedRows }
}
