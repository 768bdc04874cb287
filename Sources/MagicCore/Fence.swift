/// Tells whether what is held by fencing tokens may still be changed with them.
public protocol Fence: Sendable {
  /// Keeps what a grant holds from everybody else, also when its lease ends, until ``leave(_:)``:
  /// something is about to be published by its token.
  ///
  /// - Parameters:
  ///   - token: the fencing token of the grant.
  ///   - change: what is about to be changed, and by whom.
  /// - Throws: ``EngineError`` when the token is stale, is another user's, or does not allow the change.
  func enter(_ token: UInt64, for change: FencedChange) async throws -> FenceEntry

  /// Ends what ``enter(_:for:)`` began.
  func leave(_ entry: FenceEntry) async
}

/// What is changed under a fencing token.
public struct FencedChange: Hashable, Sendable {
  /// The user, whose own the latch must be; nil for an admin, who may use those of others.
  public var user: String?
  /// The tables of which some rows change.
  public var rows: Set<TableReference>
  /// The tables that are declared, altered, renamed, emptied or dropped. A reference without a table is
  /// of a database.
  public var tables: Set<TableReference>

  /// Describes a change.
  public init(
    by user: String? = nil, rows: Set<TableReference> = [], tables: Set<TableReference> = []
  ) {
    self.user = user
    self.rows = rows
    self.tables = tables
  }
}

/// What ``Fence/enter(_:for:)`` began.
public struct FenceEntry: Hashable, Sendable {
  /// A number that the fence knows it by.
  public var id: UInt64
  /// When it ends by itself: nothing may be changed after that. nil for never.
  public var deadline: ContinuousClock.Instant?

  /// Makes an entry.
  public init(id: UInt64, deadline: ContinuousClock.Instant?) {
    self.id = id
    self.deadline = deadline
  }
}

/// The fencing tokens under which something is changed.
public struct Fencing: Sendable {
  /// Those of the task that runs.
  @TaskLocal public static var current: Fencing?

  private let fence: any Fence
  /// What is changed with each token.
  public private(set) var changes: [UInt64: FencedChange]

  /// Changes something with a token.
  public init(_ fence: any Fence, token: UInt64, _ change: FencedChange) {
    self.fence = fence
    changes = [token: change]
  }

  /// The same tokens, each for the rows of some tables and for some tables as a whole.
  public func changing(
    rows: Set<TableReference>, tables: Set<TableReference>
  ) -> Fencing {
    var fencing = self
    for token in fencing.changes.keys {
      fencing.changes[token]?.rows = rows
      fencing.changes[token]?.tables = tables
    }
    return fencing
  }

  /// Adds what is changed with other tokens.
  public mutating func formUnion(_ other: Fencing) {
    changes.merge(other.changes) { one, another in
      FencedChange(
        by: one.user, rows: one.rows.union(another.rows),
        tables: one.tables.union(another.tables))
    }
  }

  /// Enters with all tokens, or with none.
  ///
  /// - Returns: for ``leave(_:)``.
  /// - Throws: ``EngineError`` when a token is stale.
  public func enter() async throws -> [FenceEntry] {
    var entries: [FenceEntry] = []
    do {
      for (token, change) in changes.sorted(by: { $0.key < $1.key }) {
        entries.append(try await fence.enter(token, for: change))
      }
      return entries
    } catch {
      await leave(entries)
      throw error
    }
  }

  /// Ends what ``enter()`` began.
  public func leave(_ entries: [FenceEntry]) async {
    for entry in entries { await fence.leave(entry) }
  }

  /// Runs `body` while all that the tokens hold is kept; it is cancelled before that ends.
  public func entered<Result: Sendable>(
    _ body: @escaping @Sendable () async throws -> Result
  ) async throws -> Result {
    let entries = try await enter()
    do {
      let result = try await Self.run(until: entries.compactMap(\.deadline).min(), body)
      await leave(entries)
      return result
    } catch {
      await leave(entries)
      throw error
    }
  }

  private static func run<Result: Sendable>(
    until deadline: ContinuousClock.Instant?, _ body: @escaping @Sendable () async throws -> Result
  ) async throws -> Result {
    guard let deadline else { return try await body() }
    let task = Task { try await body() }
    // The engine takes some time to end a statement.
    let end = deadline - .seconds(2)
    let alarm = Task {
      try await Task.sleep(until: end)
      task.cancel()
    }
    defer { alarm.cancel() }
    do {
      return try await withTaskCancellationHandler {
        try await task.value
      } onCancel: {
        task.cancel()
      }
    } catch  where ContinuousClock.now >= end {
      throw EngineError(
        message: "the change took longer than its latch can be kept for it, and was ended; a table "
          + "that is no mutable one has what was written until then")
    }
  }
}
