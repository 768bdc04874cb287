/// Why bytes could not be decoded, and where.
///
/// The message names the field, never its content, so that it can be logged.
public struct DecodeError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The kind of failure; callers switch on this.
  public enum Code: String, Sendable {
    /// The input ends before the value does.
    case truncated
    /// A length, count or depth is above its documented bound.
    case limitExceeded
    /// The bytes contradict the format.
    case malformed
    /// A checksum does not match the bytes that it covers.
    case checksumMismatch
    /// The bytes are of a kind that this decoder does not know.
    case unsupported
    /// A value was decoded and bytes remain that belong to nothing.
    case trailingBytes
  }

  /// The kind of failure.
  public var code: Code
  /// What was being decoded.
  public var message: String
  /// Offset in bytes from the start of the input (of the file, once ``located(inFile:at:)`` was
  /// applied).
  public var offset: Int
  /// The file that was read, if the bytes came from one.
  public var file: String?

  public init(_ code: Code, _ message: String, at offset: Int, file: String? = nil) {
    self.code = code
    self.message = message
    self.offset = offset
    self.file = file
  }

  /// The same error for input that starts `base` bytes into `file`.
  public func located(inFile file: String?, at base: Int) -> DecodeError {
    DecodeError(code, message, at: offset + base, file: file ?? self.file)
  }

  public var description: String {
    let place = file.map { "\($0) at byte \(offset)" } ?? "byte \(offset)"
    return "\(code.rawValue): \(message) (\(place))"
  }
}
