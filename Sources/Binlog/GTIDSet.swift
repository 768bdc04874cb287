import WireFormat

/// The UUID of a MySQL server.
public struct ServerUUID: Hashable, Sendable, Codable, Comparable, CustomStringConvertible {
  /// The first eight bytes, big-endian.
  public var high: UInt64
  /// The last eight bytes, big-endian.
  public var low: UInt64

  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// - Throws: `malformed` unless the text is 32 hexadecimal digits, with or without the usual
  ///   hyphens.
  public init(_ text: some StringProtocol) throws(DecodeError) {
    let groups = text.split(separator: "-", omittingEmptySubsequences: false).map(\.utf8.count)
    let digits = String(text.filter { $0 != "-" })
    guard groups == [32] || groups == [8, 4, 4, 4, 12],
      digits.utf8.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
      let high = UInt64(digits.prefix(16), radix: 16),
      let low = UInt64(digits.dropFirst(16), radix: 16)
    else { throw DecodeError(.malformed, "UUID", at: 0) }
    self.init(high: high, low: low)
  }

  init(from reader: inout ByteReader) throws(DecodeError) {
    self.init(high: try reader.readBigEndian(), low: try reader.readBigEndian())
  }

  public static func < (left: ServerUUID, right: ServerUUID) -> Bool {
    (left.high, left.low) < (right.high, right.low)
  }

  public var description: String {
    let digits = hexadecimal(high) + hexadecimal(low)
    var text = ""
    for (index, digit) in digits.enumerated() {
      if [8, 12, 16, 20].contains(index) { text.append("-") }
      text.append(digit)
    }
    return text
  }
}

private func hexadecimal(_ value: UInt64) -> String {
  let digits = String(value, radix: 16)
  return String(repeating: "0", count: 16 - digits.count) + digits
}

/// What numbers transactions: a server, or since MySQL 8.3 a server and a tag.
public struct GTIDSource: Hashable, Sendable, Codable, Comparable, CustomStringConvertible {
  public var uuid: ServerUUID
  /// Up to 32 letters, digits and underscores, in lower case; empty for none.
  public var tag: String

  public init(uuid: ServerUUID, tag: String = "") {
    self.uuid = uuid
    self.tag = tag
  }

  public static func < (left: GTIDSource, right: GTIDSource) -> Bool {
    (left.uuid, left.tag) < (right.uuid, right.tag)
  }

  public var description: String { tag.isEmpty ? "\(uuid)" : "\(uuid):\(tag)" }

  /// Whether `text` may be a tag.
  static func isTag(_ text: some StringProtocol) -> Bool {
    guard let first = text.utf8.first, text.utf8.count <= 32, !isDigit(first) else { return false }
    return text.utf8.allSatisfy { byte in
      isDigit(byte) || byte == UInt8(ascii: "_")
        || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
    }
  }

  /// Reads a tag with its length before it, in the format of `mysql::serialization`.
  static func readTag(_ reader: inout ByteReader) throws(DecodeError) -> String {
    let start = reader.offset
    let length = try reader.readVariableLengthInteger()
    guard length <= 32 else { throw DecodeError(.limitExceeded, "tag of a GTID", at: start) }
    let tag = try reader.readString(Int(length))
    guard tag.isEmpty || isTag(tag) else {
      throw DecodeError(.malformed, "tag of a GTID", at: start)
    }
    return tag
  }
}

private func isDigit(_ byte: UInt8) -> Bool {
  (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
}

/// The identifier of a transaction of MySQL, printed as `uuid:number` or `uuid:tag:number`.
public struct GTID: Hashable, Sendable, Codable, CustomStringConvertible {
  public var source: GTIDSource
  /// Counts the source's transactions from 1.
  public var number: Int64

  public init(source: GTIDSource, number: Int64) {
    self.source = source
    self.number = number
  }

  public var description: String { "\(source):\(number)" }
}

/// A set of transactions of MySQL.
///
/// The text form, which is also how it is coded, is that of `gtid_executed`:
/// `uuid:1-5:7:tag:1-3,uuid:1`.
public struct GTIDSet: Hashable, Sendable, CustomStringConvertible {
  /// For each source the closed ranges of its transactions: in order, apart, and never empty.
  public private(set) var intervals: [GTIDSource: [ClosedRange<Int64>]] = [:]

  /// The empty set.
  public init() {}

  /// Whether no transaction is in the set.
  public var isEmpty: Bool { intervals.isEmpty }

  /// Whether a transaction is in the set.
  public func contains(_ gtid: GTID) -> Bool {
    guard let ranges = intervals[gtid.source] else { return false }
    let index = ranges.partitionPoint { $0.upperBound >= gtid.number }
    return index < ranges.count && ranges[index].contains(gtid.number)
  }

  /// Whether every transaction of another set is in this one.
  public func contains(_ other: GTIDSet) -> Bool {
    other.intervals.allSatisfy { source, ranges in
      let own = intervals[source] ?? []
      return ranges.allSatisfy { range in
        let index = own.partitionPoint { $0.upperBound >= range.lowerBound }
        return index < own.count && own[index].lowerBound <= range.lowerBound
          && own[index].upperBound >= range.upperBound
      }
    }
  }

  /// Adds a transaction.
  public mutating func insert(_ gtid: GTID) {
    insert(gtid.number...gtid.number, of: gtid.source)
  }

  /// Adds every transaction of another set.
  public mutating func formUnion(_ other: GTIDSet) {
    for (source, ranges) in other.intervals {
      for range in ranges { insert(range, of: source) }
    }
  }

  /// Adds a range of a source's transactions, and joins it with those that it touches.
  public mutating func insert(_ range: ClosedRange<Int64>, of source: GTIDSource) {
    intervals[source, default: []].merge(range)
  }

  public var description: String {
    var text = ""
    var previous: ServerUUID?
    for (source, ranges) in intervals.sorted(by: { $0.key < $1.key }) {
      if source.uuid != previous {
        if previous != nil { text += "," }
        text += "\(source.uuid)"
        previous = source.uuid
      }
      if !source.tag.isEmpty { text += ":\(source.tag)" }
      for range in ranges {
        text += ":\(range.lowerBound)"
        if range.count > 1 { text += "-\(range.upperBound)" }
      }
    }
    return text
  }
}

extension [ClosedRange<Int64>] {
  /// Adds a range to ranges that are in order and apart.
  fileprivate mutating func merge(_ range: ClosedRange<Int64>) {
    // Ranges that overlap the new one or lie next to it become one with it.
    let first = partitionPoint { $0.upperBound >= range.lowerBound - 1 }
    let end = partitionPoint { $0.lowerBound - 1 > range.upperBound }
    guard first < end else { return insert(range, at: first) }
    let lower = Swift.min(range.lowerBound, self[first].lowerBound)
    let upper = Swift.max(range.upperBound, self[end - 1].upperBound)
    replaceSubrange(first..<end, with: [lower...upper])
  }

  /// The index of the first range for which `belongs` holds, given that it holds for all after it.
  fileprivate func partitionPoint(_ belongs: (ClosedRange<Int64>) -> Bool) -> Int {
    var low = 0
    var high = count
    while low < high {
      let middle = low + (high - low) / 2
      if belongs(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
