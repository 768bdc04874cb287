import MagicCore
import NIOCore
import NIOHTTP1

/// A response whose body is still to be read.
struct Answer: Sendable {
  let head: HTTPResponseHead
  let exchange: Exchange
  /// Of the other side, for errors.
  let name: String

  /// Reads the text of an answer that tells of an error, and throws what `makeError` makes of it.
  func check(_ makeError: (HTTPResponseHead, String) throws -> any Error) async throws {
    guard head.status != .ok else { return }
    let text = trimmed(String(decoding: try await collect(), as: UTF8.self))
    throw try makeError(head, text.isEmpty ? "HTTP status \(head.status)" : text)
  }

  /// The whole body.
  func collect() async throws -> [UInt8] {
    var bytes: [UInt8] = []
    do {
      while let part = try await exchange.next() {
        if case .body(let buffer) = part { bytes += buffer.readableBytesView }
      }
    } catch let error as CancellationError {
      throw error
    } catch {
      throw ClientError(message: "Incomplete answer from \(name): \(error)")
    }
    return bytes
  }

  /// Reads the body as it is asked for.
  func reader(
    holdsBack: Bool, makeError: @escaping @Sendable (String) -> any Error
  ) -> ResponseReader {
    ResponseReader(
      exchange, exceptionTag: head.headers.first(name: "X-ClickHouse-Exception-Tag"),
      holdsBack: holdsBack, makeError: makeError)
  }

  /// The body as a statement's result.
  func statementResult(
    format: String, makeError: @escaping @Sendable (String) -> any Error
  ) -> StatementResult {
    let reader = reader(holdsBack: true, makeError: makeError)
    return StatementResult(
      format: head.headers.first(name: "X-ClickHouse-Format") ?? format,
      changedRows: head.headers.first(name: "X-ClickHouse-Summary").flatMap(writtenRows),
      commitPoint: CommitPoint(head.headers),
      next: { try await reader.next().map { Array(buffer: $0) } },
      cancel: { await reader.cancel() })
  }
}

/// The number in `{"written_rows":"N"}`.
private func writtenRows(in summary: String) -> Int? {
  summary.firstMatch(of: /"written_rows":"(\d+)"/).flatMap { Int($0.1) }
}
