import Latches

/// Where the latches of a node are kept, and which of several nodes serves them.
public protocol LatchStore: Sendable {
  /// Waits until this node is the one that serves.
  ///
  /// - Parameter onFollowing: is told which other node serves meanwhile.
  /// - Returns: from what it goes on.
  func begin(
    _ onFollowing: @Sendable (Leader?) async -> Void
  ) async throws -> Beginning

  /// Stores changes: once it returns they outlive the process, and other nodes will go on with them.
  ///
  /// - Throws: ``DeposedError`` when this node does not serve any more; other errors when the changes
  ///   may not be stored, and are to be stored again.
  nonisolated(nonsending) func write(_ changes: LatchChanges, at time: Duration) async throws

  /// Waits until everything written is on the disk.
  nonisolated(nonsending) func sync() async throws

  /// Whether no other node can serve at this moment.
  var isLeading: Bool { get }

  /// Waits until this node does not serve any more.
  func waitUntilDeposed() async throws

  /// How long a change by this process may take that checks a fencing token; nil when nobody else can
  /// serve as long as this process lives.
  var entryLimit: Duration? { get }

  /// Ends: another may serve now.
  func end() async
}

/// From what a node goes on.
public struct Beginning: Sendable {
  /// What was stored.
  public var snapshot: LatchSnapshot
  /// Whether its times are those of this node's clock.
  public var isSameClock: Bool
  /// Before this time nothing may be granted, because leases may be lost.
  public var grantsFrom: Duration?
  /// Proves to this node that somebody else is one.
  public var secret: String?
}

/// The node that serves.
public struct Leader: Hashable, Sendable {
  /// Where clients reach it.
  public var address: String
  /// Proves to it that somebody else is a node.
  public var secret: String
  /// Whether it speaks TLS.
  public var usesTLS: Bool
}

/// This node does not serve any more.
public struct DeposedError: Error {}

/// Why latches cannot be stored or read.
public struct LatchStoreError: Error, Hashable, CustomStringConvertible {
  public let description: String

  init(_ description: String) { self.description = description }
}
