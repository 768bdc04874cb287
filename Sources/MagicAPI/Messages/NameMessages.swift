import MagicCore

/// The name of a transaction.
public struct TransactionMessage: Message {
  public static let members = ["transaction"]

  /// The name.
  public var transaction: String

  /// Makes a message.
  public init(transaction: String) { self.transaction = transaction }
}

/// Asks for a new transaction.
public struct BeginMessage: Message {
  public static let members = ["partOf"]

  /// The name of the transaction that it is a part of.
  public var partOf: String?

  /// Makes a message.
  public init(partOf: String?) { self.partOf = partOf }
}

extension CommitRequest: Message {
  public static var members: [String] {
    ["transaction", "fencingToken", "parts", "token", "unchangedSince"]
  }
}

/// A ``SnapshotRequest`` as JSON.
public struct OpenSnapshotMessage: Message {
  public static let members = ["tables", "lifetime", "lasting", "atLeast", "timeout"]

  /// The tables; nil for all.
  public var tables: Set<TableReference>?
  /// How long it lasts, in seconds.
  public var lifetime: Double?
  /// See ``SnapshotRequest/isLasting``.
  public var lasting: Bool?
  /// GTIDs that it waits for.
  public var atLeast: String?
  /// How long it waits, in seconds.
  public var timeout: Double?

  /// Makes the message of a request.
  public init(_ request: SnapshotRequest) {
    tables = request.tables
    lifetime = request.lifetime.map { $0 / .seconds(1) }
    lasting = request.isLasting ? true : nil
    atLeast = request.atLeast
    timeout = request.timeout.map { $0 / .seconds(1) }
  }

  /// The request.
  ///
  /// - Throws: ``APIError`` of kind `invalid`.
  public func request() throws(APIError) -> SnapshotRequest {
    var request = SnapshotRequest()
    request.tables = tables
    request.lifetime = try lifetime.map(StatementMessage.duration)
    request.isLasting = lasting ?? false
    request.atLeast = atLeast
    request.timeout = try timeout.map(StatementMessage.duration)
    return request
  }
}

/// Asks which commit point is the newest.
public struct CommitPointRequestMessage: Message {
  public static let members = ["atLeast", "timeout"]

  /// GTIDs that it waits for.
  public var atLeast: String?
  /// How long it waits, in seconds.
  public var timeout: Double?

  /// Makes a message.
  public init(atLeast: String?, timeout: Double?) {
    self.atLeast = atLeast
    self.timeout = timeout
  }
}

/// A commit point.
public struct CommitPointMessage: Message {
  public static let members = ["commit", "gtids"]

  /// The number of its last commit.
  public var commit: UInt64
  /// See `CommitPoint.gtids`.
  public var gtids: String?

  /// Makes the message of a commit point.
  public init(_ point: CommitPoint) {
    commit = point.commit
    gtids = point.gtids
  }

  /// The commit point.
  public var point: CommitPoint {
    var point = CommitPoint(commit: commit)
    point.gtids = gtids
    return point
  }
}

/// Snapshots.
public struct SnapshotsMessage: Message {
  public static let members = ["snapshots"]

  /// The snapshots.
  public var snapshots: [Snapshot]

  /// Makes a message.
  public init(snapshots: [Snapshot]) { self.snapshots = snapshots }
}

/// The name of a snapshot.
public struct SnapshotMessage: Message {
  public static let members = ["snapshot"]

  /// The name.
  public var snapshot: String

  /// Makes a message.
  public init(snapshot: String) { self.snapshot = snapshot }
}

/// The name of a session.
public struct SessionMessage: Message {
  public static let members = ["session"]

  /// The name.
  public var session: String

  /// Makes a message.
  public init(session: String) { self.session = session }
}

/// Running statements.
public struct StatementsMessage: Message {
  public static let members = ["statements"]

  /// The statements.
  public var statements: [StatementEntry]

  /// Makes a message.
  public init(statements: [StatementEntry]) { self.statements = statements }
}

/// The name of a statement.
public struct CancelMessage: Message {
  public static let members = ["id"]

  /// The name.
  public var id: String

  /// Makes a message.
  public init(id: String) { self.id = id }
}

/// Whether a statement was there to be cancelled.
public struct CancelledMessage: Message {
  public static let members = ["cancelled"]

  /// Whether.
  public var cancelled: Bool

  /// Makes a message.
  public init(cancelled: Bool) { self.cancelled = cancelled }
}

/// Nothing to say.
public struct EmptyMessage: Message {
  public static let members: [String] = []

  /// Makes a message.
  public init() {}
}
