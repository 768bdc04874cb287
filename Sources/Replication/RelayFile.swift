/// Events as the source wrote them that are not applied yet, and how much of them a file of ``RelayStore``
/// has. There are two kinds:
///
/// - A distributed transaction (XA) from its beginning to its XA PREPARE. Its rows take effect at its
///   XA COMMIT, which may be long after.
/// - The changes of a table that is being copied, where they do not say the whole rows
///   (`binlog_row_image` is not FULL): what they leave out is in rows that may not be copied yet. They are
///   applied when all rows are; those were read as of one moment, so that each change finds the row as it
///   was just before.
final class RelayFile {
  let name: String
  /// How much of the file is stored, in bytes.
  private(set) var length: UInt64
  /// What is not stored yet.
  private var events: [[UInt8]] = []
  /// How much that is.
  private(set) var byteCount = 0

  /// - Parameters:
  ///   - name: a name that nothing else has.
  ///   - length: how much of the file belongs to the checkpoint.
  ///   - formatDescription: the event that tells how the others are read; empty when the file has it.
  init(_ name: String, length: UInt64 = 0, formatDescription: [UInt8] = []) {
    self.name = name
    self.length = length
    if !formatDescription.isEmpty { add(formatDescription) }
  }

  /// The name of the file for the changes of a table.
  static func name(ofTable id: UInt64) -> String { "table-\(id)" }

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
