import MagicCore

/// Why the service refused or failed. Each binding has its own form of the kinds.
public struct APIError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What is wrong.
  public enum Kind: String, Hashable, Sendable, CaseIterable {
    /// Nobody, or not who they say.
    case unauthenticated
    /// The caller may not do that.
    case forbidden
    /// There is no such thing.
    case notFound
    /// There is such a thing already.
    case alreadyExists
    /// Somebody else has changed what was to be changed.
    case conflict
    /// The request makes no sense, or the statement is wrong.
    case invalid
    /// The request is right, but this service cannot do it.
    case unsupported
    /// The caller or an administrator ended it.
    case cancelled
    /// It ran longer than it may.
    case timedOut
    /// A limit on rows, bytes, memory, disk or running statements.
    case exhausted
    /// The service is stopping, or not yet ready.
    case unavailable
    /// A fault of the service itself.
    case failed
  }

  /// What is wrong.
  public var kind: Kind
  /// In words, with what to do.
  public var message: String
  /// The engine's own error code, when the engine answered.
  public var engineCode: Int?

  /// Makes an error.
  public init(_ kind: Kind, _ message: String, engineCode: Int? = nil) {
    self.kind = kind
    self.message = message
    self.engineCode = engineCode
  }

  /// The message.
  public var description: String { message }
}

extension APIError {
  /// The kind of what the engine answered (ClickHouse's `ErrorCodes`).
  public init(_ error: EngineError) {
    let kind: Kind =
      switch error.code {
      case 60, 81, 36, 218, 230: .notFound
      case 57, 82: .alreadyExists
      case 650: .conflict
      case 48, 344: .unsupported
      case 394: .cancelled
      case 159, 160: .timedOut
      case 241, 243, 158, 307, 396, 202: .exhausted
      case 164, 497, 482: .forbidden
      default: .invalid
      }
    self.init(kind, error.message, engineCode: error.code)
  }
}
