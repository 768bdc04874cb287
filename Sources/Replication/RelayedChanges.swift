import Binlog

/// The changes of a table that is being copied, as the source wrote them, where they do not say the whole
/// rows (`binlog_row_image` is not FULL): what they leave out is in rows that may not be copied yet. They
/// are applied when all rows are; those were read as of one moment, so that each change finds the row as it
/// was just before.
final class RelayedChanges {
  let fileName: String
  /// What is not stored yet.
  private(set) var events: [[UInt8]]
  private(set) var byteCount = 0
  /// How much of the file is stored.
  private(set) var length: UInt64

  /// - Parameters:
  ///   - length: how much of the file belongs to the checkpoint.
  ///   - formatDescription: the event that tells how the others are read.
  init(of table: UInt64, length: UInt64, formatDescription: [UInt8]) {
    fileName = "table-\(table)"
    self.length = length
    events = []
    if !formatDescription.isEmpty { add(formatDescription) }
  }

  func add(_ event: [UInt8]) {
    events.append(event)
    byteCount += event.count
  }

  /// The events that are to be stored next, and where; they count as stored.
  func take() -> (events: [[UInt8]], offset: UInt64) {
    let taken = (events: events, offset: length)
    length += RelayStore.byteCount(of: events)
    (events, byteCount) = ([], 0)
    return taken
  }
}
