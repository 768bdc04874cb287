import Binlog

/// The events of a distributed transaction (XA) from its beginning to its XA PREPARE, as the source wrote
/// them. Its rows take effect at its XA COMMIT, which may be long after.
final class PreparedTransaction {
  /// The name of the file that keeps it.
  let fileName: String
  /// How much of it is stored.
  private var length: UInt64 = 0
  /// What is not stored yet.
  private(set) var events: [[UInt8]] = []
  private(set) var byteCount = 0
  /// Whether its XA PREPARE was read.
  var isComplete = false

  /// - Parameters:
  ///   - fileName: a name that no other transaction has.
  ///   - formatDescription: the event that tells how the others are read.
  init(fileName: String, formatDescription: [UInt8]) {
    self.fileName = fileName
    if !formatDescription.isEmpty { add(formatDescription.span.bytes) }
  }

  func add(_ event: RawSpan) {
    events.append(event.withUnsafeBytes { Array($0) })
    byteCount += event.byteCount
  }

  /// The events that are to be stored next, and where; they count as stored.
  func take() -> (events: [[UInt8]], offset: UInt64) {
    let taken = (events: events, offset: length)
    length += RelayStore.byteCount(of: events)
    (events, byteCount) = ([], 0)
    return taken
  }
}
