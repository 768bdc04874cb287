import MagicCore
import NIOCore
import NIOHTTP1
import UnixSocket

/// Speaks to a running Magic process, over its data folder's Unix socket or over TCP.
///
/// Every request has a connection of its own, so that ending one disturbs no other. The protocol is
/// described in `docs/http-api.md`.
public final class MagicClient: StatementService {
  private let target: Exchange.Target
  private let name: String
  // Kept for as long as requests are made: it may hold the folder through which the path goes.
  private let socketPath: SocketPath?

  /// Speaks to the process that listens on a Unix socket; connects when a request is made.
  ///
  /// - Throws: ``UnixSocket/SystemError`` when the socket's folder cannot be opened.
  public init(unixSocket path: String) throws(SystemError) {
    let socketPath = try SocketPath(path)
    self.socketPath = socketPath
    target = .unixSocket(connectablePath: socketPath.connectable)
    name = path
  }

  /// Speaks to a server at `url`, such as `http://127.0.0.1:8123`, the port being 8123 if missing.
  ///
  /// - Throws: ``ClientError`` when the URL is not of that form.
  public init(url: String) throws(ClientError) {
    guard
      let match = url.wholeMatch(
        of: /http:\/\/(\[[0-9A-Fa-f:.]+\]|[^\/?#@:\[\]]+)(?::(\d{1,5}))?\/?/),
      let port = match.2.map({ Int($0) }) ?? 8123, port < 1 << 16
    else {
      throw ClientError(message: "'\(url)' is not of the form http://HOST:PORT")
    }
    let host = match.1.hasPrefix("[") ? match.1.dropFirst().dropLast() : match.1
    target = .tcp(host: String(host), port: port)
    name = url
    socketPath = nil
  }

  /// Whether a process answers at all.
  public func isAnswering() async -> Bool {
    (try? await get("/ping")) != nil
  }

  /// Runs a statement on the other side.
  ///
  /// - Throws: ``MagicCore/EngineError`` with the engine's text when the statement fails;
  ///   ``ClientError`` when the other side cannot be reached, or ends the connection half-way.
  public func run(_ statement: String, format: String) async throws -> StatementResult {
    let (head, exchange) = try await send(
      .POST, "/?default_format=" + urlEncoded(format), body: ByteBuffer(string: statement))
    let reader = ResponseReader(
      exchange, exceptionTag: head.headers.first(name: "X-ClickHouse-Exception-Tag"))
    return StatementResult(
      format: head.headers.first(name: "X-ClickHouse-Format") ?? format,
      changedRows: head.headers.first(name: "X-ClickHouse-Summary").flatMap(writtenRows),
      next: { try await reader.next() },
      cancel: { await reader.cancel() })
  }

  /// The answer to a GET request, such as `/magic/v1/status`.
  ///
  /// - Throws: ``MagicCore/EngineError`` or ``ClientError``, as ``run(_:format:)`` does.
  public func get(_ path: String) async throws -> [UInt8] {
    try await collect(try await send(.GET, path, body: nil).exchange)
  }

  /// The answer to a POST request with a JSON body, such as to `/magic/v1/NAME`.
  ///
  /// - Throws: ``MagicCore/EngineError`` or ``ClientError``, as ``run(_:format:)`` does.
  public func post(_ path: String, body: [UInt8]) async throws -> [UInt8] {
    try await collect(try await send(.POST, path, body: ByteBuffer(bytes: body)).exchange)
  }

  /// Sends a request and waits for the beginning of a good answer.
  private func send(
    _ method: HTTPMethod, _ path: String, body: ByteBuffer?
  ) async throws -> (head: HTTPResponseHead, exchange: Exchange) {
    var request = HTTPRequestHead(version: .http1_1, method: method, uri: path)
    request.headers.add(name: "Host", value: "magic")
    request.headers.add(name: "Connection", value: "close")
    if let body {
      request.headers.add(name: "Content-Length", value: String(body.readableBytes))
    }
    let head: HTTPResponseHead
    let exchange: Exchange
    do {
      exchange = try await Exchange(request, body: body, to: target)
      guard case .head(let received) = try await exchange.next() else { throw ChannelError.eof }
      head = received
    } catch let error as CancellationError {
      throw error
    } catch {
      throw ClientError(message: "No answer from \(name): \(error)")
    }
    guard head.status == .ok else {
      let text = String(decoding: try await collect(exchange), as: UTF8.self)
      let code = head.headers.first(name: "X-ClickHouse-Exception-Code").flatMap { Int($0) }
      throw EngineError(
        code: code, message: text.isEmpty ? "HTTP status \(head.status)" : trimmed(text))
    }
    return (head, exchange)
  }

  private func collect(_ exchange: Exchange) async throws -> [UInt8] {
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
}

/// Why a Magic process could not be used.
public struct ClientError: Error, Sendable, CustomStringConvertible {
  /// What happened, and with whom.
  public let message: String

  /// The message.
  public var description: String { message }
}

/// Percent-encodes all but the characters that are safe everywhere in a URL (RFC 3986, 2.3).
func urlEncoded(_ text: String) -> String {
  let digits = Array("0123456789ABCDEF".utf8)
  var bytes: [UInt8] = []
  for byte in text.utf8 {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
      UInt8(ascii: "_"), UInt8(ascii: "~"):
      bytes.append(byte)
    default:
      bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }
  }
  return String(decoding: bytes, as: UTF8.self)
}

/// The number in `{"written_rows":"N"}`.
private func writtenRows(in summary: String) -> Int? {
  summary.firstMatch(of: /"written_rows":"(\d+)"/).flatMap { Int($0.1) }
}

func trimmed(_ text: String) -> String {
  var text = text[...]
  while text.last?.isWhitespace == true { text.removeLast() }
  return String(text)
}
