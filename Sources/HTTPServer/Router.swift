import HTTPTypes
import HummingbirdCore
import Logging
import MagicCore
import NIOCore
import NIOHTTPTypes

/// A response, and the statement that its body pulls from, if any.
struct Reply {
  var response: Response
  var result: StatementResult?
}

/// Turns requests into responses.
struct Router: Sendable {
  static let servicePrefix = "/magic/v1/"

  let statements: any StatementService
  let status: @Sendable () async throws -> [UInt8]
  let routes: [String: HTTPServer.Handler]
  let requestByteCount: Int
  let logger: Logger

  /// Answers a request. A statement's result is still to be pulled by the response's body; whoever
  /// cannot write the response to its end cancels the statement.
  func respond(to request: Request, channel: any Channel) async -> Reply {
    do {
      switch (request.uri.path, request.method) {
      case ("/ping", .get), ("/ping", .head),
        ("/", .get) where request.uri.query == nil:
        return Reply(response: text("Ok.\n", status: .ok))
      case ("/", .get), ("/", .post):
        return try await runStatement(request, channel: channel)
      case (Self.servicePrefix + "status", .get):
        return Reply(response: json(try await status()))
      case (let path, .post) where path.hasPrefix(Self.servicePrefix):
        guard let handler = routes[String(path.dropFirst(Self.servicePrefix.count))] else {
          throw RequestError(status: .notFound, message: "There is no route \(path)")
        }
        return Reply(response: json(try await handler(Array(buffer: try await body(of: request)))))
      case (let path, let method):
        throw RequestError(status: .notFound, message: "There is no route \(method) \(path)")
      }
    } catch {
      return Reply(response: failure(error))
    }
  }

  private func runStatement(_ request: Request, channel: any Channel) async throws -> Reply {
    let statement = try StatementRequest(request, body: try await body(of: request))
    logger.debug("Statement", metadata: ["query_id": "\(statement.queryID)"])
    let result = try await statements.run(statement.statement, format: statement.format)
    // The status can still tell of an error as long as no byte has been sent.
    let first = try await result.pull()
    let tag = ExceptionBlock.makeTag()
    var response = Response(
      status: .ok,
      headers: [
        .contentType: contentType(format: result.format),
        .clickHouseFormat: result.format,
        .clickHouseQueryID: statement.queryID,
        .clickHouseExceptionTag: tag,
      ],
      body: ResponseBody { writer in
        try await withTaskCancellationHandler {
          do {
            try await send(result, from: first, to: channel)
          } catch {
            logger.info("A statement ended early", metadata: ["error": "\(error)"])
            let block = ExceptionBlock.bytes(message: "\(error)", tag: tag)
            try await write(block, to: channel).get()
            // Leaving by an error closes the connection without the terminating chunk.
            throw error
          }
        } onCancel: {
          // Ends the wait for a client that does not read.
          channel.close(promise: nil)
        }
        try await writer.finish(nil)
      })
    if let rows = result.changedRows {
      response.headers[.clickHouseSummary] = "{\"written_rows\":\"\(rows)\"}"
    }
    return Reply(response: response, result: result)
  }

  /// Sends a result. One chunk is on its way to the client while the next one is made, and no more.
  private func send(
    _ result: StatementResult, from first: [UInt8]?, to channel: any Channel
  ) async throws {
    var chunk = first
    var sent = channel.eventLoop.makeSucceededVoidFuture()
    while let bytes = chunk {
      try await sent.get()
      sent = write(bytes, to: channel)
      chunk = try await result.pull()
    }
    try await sent.get()
  }

  /// Completes when the bytes are in the socket, unlike the response's own writer, which completes
  /// when they are in a queue.
  private func write(_ bytes: [UInt8], to channel: any Channel) -> EventLoopFuture<Void> {
    channel.writeAndFlush(HTTPResponsePart.body(ByteBuffer(bytes: bytes)))
  }

  /// A request's whole body. One that is too long is read to its end all the same: a client that
  /// still writes would not see the answer.
  private func body(of request: Request) async throws -> ByteBuffer {
    var body = ByteBuffer()
    var byteCount = 0
    for try await part in request.body {
      byteCount += part.readableBytes
      if byteCount <= requestByteCount { body.writeImmutableBuffer(part) }
    }
    guard byteCount <= requestByteCount else {
      throw RequestError(
        status: .contentTooLarge, message: "The body is longer than \(requestByteCount) bytes")
    }
    return body
  }

  private func failure(_ error: any Error) -> Response {
    switch error {
    case let error as RequestError:
      return text(error.message + "\n", status: error.status)
    case let error as EngineError:
      var response = text(error.message + "\n", status: httpStatus(engineErrorCode: error.code))
      if let code = error.code { response.headers[.clickHouseExceptionCode] = String(code) }
      return response
    default:
      return text("\(error)\n", status: .internalServerError)
    }
  }

  private func text(_ text: String, status: HTTPResponse.Status) -> Response {
    Response(
      status: status, headers: [.contentType: "text/plain; charset=UTF-8"],
      body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
  }

  private func json(_ bytes: [UInt8]) -> Response {
    Response(
      status: .ok, headers: [.contentType: "application/json"],
      body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
  }
}

extension StatementResult {
  /// The next bytes; cancels the statement in the engine when this task is cancelled meanwhile.
  fileprivate func pull() async throws -> [UInt8]? {
    try await withTaskCancellationHandler {
      try await next()
    } onCancel: {
      Task { await cancel() }
    }
  }
}
