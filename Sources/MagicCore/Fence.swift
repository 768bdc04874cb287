/// Tells whether what is held by fencing tokens may still be changed with them.
public protocol Fence: Sendable {
  /// Keeps what a grant holds from everybody else, also when its lease ends, until ``leave(_:)``:
  /// something is about to be published by its token.
  ///
  /// - Parameters:
  ///   - token: the fencing token of the grant.
  ///   - tables: what is about to be changed.
  /// - Throws: ``EngineError`` when the token is stale, or the grant does not allow the change.
  func enter(_ token: UInt64, changing tables: Set<TableReference>) async throws -> FenceEntry

  /// Ends what ``enter(_:changing:)`` began.
  func leave(_ entry: FenceEntry) async
}

/// What ``Fence/enter(_:changing:)`` began.
public struct FenceEntry: Hashable, Sendable {
  /// A number that the fence knows it by.
  public var id: UInt64
  /// When it ends by itself: nothing may be published after that. nil for never.
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
  public private(set) var tables: [UInt64: Set<TableReference>]

  /// Changes tables with a token.
  public init(_ fence: any Fence, token: UInt64, tables: Set<TableReference>) {
    self.fence = fence
    self.tables = [token: tables]
  }

  /// The same tokens, each for all of some tables.
  public func changing(_ tables: Set<TableReference>) -> Fencing {
    var fencing = self
    for token in fencing.tables.keys { fencing.tables[token] = tables }
    return fencing
  }

  /// Adds what is changed with other tokens.
  public mutating func formUnion(_ other: Fencing) {
    tables.merge(other.tables) { $0.union($1) }
  }

  /// Enters with all tokens, or with none.
  ///
  /// - Returns: for ``leave(_:)``.
  /// - Throws: ``EngineError`` when a token is stale.
  public func enter() async throws -> [FenceEntry] {
    var entries: [FenceEntry] = []
    do {
      for (token, tables) in tables.sorted(by: { $0.key < $1.key }) {
        entries.append(try await fence.enter(token, changing: tables))
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

  /// Runs `body` while all that the tokens hold is kept.
  public func entered<Result: Sendable>(
    isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Result
  ) async throws -> Result {
    let entries = try await enter()
    do {
      let result = try await body()
      await leave(entries)
      return result
    } catch {
      await leave(entries)
      throw error
    }
  }
}
