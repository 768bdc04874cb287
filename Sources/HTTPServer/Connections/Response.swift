import NIOCore
import NIOHTTP1

/// An answer; its body may still have to be made.
struct Response: Sendable {
  enum Body: Sendable {
    case bytes(ByteBuffer)
    case stream(ResponseStream)
  }

  var status: HTTPResponseStatus
  var headers: HTTPHeaders
  var body: Body

  init(_ status: HTTPResponseStatus = .ok, headers: HTTPHeaders = [:], body: Body) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  /// Whether the length of the body is not known beforehand.
  var isStream: Bool { if case .stream = body { true } else { false } }

  static func text(_ text: String, status: HTTPResponseStatus = .ok) -> Response {
    Response(
      status, headers: ["Content-Type": "text/plain; charset=UTF-8"],
      body: .bytes(ByteBuffer(string: text)))
  }

  static func json(_ bytes: [UInt8], status: HTTPResponseStatus = .ok) -> Response {
    Response(
      status, headers: ["Content-Type": "application/json"], body: .bytes(ByteBuffer(bytes: bytes)))
  }
}

/// A body that is made while it is sent, no faster than the client reads.
struct ResponseStream: Sendable {
  /// The next bytes, in pieces that are sent as they are; nil at the end.
  var next: @Sendable () async throws -> [ByteBuffer]?
  /// What is sent in the place of the rest after `next` threw; then the connection is cut, unless the
  /// client knows how to find this.
  var ending: @Sendable (any Error) async -> [ByteBuffer]
  /// Ends what makes the bytes.
  var cancel: @Sendable () async -> Void
  /// Whether the body is whole after ``ending``, too.
  var isWholeAfterError = false
}
