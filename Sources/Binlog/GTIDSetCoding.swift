import WireFormat

extension GTIDSet {
  /// Reads the text form; white space is ignored and letters may be in either case.
  ///
  /// - Throws: `malformed` at the byte where the text stops making sense.
  public init(_ text: String) throws(DecodeError) {
    self.init()
    let compact = text.filter { !$0.isWhitespace }.lowercased()
    // A comma may also end the list.
    for part in compact.split(separator: ",") {
      let fields = part.split(separator: ":", omittingEmptySubsequences: false)
      guard let first = fields.first, fields.count > 1 else {
        throw DecodeError(.malformed, "GTID set", at: 0)
      }
      var source = GTIDSource(uuid: try ServerUUID(first))
      for field in fields.dropFirst() {
        if GTIDSource.isTag(field) {
          source.tag = String(field)
        } else {
          insert(try Self.parseRange(field), of: source)
        }
      }
    }
  }

  private static func parseRange(_ text: Substring) throws(DecodeError) -> ClosedRange<Int64> {
    let bounds = text.split(separator: "-", omittingEmptySubsequences: false)
    guard bounds.count <= 2, let first = bounds.first, let last = bounds.last,
      let lower = Int64(first), let upper = Int64(last), lower >= 1, upper >= lower,
      upper < Int64.max
    else { throw DecodeError(.malformed, "interval of a GTID set", at: 0) }
    return lower...upper
  }

  /// Reads the binary form of PREVIOUS_GTIDS events and of COM_BINLOG_DUMP_GTID, without or with
  /// tags.
  ///
  /// - Throws: `DecodeError` unless the bytes are exactly one set.
  public init(decoding bytes: RawSpan) throws(DecodeError) {
    var reader = ByteReader(bytes)
    try self.init(from: &reader)
    try reader.expectEnd("GTID set")
  }

  init(from reader: inout ByteReader) throws(DecodeError) {
    self.init()
    let head: UInt64 = try reader.read()
    let isTagged: Bool
    let sourceCount: UInt64
    // The highest byte is the format. With tags, the lowest byte repeats it.
    switch head >> 56 {
    case 0:
      isTagged = false
      sourceCount = head
    case 1 where head & 0xFF == 1:
      isTagged = true
      sourceCount = (head << 8) >> 16
    default:
      throw DecodeError(.unsupported, "format of a GTID set", at: reader.offset - 8)
    }
    // A source takes at least 24 bytes, which bounds the loop by the input's size.
    guard sourceCount <= UInt64(reader.remaining / 24) else {
      throw DecodeError(.truncated, "GTID set", at: reader.offset)
    }
    for _ in 0..<sourceCount {
      let uuid = try ServerUUID(from: &reader)
      let tag = isTagged ? try GTIDSource.readTag(&reader) : ""
      try readIntervals(of: GTIDSource(uuid: uuid, tag: tag), from: &reader)
    }
  }

  private mutating func readIntervals(of source: GTIDSource, from reader: inout ByteReader)
    throws(DecodeError)
  {
    let count: UInt64 = try reader.read()
    guard count <= UInt64(reader.remaining / 16) else {
      throw DecodeError(.truncated, "intervals of a GTID set", at: reader.offset)
    }
    for _ in 0..<count {
      let start: Int64 = try reader.read()
      let end: Int64 = try reader.read()
      guard start >= 1, end > start else {
        throw DecodeError(.malformed, "interval of a GTID set", at: reader.offset - 16)
      }
      insert(start...(end - 1), of: source)
    }
  }

  /// The binary form, which has tags only if a source has one, so that older servers understand it.
  public func encoded() -> [UInt8] {
    var bytes: [UInt8] = []
    let isTagged = intervals.keys.contains { !$0.tag.isEmpty }
    let count = UInt64(intervals.count)
    bytes.append(littleEndian: isTagged ? 1 << 56 | count << 8 | 1 : count)
    for (source, ranges) in intervals.sorted(by: { $0.key < $1.key }) {
      bytes.append(littleEndian: source.uuid.high.byteSwapped)
      bytes.append(littleEndian: source.uuid.low.byteSwapped)
      if isTagged {
        bytes.append(UInt8(source.tag.utf8.count) << 1)
        bytes.append(contentsOf: source.tag.utf8)
      }
      bytes.append(littleEndian: UInt64(ranges.count))
      for range in ranges {
        bytes.append(littleEndian: UInt64(range.lowerBound))
        bytes.append(littleEndian: UInt64(range.upperBound) + 1)
      }
    }
    return bytes
  }
}

extension GTIDSet: Codable {
  public init(from decoder: any Decoder) throws {
    try self.init(String(from: decoder))
  }

  public func encode(to encoder: any Encoder) throws {
    try description.encode(to: encoder)
  }
}

extension [UInt8] {
  fileprivate mutating func append(littleEndian value: UInt64) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }
}
