import MagicCore
import NIOCore
import NIOHTTP1

/// Reads a result's bytes, and the error that may end them.
///
/// A statement that fails half-way ends its response with a block that holds the error's text, and
/// without the terminating chunk. The last bytes are therefore held back until it is known how the
/// response ends; the block is looked for only when it was cut.
actor ResponseReader {
  /// The longest exception block a server sends, rounded up.
  static let heldByteCount = 17 << 10

  private enum State {
    case reading
    case ended
    case cancelled
  }

  private let exchange: Exchange
  private let exceptionTag: String?
  private var state = State.reading
  private var held: [UInt8] = []

  init(_ exchange: Exchange, exceptionTag: String?) {
    self.exchange = exchange
    self.exceptionTag = exceptionTag
  }

  // A result that is dropped half-read ends its statement.
  deinit { exchange.close() }

  /// The next bytes; nil at the end.
  func next() async throws -> [UInt8]? {
    while state == .reading {
      let part: HTTPClientResponsePart?
      do {
        part = try await exchange.next()
      } catch {
        if state == .cancelled { break }
        state = .ended
        throw failure(cause: error)
      }
      switch part {
      case .body(let buffer):
        held += buffer.readableBytesView
        let excess = held.count - Self.heldByteCount
        if excess > 0 {
          defer { held.removeFirst(excess) }
          return Array(held[..<excess])
        }
      case .head, .end: break
      case nil:
        state = .ended
        return held.isEmpty ? nil : held
      }
    }
    if state == .cancelled { throw EngineError(message: "The statement was cancelled") }
    return nil
  }

  /// Gives the connection up, which cancels the statement on the other side.
  func cancel() {
    if state == .reading { state = .cancelled }
    exchange.close()
  }

  private func failure(cause: any Error) -> any Error {
    if cause is CancellationError { return cause }
    let text = String(decoding: held, as: UTF8.self)
    if let exceptionTag,
      let block = text.ranges(of: "\r\n__exception__\r\n\(exceptionTag)\r\n").last,
      let end = text[block.upperBound...].ranges(of: "\r\n").last(where: {
        text[$0.upperBound...].hasSuffix("\(exceptionTag)\r\n__exception__\r\n")
      })
    {
      let message = trimmed(String(text[block.upperBound..<end.lowerBound]))
      return EngineError(code: engineErrorCode(message), message: message)
    }
    return ClientError(
      message: "The connection ended before the result was complete (\(cause))")
  }
}

/// The number in a text that begins as the engine's errors do: `Code: 60. DB::Exception: …`.
func engineErrorCode(_ message: String) -> Int? {
  guard let match = message.prefixMatch(of: /Code: (\d{1,9})\b/) else { return nil }
  return Int(match.1)
}
