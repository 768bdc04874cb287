/// The name of a transaction.
public struct TransactionMessage: Message {
  public static let members = ["transaction"]

  /// The name.
  public var transaction: String

  /// Makes a message.
  public init(transaction: String) { self.transaction = transaction }
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
