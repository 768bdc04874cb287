import FoundationEssentials
import MagicAPI
import Synchronization

/// What an `AdbcConnection` stands for: what holds for all statements that are made on it.
final class Connection: OptionHolder, Sendable {
  /// The one catalog; databases are its schemas.
  static let catalog = "magic"

  private struct State {
    var database: Database?
    var service: (any MagicService)?
    var schema = "default"
    var isAutocommit = true
    var isReadOnly = false
    var transaction: String?
    /// The snapshot that statements read; nil for the newest state.
    var snapshot: String?
    /// Transactions of the source that every read has.
    var atLeast: String?
    /// The fencing token under which statements change something.
    var fencingToken: UInt64?
    /// The session of the engine in which statements run since one of them was SET or the like.
    var session: String?
  }

  /// What its statements and results have under way.
  let work = Work()
  private let state = Mutex(State())

  /// Opens it on a database.
  func open(_ database: Database) throws {
    guard state.withLock({ $0.database == nil }) else {
      throw DriverError.invalidState("the connection is initialised already")
    }
    let service = try database.addConnection()
    do {
      let schema = state.withLock { $0.schema }
      if schema != "default" { try check(schema, service) }
    } catch {
      database.connectionClosed()
      throw error
    }
    state.withLock { state in
      state.database = database
      state.service = service
    }
  }

  /// Ends all that is under way and rolls back what was not committed.
  func close() {
    work.cancel()
    let (database, service, transaction, session) = state.withLock { state in
      defer {
        state.database = nil
        state.service = nil
        state.transaction = nil
        state.session = nil
      }
      return (state.database, state.service, state.transaction, state.session)
    }
    // A service that cannot be reached any more will end them by itself.
    if let service, let transaction {
      try? Work().wait { try await service.rollback(transaction: transaction) }
    }
    if let service, let session {
      try? Work().wait { try await service.end(session: session) }
    }
    database?.connectionClosed()
  }

  /// The service that runs what is asked of the connection.
  func service() throws -> any MagicService {
    guard let service = state.withLock({ $0.service }) else {
      throw DriverError.invalidState("the connection is not initialised")
    }
    return service
  }

  // MARK: Statements

  /// The database of names without one.
  var schema: String { state.withLock { $0.schema } }

  /// A statement as the connection runs it, outside of any transaction.
  func request(_ sql: String) -> StatementRequest {
    var request = StatementRequest(sql)
    state.withLock { state in
      request.database = state.schema
      request.snapshot = state.snapshot
      request.atLeast = state.atLeast
      request.fencingToken = state.fencingToken
      request.session = state.session.map {
        // Its settings are not to vanish in silence.
        SessionRequest(name: $0, timeout: .seconds(3600))
      }
    }
    return request
  }

  /// Has the statements run in a session of the engine from now on, one after another.
  func beginSession() {
    state.withLock { $0.session = $0.session ?? UUID().uuidString }
  }

  /// Makes a database the one of names without one.
  func use(_ schema: String) throws {
    try check(schema, try service())
    state.withLock { $0.schema = schema }
  }

  /// The transaction that a change belongs to, which is begun when there is none; nil in autocommit
  /// mode.
  func transactionForChange() throws -> String? {
    let (isAutocommit, current) = state.withLock { ($0.isAutocommit, $0.transaction) }
    if isAutocommit || current != nil { return current }
    let service = try service()
    let transaction = try work.wait { try await service.beginTransaction(partOf: nil) }
    state.withLock { $0.transaction = transaction }
    return transaction
  }

  /// Refuses a change where only reading is allowed.
  func checkWritable() throws {
    if state.withLock({ $0.isReadOnly }) {
      throw DriverError(
        .unauthorized, "the connection is read-only (adbc.connection.readonly)", sqlState: "25006")
    }
  }

  /// Whether a statement must be known to read or to change before it runs.
  var distinguishesReads: Bool {
    state.withLock { $0.isReadOnly || !$0.isAutocommit }
  }

  // MARK: Transactions

  /// Publishes the changes since the last commit.
  func commit() throws {
    let token = fencingToken
    try endTransaction { service, transaction in
      var request = CommitRequest(transaction)
      request.fencingToken = token
      try await service.commit(request)
    }
  }

