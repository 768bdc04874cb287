import Arrow
import CArrowABI
import MagicAPI
import MagicCore
import Synchronization

/// What an `AdbcStatement` stands for: a text or the target of an ingestion, and what is bound to it.
final class Statement: OptionHolder, Sendable {
  private struct State {
    var sql: String?
    var isPrepared = false
    var ingestion = Ingestion()
    var rows: ParameterRows?
    var writeToken: String?
    var partitionCount: Int?
  }

  let connection: Connection
  /// What it has under way.
  let work: Work
  private let state = Mutex(State())

  init(_ connection: Connection) throws {
    _ = try connection.service()
    self.connection = connection
    work = Work(parent: connection.work)
  }

  // MARK: What is to be done

  /// Sets the text.
  func setQuery(_ sql: String) {
    state.withLock { state in
      state.sql = sql
      state.isPrepared = false
      state.ingestion = Ingestion()
    }
  }

  /// Notes that the text may run several times. The engine keeps no plans, and Python's DBAPI
  /// prepares whatever it runs, so what the text takes and gives is found out when it is asked for.
  func prepare() throws {
    _ = try sql()
    state.withLock { $0.isPrepared = true }
  }

  /// Binds rows, which are those of an ingestion, or of the text's parameters.
  func bind(_ rows: any RecordBatchReader) {
    let rows = ParameterRows(rows)
    state.withLock { $0.rows = rows }
  }

  /// A field for each parameter, whose names and types nobody knows.
  func parameterSchema() throws -> Schema {
    guard state.withLock({ $0.isPrepared }) else {
      throw DriverError.invalidState("the statement is not prepared")
    }
    return Schema(
      fields: (0..<(try describe().parameterCount)).map { _ in Field(name: "", type: .null) })
  }

  /// The columns of the result, with the first of the bound rows, without running the statement.
  func resultSchema() throws -> Schema { try describe().columns ?? Schema(fields: []) }

  private func describe() throws -> StatementDescription {
    let sql = try sql()
    // A change of the session is known by its text, and has neither parameters nor a result.
    guard StatementText(sql).sessionEffect == .none else {
      return StatementDescription(columns: nil, parameterCount: 0, isRead: true)
    }
    let service = try connection.service()
    var request = connection.request(sql)
    if let rows = state.withLock({ $0.rows }) {
      request.positionalParameters = try work.wait { try await rows.peek() }
    }
    return try work.wait { [request] in try await service.describe(request) }
  }

  private func sql() throws -> String {
    guard let sql = state.withLock({ $0.sql }) else {
      throw DriverError.invalidState("the statement has no text; set a query first")
    }
    return sql
  }

  // MARK: Execution

  /// Runs the statement.
  ///
  /// - Parameter out: where its result goes; nil when nobody wants it.
  /// - Returns: how many rows it changed, when that is known.
  func execute(_ out: UnsafeMutablePointer<ArrowArrayStream>?) throws -> Int? {
    let (ingestion, rows, token) = state.withLock { state in
      // They can be read once.
      (state.ingestion, state.rows.take(), state.writeToken)
    }
    if ingestion.table != nil {
      let count = try ingest(ingestion, rows, token)
      if let out { ResultStream.export(EmptyReader(), into: out, work: work) }
      return count
    }
    let result = try run(rows, token)
    if let out {
      ResultStream.export(result.reader, into: out, work: work)
    } else {
      try work.wait { while try await result.reader.next() != nil {} }
    }
    return result.changedRows
  }

