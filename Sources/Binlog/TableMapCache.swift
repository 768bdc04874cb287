import Glibc
import WireFormat

/// The table maps that rows events refer to by table id.
///
/// Servers number a table anew when they reopen it, so that ids grow without end. Two generations
/// bound the memory: when the younger one is full, the older one is forgotten. A statement's maps
/// come right before its rows events, far nearer than a generation.
struct TableMapCache: Sendable {
  private struct Entry {
    var tableMap: TableMap
    /// The bytes after the table id, to recognise a map that did not change.
    var bytes: [UInt8]
  }

  private static let generationSize = 32_768

  private var young: [UInt64: Entry] = [:]
  private var old: [UInt64: Entry] = [:]

  subscript(tableID: UInt64) -> TableMap? { young[tableID]?.tableMap ?? old[tableID]?.tableMap }

  mutating func removeAll() {
    young.removeAll()
    old.removeAll()
  }

  /// Decodes a TABLE_MAP event and keeps it.
  ///
  /// Servers repeat the map before each statement; one that is the same as before is not decoded
  /// again.
  mutating func decode(from reader: inout ByteReader, postHeaderLength: Int, isMariaDB: Bool)
    throws(DecodeError) -> TableMap
  {
    let tableID = try reader.readTableID(postHeaderLength: postHeaderLength)
    var rest = reader
    let bytes = try rest.readBytes(rest.remaining)
    if let known = young[tableID] ?? old[tableID], known.bytes.span.bytes.isEqual(to: bytes) {
      try reader.skip(reader.remaining)
      return known.tableMap
    }
    let tableMap = TableMap(
      try TableMap.Content(
        tableID: tableID, from: &reader, postHeaderLength: postHeaderLength, isMariaDB: isMariaDB))
    if young.count >= Self.generationSize {
      old = young
      young.removeAll(keepingCapacity: true)
    }
    young[tableID] = Entry(tableMap: tableMap, bytes: bytes.withUnsafeBytes { [UInt8]($0) })
    return tableMap
  }
}

extension ByteReader {
  /// Reads a table id, which takes four bytes in the first releases of 5.1 and six since.
  mutating func readTableID(postHeaderLength: Int) throws(DecodeError) -> UInt64 {
    try readUInt(byteCount: postHeaderLength == 6 ? 4 : 6)
  }
}

extension RawSpan {
  /// Whether another span has the same bytes.
  fileprivate func isEqual(to other: RawSpan) -> Bool {
    guard byteCount == other.byteCount else { return false }
    return withUnsafeBytes { own in
      other.withUnsafeBytes { other in
        guard let own = own.baseAddress, let start = other.baseAddress else { return true }
        return memcmp(own, start, other.count) == 0
      }
    }
  }
}
