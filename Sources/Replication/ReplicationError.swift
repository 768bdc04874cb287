/// Why replication ended. The message says what to do.
public struct ReplicationError: Error, Sendable, CustomStringConvertible {
  public enum Code: String, Sendable {
    /// The data folder cannot be read or written.
    case dataFolder
    /// The source logged something that cannot be applied.
    case unsupportedEvent
    /// The source reports that its binlog has a gap (INCIDENT).
    case incident
    /// The data folder holds the copy of another source.
    case otherSource
    /// The source lacks a setting that replication needs.
    case settings
  }

  public var code: Code
  public var message: String

  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  public var description: String { message }
}
