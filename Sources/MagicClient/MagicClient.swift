import FoundationEssentials
import MagicCore
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import UnixSocket

/// Uses a Magic that runs in another process: as a service for statements (``run(_:format:)``), and
/// as the whole Magic API.
///
/// Every request has a connection of its own, so results do not wait for each other. The protocol
/// is described in `docs/http-api.md`.
public final class MagicClient: StatementService {
  /// By what the other side knows who asks.
  public enum Credentials: Sendable {
    case password(user: String, password: String)
    case token(String)
  }

  private let target: Exchange.Target
  private let authorization: String?
  private let hostHeader: String
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
    authorization = nil
    hostHeader = "magic"
    name = path
  }

  /// Speaks to a server.
  ///
  /// - Parameters:
  ///   - url: where it is, such as `http://127.0.0.1:8123` or `https://magic.example:8443`; a
  ///     missing port is 8123 or 8443.
  ///   - credentials: who asks; nil where everybody may.
  ///   - authorityFile: certificates in PEM form, one of which must have signed the server's; nil
  ///     for those that the system trusts.
  /// - Throws: ``ClientError`` when the URL is not of that form, or the file cannot be used.
  public init(
    url: String, credentials: Credentials? = nil, authorityFile: String? = nil
  ) throws(ClientError) {
    guard
      let match = url.wholeMatch(
        of: /(https?):\/\/(\[[0-9A-Fa-f:.]+\]|[^\/?#@:\[\]]+)(?::(\d{1,5}))?\/?/),
      let port = match.3.map({ Int($0) }) ?? (match.1 == "https" ? 8443 : 8123), port < 1 << 16
    else {
      // Without the URL, which may hold a password.
      throw ClientError(
        message: "The address is not of the form http://HOST:PORT or https://HOST:PORT; user and "
          + "password are options of their own")
    }
    let host = match.2.hasPrefix("[") ? match.2.dropFirst().dropLast() : match.2
    var tls: NIOSSLContext?
    if match.1 == "https" { tls = try Self.tlsContext(authorityFile: authorityFile) }
    target = .tcp(host: String(host), port: port, tls: tls)
    authorization = credentials.map(Self.authorization)
    hostHeader = "\(match.2):\(port)"
    name = url
    socketPath = nil
  }

  private static func tlsContext(authorityFile: String?) throws(ClientError) -> NIOSSLContext {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.minimumTLSVersion = .tlsv12
    do {
      if let authorityFile {
        configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(authorityFile))
      }
      return try NIOSSLContext(configuration: configuration)
    } catch {
      throw ClientError(
        message: "The certificates in \(authorityFile ?? "the system's store") cannot be used: "
          + "\(error)")
    }
  }

  private static func authorization(_ credentials: Credentials) -> String {
    switch credentials {
    case .password(let user, let password):
      "Basic " + Data("\(user):\(password)".utf8).base64EncodedString()
    case .token(let token): "Bearer " + token
    }
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
    let answer = try await request(
      .POST, "/?default_format=" + urlEncoded(format),
      body: .bytes(ByteBuffer(string: statement)))
    try await answer.check { _, text in
      EngineError(code: engineErrorCode(text), message: text)
    }
    return answer.statementResult(format: format) { text in
      EngineError(code: engineErrorCode(text), message: text)
    }
  }

  /// The answer to a GET request, such as `/magic/v1/status`.
  ///
  /// - Throws: ``MagicCore/EngineError`` or ``ClientError``, as ``run(_:format:)`` does.
  public func get(_ path: String) async throws -> [UInt8] {
    let answer = try await request(.GET, path, body: .none)
    try await answer.check { _, text in EngineError(message: text) }
    return try await answer.collect()
  }

  /// The answer to a POST request with a JSON body, such as to `/magic/v1/NAME`.
  ///
  /// - Throws: ``MagicAPI/APIError`` when the other side refuses, or ``ClientError``.
  public func post(_ path: String, body: [UInt8]) async throws -> [UInt8] {
    let answer = try await request(.POST, path, body: .bytes(ByteBuffer(bytes: body)))
    try await answer.check { Self.error($1) }
    return try await answer.collect()
  }

  /// Sends a request and waits for the beginning of its answer, good or bad.
  ///
  /// - Throws: ``ClientError`` when there is none; `CancellationError`; what making the body threw.
  func request(
    _ method: HTTPMethod, _ path: String, body: Exchange.Body
  ) async throws -> Answer {
    var head = HTTPRequestHead(version: .http1_1, method: method, uri: path)
    head.headers.add(name: "Host", value: hostHeader)
    head.headers.add(name: "Connection", value: "close")
    if let authorization { head.headers.add(name: "Authorization", value: authorization) }
    switch body {
    case .none: break
    case .bytes(let bytes):
      head.headers.add(name: "Content-Length", value: String(bytes.readableBytes))
    case .stream: head.headers.add(name: "Transfer-Encoding", value: "chunked")
    }
    let exchange: Exchange
    do {
      exchange = try await Exchange(to: target)
    } catch {
      try Task.checkCancellation()
      throw ClientError(message: "No answer from \(name): \(Self.reason(error))")
    }
    do {
      return Answer(head: try await exchange.send(head, body: body), exchange: exchange, name: name)
    } catch {
      exchange.close()
      if let error = error as? Exchange.InputError { throw error.cause }
      try Task.checkCancellation()
      throw ClientError(message: "No answer from \(name): \(Self.reason(error))")
    }
  }
}

extension MagicClient {
  /// What kept a request from being answered, in words.
  private static func reason(_ error: any Error) -> String {
    switch error {
    case let error as NIOConnectionError:
      if let failure = error.connectionErrors.first { return "\(failure.error)" }
      return "the host \(error.host) is not known"
    case is NIOSSLError, is BoringSSLError:
      return "no TLS with it (\(error)); a certificate that this machine does not trust needs the "
        + "file of who signed it (--ca, or the option magic.tls.ca_file)"
    case is HTTPParserError: return "it does not speak HTTP"
    case ChannelError.eof: return "it closed the connection; is https:// meant?"
    default: return "\(error)"
    }
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

func trimmed(_ text: String) -> String {
  var text = text[...]
  while text.last?.isWhitespace == true { text.removeLast() }
  return String(text)
}
