/// Why a backup cannot be made or read, in words for whoever asked.
public struct BackupError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What is wrong.
  public let description: String

  /// Makes an error.
  public init(_ description: String) { self.description = description }
}
