import MagicCore
import NIOCore
import NIOHTTP1

/// Reads a result's bytes, and the error that may end them.
///
/// A statement that fails half-way ends its response with a block that holds the error's text, and
/// without the terminating chunk. The block is looked for only when the response was cut. Unless the
/// bytes themselves tell where a result ends, the last ones are held back until it is known how the
/// response ends.
actor ResponseReader {
  /// The longest exception block a server sends, rounded up.
  static let heldByteCount = 17 << 10

  private enum State {
    case reading
    case ended
    case cancelled
  }

  private let exchange: Exchange
  private let holdsBack: Bool
  private let exceptionTag: String?
  /// Makes the error of the text in an exception block.
  private let makeError: @Sendable (String) -> any Error
  private var state = State.reading
  /// The last bytes, of which the first ``givenCount`` buffers were given already.
  private var held = CircularBuffer<ByteBuffer>()
  private var heldByteCount = 0
  private var givenCount = 0

  init(
    _ exchange: Exchange, exceptionTag: String?, holdsBack: Bool,
    makeError: @escaping @Sendable (String) -> any Error
  ) {
    self.exchange = exchange
    self.exceptionTag = exceptionTag
    self.holdsBack = holdsBack
    self.makeError = makeError
  }

  // A result that is dropped half-read ends its statement.
  deinit { exchange.close() }

  /// The next bytes; nil at the end.
  func next() async throws -> ByteBuffer? {
    while true {
      if let buffer = take() { return buffer }
      switch state {
      case .reading: try await read()
      case .ended: return nil
      case .cancelled: throw EngineError(code: 394, message: "The statement was cancelled")
      }
    }
  }

  private func take() -> ByteBuffer? {
    if holdsBack {
      guard let first = held.first, state == .ended || mayForget(first) else { return nil }
      forgetFirst()
      return first
    }
    while let first = held.first, givenCount > 0, mayForget(first) {
      forgetFirst()
      givenCount -= 1
    }
    guard givenCount < held.count, state != .cancelled else { return nil }
    givenCount += 1
    return held[held.index(held.startIndex, offsetBy: givenCount - 1)]
  }

  private func mayForget(_ first: ByteBuffer) -> Bool {
    state == .reading && heldByteCount - first.readableBytes >= Self.heldByteCount
  }

  private func forgetFirst() {
    heldByteCount -= held.removeFirst().readableBytes
  }

  private func read() async throws {
    do {
      switch try await exchange.next() {
      case .body(let buffer) where state == .reading:
        held.append(buffer)
        heldByteCount += buffer.readableBytes
      case .body, .head, .end: break
      case nil: if state == .reading { state = .ended }
      }
    } catch {
      guard state != .cancelled else { return }
      state = .ended
      defer {
        held.removeAll()
        givenCount = 0
      }
      throw failure(cause: error)
    }
  }

  /// Gives the connection up, which cancels the statement on the other side.
  func cancel() {
    if state == .reading { state = .cancelled }
    exchange.close()
  }

  private func failure(cause: any Error) -> any Error {
    if cause is CancellationError { return cause }
    let text = held.reduce(into: "") { $0 += String(buffer: $1) }
    if let exceptionTag,
      let block = text.ranges(of: "\r\n__exception__\r\n\(exceptionTag)\r\n").last,
      let end = text[block.upperBound...].ranges(of: "\r\n").last(where: {
        text[$0.upperBound...].hasSuffix("\(exceptionTag)\r\n__exception__\r\n")
      })
    {
      return makeError(trimmed(String(text[block.upperBound..<end.lowerBound])))
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
