import Foundation

extension MagicAPI {
  /// What the service allows all its callers together, and each statement.
  public struct Limits: Sendable {
    /// How many statements run at a time; others wait.
    public var statementCount = 100
    /// How long a statement waits for room.
    public var admissionPatience = Duration.seconds(30)
    /// How long a statement may run; nil for ever.
    public var statementDuration: Duration?
    /// How long a statement is kept whose result nobody reads on.
    public var idleResultDuration = Duration.seconds(300)
    /// The memory of one statement, in bytes.
    public var statementByteCount: Int
    /// The memory of all statements, in bytes: the largest are ended when it is exceeded.
    public var totalByteCount: Int
    /// The most rows that a result may have; nil for any number.
    public var resultRowCount: Int?
    /// The most bytes that a result may have, before formatting; nil for any number.
    public var resultByteCount: Int?
    /// How many transactions may be open.
    public var transactionCount = 256
    /// How long a transaction lasts without being used.
    public var transactionLifetime = Duration.seconds(300)
    /// How many snapshots may be open.
    public var snapshotCount = 1024
    /// How long a snapshot lasts without being renewed or read, unless its request says otherwise.
    public var snapshotLifetime = Duration.seconds(600)
    /// The longest that a request may say.
    public var longestSnapshotLifetime = Duration.seconds(86_400)
    /// How long a read waits for transactions of the source, unless its request says otherwise.
    public var sourcePatience = Duration.seconds(30)
    /// How many sessions may be open.
    public var sessionCount = 1024
    /// How long a session lasts without being used, at most and by default.
    public var sessionLifetime = Duration.seconds(3600)
    /// How long running statements may go on when the service stops.
    public var shutdownGrace = Duration.seconds(10)

    /// The default limits, for a machine with that much memory: 60 % of it for all statements, and half
    /// of that for one.
    public init(memoryByteCount: UInt64 = ProcessInfo.processInfo.physicalMemory) {
      totalByteCount = Int(clamping: memoryByteCount / 10 * 6)
      statementByteCount = totalByteCount / 2
    }
  }
}

extension MagicAPI.Limits {
  /// The settings by which the engine keeps the limits of one statement.
  var bounds: [String: Int] {
    let bounds = [
      "max_memory_usage": statementByteCount, "max_result_rows": resultRowCount,
      "max_result_bytes": resultByteCount,
    ]
    return bounds.compactMapValues(\.self)
  }

  /// Puts the limits into a statement's settings, below which a caller's own may stay.
  func apply(to settings: inout [String: String]) {
    for (name, bound) in bounds {
      let wanted = settings[name].flatMap { Int($0) } ?? 0
      settings[name] = "\(wanted > 0 ? min(wanted, bound) : bound)"
    }
  }
}
