import NIOCore
import NIOHTTP1
import Synchronization

/// A request; its body may still be on its way.
struct Request: Sendable {
  let head: HTTPRequestHead
  /// The path as it was sent, without the parameters.
  let path: String
  let parameters: URLParameters
  let body: RequestBody

  /// - Throws: ``RequestError`` when the target's parameters are malformed.
  init(_ head: HTTPRequestHead, body: RequestBody) throws(RequestError) {
    self.head = head
    self.body = body
    let target = head.uri[...].prefix { $0 != "#" }
    let mark = target.firstIndex(of: "?") ?? target.endIndex
    path = Self.path(of: target[..<mark])
    parameters = try URLParameters(target[mark...].dropFirst())
  }

  /// Removes the scheme and the host, which a client may send.
  private static func path(of target: Substring) -> String {
    guard !target.hasPrefix("/"), let scheme = target.firstRange(of: "://") else {
      return String(target)
    }
    let rest = target[scheme.upperBound...]
    return rest.firstIndex(of: "/").map { String(rest[$0...]) } ?? "/"
  }

  /// A header's value; nil when it is missing or empty.
  func header(_ name: String) -> String? {
    head.headers.first(name: name).flatMap { $0.isEmpty ? nil : $0 }
  }
}

/// A request that cannot be served, with the status that says why.
struct RequestError: Error {
  var status: HTTPResponseStatus
  var message: String

  init(_ status: HTTPResponseStatus, _ message: String) {
    self.status = status
    self.message = message
  }

  init(_ message: String) { self.init(.badRequest, message) }
}

/// A request's body, read as its reader asks for it; what is not read stays with the client.
///
/// `@unchecked Sendable` because whoever asks for a part while another is being read is refused.
final class RequestBody: @unchecked Sendable {
  typealias Parts = NIOAsyncChannelInboundStream<HTTPServerRequestPart>.AsyncIterator

  private let isReading = Mutex(false)
  private var parts: Parts
  /// What is done before the first part is asked for: a client may wait for a word.
  private var prepare: (@Sendable () async throws -> Void)?
  /// Whether what came is not HTTP, so that nothing can follow.
  private(set) var isBroken = false
  /// Whether the whole body was read.
  private(set) var isAtEnd = false

  init(_ parts: Parts, prepare: (@Sendable () async throws -> Void)?) {
    self.parts = parts
    self.prepare = prepare
  }

  /// Whether the client waits to be asked for the body.
  var isAwaited: Bool { prepare != nil }

  /// The next part; nil at the proper end.
  ///
  /// - Throws: when the rest will never come.
  func next() async throws -> ByteBuffer? {
    let isFree = isReading.withLock { isReading in
      defer { isReading = true }
      return !isReading
    }
    guard isFree else { throw RequestError("The request's body is being read already") }
    defer { isReading.withLock { $0 = false } }
    if isAtEnd { return nil }
    if let prepare {
      self.prepare = nil
      try await prepare()
    }
    let part: HTTPServerRequestPart?
    do {
      part = try await parts.next()
    } catch let error as HTTPParserError {
      isBroken = true
      throw RequestError("The body is not framed as HTTP/1.1 says: \(error)")
    }
    switch part {
    case .body(let buffer): return buffer
    case .end:
      isAtEnd = true
      return nil
    case .head, nil:
      try Task.checkCancellation()
      throw RequestError("The connection ended before the end of the request")
    }
  }

  /// Reads and drops the rest, so that a client that still writes sees the answer.
  ///
  /// - Returns: whether the rest was at most `limit` bytes.
  func drain(upTo limit: Int) async throws -> Bool {
    var byteCount = 0
    while let part = try await next() {
      byteCount += part.readableBytes
      if byteCount > limit { return false }
    }
    return true
  }
}
