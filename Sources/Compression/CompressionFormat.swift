/// A compressed form of bytes, by the name that HTTP has for it.
public enum CompressionFormat: String, Sendable, CaseIterable {
  /// RFC 1952.
  case gzip
  /// The zlib format, RFC 1950.
  case deflate
  /// RFC 8878.
  case zstd
  /// The LZ4 frame format.
  case lz4
}

/// Compressed bytes that are damaged, or a library that refuses.
public struct CompressionError: Error, Sendable, CustomStringConvertible {
  /// What is wrong.
  public let message: String

  init(_ message: String) { self.message = message }

  /// What is wrong.
  public var description: String { message }
}
