import Logging
import MagicAPI
import NIOCore
import NIOHTTP1

/// Turns requests into responses.
struct Router: Sendable {
  private let contents: HTTPServer.Contents
  private let clickHouse: ClickHouseInterface
  private let magic: MagicInterface
  private let browserCheck: BrowserCheck

  init(contents: HTTPServer.Contents, limits: HTTPServer.Limits, logger: Logger) {
    self.contents = contents
    clickHouse = ClickHouseInterface(contents: contents, limits: limits, logger: logger)
    magic = MagicInterface(contents: contents, limits: limits)
    browserCheck = BrowserCheck(
      allowedOrigin: contents.allowedOrigin, isOpen: contents.authenticator?.isOpen == true)
  }

  /// Answers a request. What the body of the response is made of is still to be pulled; whoever
  /// cannot write the response to its end cancels it.
  func respond(to head: HTTPRequestHead, body: RequestBody, from peer: Peer) async -> Response {
    var response: Response
    do {
      let request = try Request(head, body: body)
      do {
        response = try await respond(to: request, from: peer)
      } catch  where request.path.hasPrefix(MagicInterface.prefix) {
        response = ErrorResponse.json(error)
      }
    } catch {
      response = ErrorResponse.make(error)
    }
    response.headers.addBrowserRules(allowedOrigin: contents.allowedOrigin)
    return response
  }

  private func respond(to request: Request, from peer: Peer) async throws -> Response {
    if peer.listener == .tcp { try browserCheck.check(request) }
    if contents.hasConsole, let file = ConsoleFiles.respond(to: request) { return file }
    switch (request.path, request.head.method) {
    case (_, .OPTIONS): return options()
    case ("/ping", .GET), ("/ping", .HEAD), ("/replicas_status", .GET), ("/healthz", .GET),
      ("/healthz", .HEAD):
      return .text("Ok.\n")
    case ("/", .GET) where request.parameters["query"] == nil,
      ("/", .HEAD) where request.parameters["query"] == nil:
      return .text("Ok.\n")
    case ("/readyz", .GET), ("/readyz", .HEAD):
      guard let reason = await contents.whyNotReady() else { return .text("Ok.\n") }
      return .text(reason + "\n", status: .serviceUnavailable)
    case ("/metrics", .GET):
      _ = try await contents.caller(of: request, from: peer)
      guard let metrics = contents.metrics else { break }
      var response = Response.text(await metrics())
      response.headers.replaceOrAdd(
        name: "Content-Type", value: "text/plain; version=0.0.4; charset=utf-8")
      return response
    case ("/", .GET), ("/", .POST):
      let caller = try await contents.caller(of: request, from: peer)
      return try await clickHouse.respond(to: request, from: caller)
    case (let path, _) where path.hasPrefix(MagicInterface.prefix):
      let caller = try await contents.caller(of: request, from: peer)
      return try await magic.respond(to: request, from: caller)
    case ("/", _), ("/ping", _), ("/metrics", _), ("/healthz", _), ("/readyz", _):
      // To HEAD with a statement, too: its answer has a length that is only known at its end.
      throw RequestError(.methodNotAllowed, "\(request.path) is for GET and POST")
    default: break
    }
    throw RequestError(.notFound, "There is no route \(request.head.method) \(request.path)")
  }

  /// What a browser asks before it lets a page of another origin send requests.
  private func options() -> Response {
    var headers: HTTPHeaders = ["Allow": "GET, POST, OPTIONS"]
    if contents.allowedOrigin != nil {
      headers.add(name: "Access-Control-Allow-Methods", value: "GET, POST, OPTIONS")
      headers.add(
        name: "Access-Control-Allow-Headers",
        value: "Authorization, Content-Type, X-ClickHouse-Database, X-ClickHouse-Format, "
          + "X-ClickHouse-Key, X-ClickHouse-User")
      headers.add(name: "Access-Control-Max-Age", value: "86400")
    }
    return Response(headers: headers, body: .bytes(ByteBuffer()))
  }
}
