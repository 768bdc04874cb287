import MagicCore
import NIOCore
import Synchronization

/// A statement's text, and the rows that follow it in the body, if any.
struct StatementText {
  /// How much of a body is read at first to find where the statement ends.
  private static let firstByteCount = 64 << 10
  /// Up to this length `INSERT … VALUES` is taken as text together with its rows.
  private static let valuesByteCount = 1 << 20

  let sql: String
  /// What follows the text; nil when the text is all.
  let input: StatementInput?

  /// Reads a body up to the end of the statement in it.
  ///
  /// - Parameters:
  ///   - head: the beginning of the statement, from the URL.
  ///   - limit: the longest statement, in bytes.
  /// - Throws: ``RequestError``.
  init(head: String, body: RequestContent, limit: Int) async throws {
    var bytes = Array(head.utf8)
    var isComplete = false
    var wanted = Self.firstByteCount
    var rows: Int?
    reading: while true {
      while !isComplete && bytes.count < wanted {
        guard let part = try await body.next() else {
          isComplete = true
          break
        }
        // A line break ends a comment, and stands between a format's name and the rows.
        if bytes.count == head.utf8.count, let last = bytes.last, last != UInt8(ascii: "\n"),
          part.readableBytes > 0
        {
          bytes.append(UInt8(ascii: "\n"))
        }
        bytes += part.readableBytesView
      }
      switch StatementScanner.scan(bytes, isComplete: isComplete) {
      case .format(let position):
        rows = position
        break reading
      case .values(let position) where bytes.count > Self.valuesByteCount:
        rows = position
        break reading
      case .values where !isComplete: wanted = Self.valuesByteCount + 1
      case .undecided, .statement, .values:
        if isComplete { break reading }
        wanted = min(bytes.count * 2, limit + 1)
      }
      guard bytes.count <= limit else { break }
    }
    guard rows ?? bytes.count <= limit else {
      throw RequestError(.payloadTooLarge, "The statement is longer than \(limit) bytes")
    }
    sql = try Self.text(bytes[..<(rows ?? bytes.count)])
    input = rows.map { position in
      StatementInput(once: Array(bytes[position...])) {
        try await body.next().map { Array(buffer: $0) }
      }
    }
    guard sql.utf8.contains(where: { $0 > UInt8(ascii: " ") }) else {
      throw RequestError("No statement: send it in the URL parameter 'query' or in the body")
    }
  }

  private static func text(_ bytes: ArraySlice<UInt8>) throws(RequestError) -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw RequestError("The statement is not valid UTF-8")
    }
    return text
  }
}

extension StatementInput {
  /// Bytes that are there, and others that follow.
  init(once first: [UInt8], then next: @escaping @Sendable () async throws -> [UInt8]? = { nil }) {
    let first = Mutex(first.isEmpty ? nil : first)
    self.init {
      if let bytes = first.withLock({ $0.take() }) { return bytes }
      return try await next()
    }
  }
}
