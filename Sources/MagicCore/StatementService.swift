/// The one path that every interface runs user statements through.
public protocol StatementService: Sendable {
  /// Runs one statement. Its result is in the format of its own FORMAT clause, else in `format`.
  ///
  /// - Parameters:
  ///   - statement: SQL, with at most one `;` at its end.
  ///   - format: an output format's name as ClickHouse spells it, such as `CSVWithNames`.
  /// - Throws: ``EngineError`` when the statement fails before the first byte of its result.
  func run(_ statement: String, format: String) async throws -> StatementResult
}

/// A statement's result, read chunk by chunk.
public struct StatementResult: Sendable {
  /// The format that the bytes are in.
  public var format: String
  /// How many rows the statement changed, for one that tells.
  public var changedRows: Int?
  /// What it reads; nil for a statement that has no result.
  public var commitPoint: CommitPoint?
  private let nextChunk: @Sendable () async throws -> [UInt8]?
  private let cancelStatement: @Sendable () async -> Void

  /// Makes a result from how to read it and how to end it early.
  public init(
    format: String, changedRows: Int? = nil, commitPoint: CommitPoint? = nil,
    next: @escaping @Sendable () async throws -> [UInt8]?,
    cancel: @escaping @Sendable () async -> Void
  ) {
    self.format = format
    self.changedRows = changedRows
    self.commitPoint = commitPoint
    self.nextChunk = next
    self.cancelStatement = cancel
  }

  /// The next bytes; nil at the end. The statement runs no further ahead than its reader pulls.
  ///
  /// - Throws: ``EngineError`` when the statement fails half-way or was cancelled.
  public func next() async throws -> [UInt8]? { try await nextChunk() }

  /// Ends the statement in the engine; idempotent, and without effect after the end.
  public func cancel() async { await cancelStatement() }
}
