/// Why Arrow data cannot be used.
///
/// The message names types, fields and counts, never values, so that it can be logged; the text of
/// a foreign stream's own error is passed on as it came.
public struct ArrowError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The kind of failure; callers switch on this.
  public enum Code: Hashable, Sendable {
    /// A type, an encoding or a feature that this module does not implement.
    case unsupported
    /// Lengths, offsets, buffers or children contradict the type or each other.
    case malformed
    /// A length, count or depth is above its documented bound.
    case limitExceeded
    /// A foreign stream reported this `errno` value.
    case stream(Int32)
  }

  /// The kind of failure.
  public var code: Code
  /// What was wrong, or the foreign stream's message.
  public var message: String

  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  public var description: String {
    switch code {
    case .unsupported: "unsupported Arrow data: \(message)"
    case .malformed: "malformed Arrow data: \(message)"
    case .limitExceeded: "Arrow data above a limit: \(message)"
    case .stream(let number): "Arrow stream failed (\(number)): \(message)"
    }
  }
}