  /// The fencing token under which statements change something.
  var fencingToken: UInt64? { state.withLock { $0.fencingToken } }

  /// Forgets the changes since the last commit.
  func rollback() throws { try endTransaction { try await $0.rollback(transaction: $1) } }

  private func endTransaction(
    _ end: @escaping @Sendable (any MagicService, String) async throws -> Void
  ) throws {
    let service = try service()
    let (isAutocommit, transaction) = state.withLock { state in
      // However it ends, it is over.
      (state.isAutocommit, state.transaction.take())
    }
    if isAutocommit {
      throw DriverError.invalidState(
        "every statement is committed by itself; set adbc.connection.autocommit to false first")
    }
    if let transaction { try work.wait { try await end(service, transaction) } }
  }

  // MARK: Options

  func setOption(_ key: String, _ value: OptionValue?) throws {
    guard let value else {
      switch key {
      case "magic.snapshot": state.withLock { $0.snapshot = nil }
      case "magic.at_least": state.withLock { $0.atLeast = nil }
      case "magic.fencing_token": state.withLock { $0.fencingToken = nil }
      default: throw DriverError.invalidArgument("the option \(key) needs a value")
      }
      return
    }
    let isOpen = state.withLock { $0.service != nil }
    switch key {
    case "adbc.connection.autocommit":
      let isAutocommit = try value.bool(key)
      if isAutocommit, isOpen, !state.withLock({ $0.isAutocommit }) { try commit() }
      state.withLock { $0.isAutocommit = isAutocommit }
    case "adbc.connection.readonly":
      let isReadOnly = try value.bool(key)
      state.withLock { $0.isReadOnly = isReadOnly }
    case "adbc.connection.catalog":
      try Self.check(catalog: try value.text(key))
    case "adbc.connection.db_schema":
      let schema = try value.text(key)
      if isOpen { try use(schema) } else { state.withLock { $0.schema = schema } }
    case "adbc.connection.transaction.isolation_level":
      let level = try value.text(key)
      guard level == Self.isolation("default") || level == Self.isolation("read_committed") else {
        throw DriverError.notImplemented(
          "the isolation level \(level): every statement reads what is committed when it begins "
            + "(\(Self.isolation("read_committed")))")
      }
    case "magic.snapshot":
      let snapshot = try value.text(key)
      state.withLock { $0.snapshot = snapshot.isEmpty ? nil : snapshot }
    case "magic.at_least":
      let gtids = try value.text(key)
      state.withLock { $0.atLeast = gtids.isEmpty ? nil : gtids }
    case "magic.fencing_token":
      let text = try value.text(key)
      guard let token = UInt64(text) else {
        throw DriverError.invalidArgument("the option \(key) must be a number")
      }
      state.withLock { $0.fencingToken = token }
    default: throw DriverError.unknownOption(key)
    }
  }

  func option(_ key: String) throws -> OptionValue? {
    switch key {
    case "adbc.connection.autocommit": .bool(state.withLock { $0.isAutocommit })
    case "adbc.connection.readonly": .bool(state.withLock { $0.isReadOnly })
    case "adbc.connection.catalog": .text(Self.catalog)
    case "adbc.connection.db_schema": .text(schema)
    case "adbc.connection.transaction.isolation_level": .text(Self.isolation("read_committed"))
    case "magic.snapshot": .text(state.withLock { $0.snapshot } ?? "")
    case "magic.at_least": .text(state.withLock { $0.atLeast } ?? "")
    case "magic.fencing_token": .text(fencingToken.map { "\($0)" } ?? "")
    default: nil
    }
  }

  private static func isolation(_ level: String) -> String {
    "adbc.connection.transaction.isolation." + level
  }

  /// - Throws: when a catalog is named that there is not.
  static func check(catalog: String?) throws {
    if let catalog, !catalog.isEmpty, catalog != Self.catalog {
      throw DriverError.notFound(
        "there is no catalog \(catalog): databases are schemas of the catalog \(Self.catalog)")
    }
  }

  private func check(_ schema: String, _ service: any MagicService) throws {
    guard try work.wait(for: { try await service.databases() }).contains(schema) else {
      throw DriverError.notFound("there is no database \(schema)")
    }
  }
}