  private func run(_ parameters: ParameterRows?, _ token: String?) throws -> QueryResult {
    let sql = try sql()
    let text = StatementText(sql)
    switch text.sessionEffect {
    case .none: break
    case .use(let schema):
      try connection.use(schema)
      return QueryResult(reader: EmptyReader())
    case .engine: connection.beginSession()
    }
    let service = try connection.service()
    var request = connection.request(sql)
    request.writeToken = token
    var description: StatementDescription?
    if let parameters {
      // What the statement is can depend on the types of its parameters.
      var example = request
      example.positionalParameters = try work.wait { try await parameters.peek() }
      description = try work.wait { [example] in try await service.describe(example) }
    }
    let needsDescription = connection.distinguishesReads && !text.isPlainRead
    if needsDescription, description == nil, text.sessionEffect == .none {
      description = try work.wait { [request] in try await service.describe(request) }
    }
    if connection.distinguishesReads, let description, !description.isRead {
      try connection.checkWritable()
      request.transaction = try connection.transactionForChange()
    }
    guard let parameters, let description else {
      return try work.wait { [request] in try await service.query(request) }
    }
    return try work.wait { [request] in
      guard description.isRead else {
        let count = try await service.execute(request, parameterRows: parameters)
        return QueryResult(reader: EmptyReader(), changedRows: count)
      }
      return QueryResult(
        reader: try await RepeatedQuery(request, description, rows: parameters, service: service))
    }
  }

  private func ingest(
    _ ingestion: Ingestion, _ rows: (any RecordBatchReader)?, _ token: String?
  ) throws -> Int {
    guard let rows else {
      throw DriverError.invalidState("there are no rows to ingest; bind a batch or a stream first")
    }
    try connection.checkWritable()
    var write = try ingestion.write(schema: connection.schema)
    write.token = token
    write.fencingToken = connection.fencingToken
    let service = try connection.service()
    if ingestion.isTemporary {
      connection.beginSession()
      let request = connection.request("")
      return try work.wait { [write] in
        try await service.writeTemporary(write, rows: rows, in: request)
      }
    }
    write.transaction = try connection.transactionForChange()
    return try work.wait { [write] in try await service.write(write, rows: rows) }
  }

  // MARK: Partitions

  /// Divides the statement's result into parts that can be read side by side.
  func partitions() throws -> (schema: Schema, partitions: [Partition]) {
    let sql = try sql()
    // Rows are bound for one execution, which this is.
    let (rows, ingestion) = state.withLock { ($0.rows.take(), $0.ingestion) }
    if rows != nil || ingestion.table != nil {
      throw DriverError.notImplemented("a statement with bound rows has no partitions")
    }
    let description = try describe()
    guard description.isRead, let columns = description.columns else {
      throw DriverError.invalidArgument("only a statement that reads has partitions")
    }
    let service = try connection.service()
    let count = state.withLock { $0.partitionCount } ?? Partition.defaultCount
    let request = connection.request(sql)
    let partitions = try work.wait {
      try await Partition.divide(request, into: count, service: service)
    }
    return (columns, partitions)
  }

  // MARK: Options

  func setOption(_ key: String, _ value: OptionValue?) throws {
    switch key {
    case "magic.write_token":
      let token = try value?.text(key)
      state.withLock { $0.writeToken = token }
    case "magic.partition_count":
      let count = try value?.integer(key)
      guard count.map({ (1...10_000).contains($0) }) ?? true else {
        throw DriverError.invalidArgument("the option \(key) must be 1 to 10000")
      }
      state.withLock { $0.partitionCount = count.map { Int($0) } }
    case "adbc.statement.exec.incremental":
      if try value?.bool(key) == true {
        throw DriverError.notImplemented("incremental execution; results stream anyway")
      }
    default:
      try state.withLock { state in
        guard try state.ingestion.setOption(key, value) else {
          throw DriverError.unknownOption(key)
        }
        // It is one or the other.
        if state.ingestion.table != nil {
          state.sql = nil
          state.isPrepared = false
        }
      }
    }
  }

  func option(_ key: String) throws -> OptionValue? {
    state.withLock { state in
      switch key {
      case "magic.write_token": state.writeToken.map { .text($0) }
      case "magic.partition_count":
        .integer(Int64(state.partitionCount ?? Partition.defaultCount))
      case "adbc.statement.exec.incremental": .bool(false)
      default: state.ingestion.option(key)
      }
    }
  }
}
