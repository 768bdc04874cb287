/// A place in a server's binlog: the byte that follows an event.
public struct BinlogPosition: Hashable, Sendable, Codable, Comparable, CustomStringConvertible {
  /// The file's name without a folder, such as `mysql-bin.000042`.
  public var file: String
  /// Offset in bytes from the start of the file.
  public var offset: UInt64

  public init(file: String, offset: UInt64) {
    self.file = file
    self.offset = offset
  }

  /// The number at the end of the file's name, which grows from file to file.
  private var sequence: UInt64 {
    // Positions are compared at every event, so this goes over the bytes where they are.
    var file = file
    return file.withUTF8 { bytes in
      var number: UInt64 = 0
      var scale: UInt64 = 1
      for byte in bytes.reversed() {
        if byte == UInt8(ascii: ".") { return number }
        guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte), scale > 0 else { return 0 }
        number &+= UInt64(byte - UInt8(ascii: "0")) &* scale
        scale = scale.multipliedReportingOverflow(by: 10).overflow ? 0 : scale * 10
      }
      return number
    }
  }

  /// Whether a file that begins with this position can come after `other` with no file missing in
  /// between: it is the same one, the one that a rotation led to, or the next.
  public func follows(_ other: BinlogPosition) -> Bool {
    if file == other.file { return true }
    let isNamedAlike =
      file.split(separator: ".").dropLast() == other.file.split(separator: ".").dropLast()
    // Offset 4 is where a rotation leads to: then the file has its name.
    return isNamedAlike && sequence == other.sequence + 1 && other.offset != 4
  }

  /// Orders the positions of one server.
  public static func < (left: BinlogPosition, right: BinlogPosition) -> Bool {
    if left.file == right.file { return left.offset < right.offset }
    return (left.sequence, left.offset) < (right.sequence, right.offset)
  }

  public var description: String { "\(file):\(offset)" }
}
