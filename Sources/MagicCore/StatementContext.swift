import Arrow

/// What a statement runs with, besides its own text.
public struct StatementContext: Sendable {
  /// The database of names without one.
  public var database = "default"
  /// The values of `{name:Type}` in the statement, as text in the form of ClickHouse's TSV format
  /// (so `\N` is NULL), by name.
  public var parameters: [String: String] = [:]
  /// One row with the values of the `?` or `$1`, `$2`, … in the statement, in their order; nil when
  /// it has none.
  public var positionalParameters: RecordBatch?
  /// Settings of the engine that hold for this statement only.
  public var settings: [String: String] = [:]
  /// Whether the engine refuses whatever would change data or settings, or reach beyond the engine
  /// (`readonly = 1`).
  public var isReadOnly = false
  /// The state that the statement reads; nil for the newest.
  public var commitPoint: CommitPin?
  /// Collects the statement's changes of mutable tables instead of having them published at once.
  public var transaction: (any Transaction)?
  /// Makes a repeated write harmless: a token that a published write had already, in the last week,
  /// makes this one do nothing.
  public var writeToken: String?
  /// The fencing token under which it changes tables; nil for none.
  public var fencing: Fencing?
  /// What follows the statement's text: the rows of an `INSERT … FORMAT …`, of any length.
  public var input: StatementInput?
  /// The session whose settings, current database and temporary tables the statement shares; nil
  /// for a session of its own.
  public var session: (any DatabaseSession)?

  /// The context of a statement that nothing special is said about.
  public init() {}
}

/// Bytes that come piece by piece, such as the rows of an INSERT.
public struct StatementInput: Sendable {
  private let nextChunk: @Sendable () async throws -> [UInt8]?

  /// Makes an input from how to read it; `next` gives nil at the proper end, and throws when the
  /// rest will never come.
  public init(next: @escaping @Sendable () async throws -> [UInt8]?) { nextChunk = next }

  /// The next bytes; nil at the end.
  public func next() async throws -> [UInt8]? { try await nextChunk() }
}

/// A session that outlives its statements: what `SET` and `USE` change stays, and so do temporary
/// tables. Its statements run one after another.
public protocol DatabaseSession: Sendable {
  /// The database of names without one.
  var database: String { get }

  /// Ends the session; idempotent. A statement that still runs is cancelled.
  func close() async
}

/// Changes that become visible together or not at all.
///
/// Each change is set aside when its statement runs; UPDATE and DELETE with a condition, which read
/// the rows that they change, run when the transaction is committed. Nothing is locked before that,
/// and whatever happens before it, to this process or to the client, leaves nothing behind. A
/// transaction that is dropped is rolled back.
public protocol Transaction: Sendable {
  /// Begins a part of this transaction, which collects changes of its own, beside others; in it,
  /// tables that this transaction has made can be written to. Its changes are published with this
  /// transaction's, or never.
  ///
  /// - Throws: ``EngineError`` when this transaction is over, or is a part itself.
  func beginPart() async throws -> any Transaction
  /// Publishes all changes in one step; durable on return. The transaction and the parts named are
  /// over afterwards, however this ends.
  ///
  /// - Returns: the commit point from which on they are seen.
  /// - Throws: ``EngineError`` when nothing was published.
  @discardableResult func commit(_ terms: CommitTerms) async throws -> UInt64
  /// Forgets all changes; idempotent, and without effect after ``commit(_:)``.
  func rollback() async
}

/// What is published with a transaction, and under which conditions.
public struct CommitTerms: Sendable {
  /// A fencing token, without tables: what the transaction changes is meant.
  public var fencing: Fencing?
  /// Parts of the transaction whose changes follow its own, in this order. What others have
  /// collected is forgotten.
  public var parts: [any Transaction] = []
  /// Makes a repeated commit harmless: of those with one token only the first changes a table.
  public var token: String?
  /// A commit point since which nobody else may have changed the tables whose rows change; nil when
  /// that does not matter.
  public var unchangedSince: UInt64?

  /// Publishes the transaction's own changes.
  public init() {}
}
