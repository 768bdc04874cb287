import Foundation

/// A published state: everything that was committed up to a moment, and nothing else.
public struct CommitPoint: Hashable, Sendable, Codable {
  /// The number of the last commit that is part of it.
  public var commit: UInt64
  /// The checkpoint of replication as of it, see ``ChangeSink/publish(_:checkpoint:)``; empty without
  /// replication.
  public var checkpoint: [UInt8]
  /// The transactions of the source that are part of it: a set of GTIDs as the source writes it; nil
  /// without replication, or when the source has none.
  public var gtids: String?

  /// Makes a commit point.
  public init(commit: UInt64, checkpoint: [UInt8] = []) {
    self.commit = commit
    self.checkpoint = checkpoint
    struct Position: Decodable {
      var gtids: String?
      var gtid: String?
    }
    let position = try? JSONDecoder().decode(Position.self, from: Data(checkpoint))
    gtids = position?.gtids ?? position?.gtid
  }
}

/// Keeps a published state readable for as long as this object, or a copy of the reference, exists.
public final class CommitPin: Sendable {
  /// What is read.
  public let point: CommitPoint
  /// The tables that can be read; nil for all.
  public let tables: Set<TableReference>?
  /// Whether the state stays what it is while tables are altered, renamed and dropped: then every
  /// statement that reads it enters by itself.
  public let isSnapshot: Bool
  /// Grows from pin to pin: tells what was there before a snapshot, when nothing was committed since.
  public let number: UInt64
  /// The number under which the state is kept for processes to come; nil when it is not.
  public let lasting: UInt64?
  private let whenFound: @Sendable () -> Void
  private let release: @Sendable () -> Void

  /// Makes a pin that calls `whenFound` at ``noteFound()``, and `release` when it goes.
  public init(
    _ point: CommitPoint, tables: Set<TableReference>? = nil, isSnapshot: Bool = false,
    number: UInt64 = 0, lasting: UInt64? = nil,
    whenFound: @escaping @Sendable () -> Void = {}, release: @escaping @Sendable () -> Void
  ) {
    self.point = point
    self.tables = tables
    self.isSnapshot = isSnapshot
    self.number = number
    self.lasting = lasting
    self.whenFound = whenFound
    self.release = release
  }

  /// Notes that the statement that reads it has found all of its tables.
  public func noteFound() { whenFound() }

  deinit { release() }
}
