import Logging
import MagicAPI
import MagicCore
import NIOCore
import NIOHTTP1

/// Answers requests in the form of ClickHouse's HTTP interface.
struct ClickHouseInterface: Sendable {
  let contents: HTTPServer.Contents
  let limits: HTTPServer.Limits
  let logger: Logger

  /// Runs the statement of a request.
  func respond(to request: Request, from caller: Caller) async throws -> Response {
    var parameters = request.parameters
    var content = try RequestContent(request)
    if try parameters.takeFlag("decompress") ?? false { content = content.decompressingBlocks() }
    var tables: ExternalTables?
    if let boundary = request.header("Content-Type").flatMap(MultipartForm.boundary) {
      let bytes = Array(buffer: try await content.collect(upTo: limits.requestByteCount))
      tables = try ExternalTables(bytes, boundary: boundary, &parameters)
      content = RequestContent { nil }
    }
    var form = try StatementForm(parameters, headers: request.head.headers, caller: caller)
    let text = try await StatementText(
      head: form.head, body: content, limit: limits.requestByteCount)
    form.request.sql = text.sql
    // As in ClickHouse: what only follows a link changes nothing.
    if request.head.method == .GET { form.request.isReadOnly = true }
    logger.debug("Statement", metadata: ["query_id": "\(form.queryID)"])
    let start = ContinuousClock.now
    let service = contents.services(caller)
    do {
      let result =
        if let tables {
          try await tables.run(form.request, format: form.format, by: service)
        } else {
          try await service.run(form.request, format: form.format, input: text.input)
        }
      do {
        return try await response(to: request, form, result, since: start)
      } catch {
        await result.cancel()
        throw error
      }
    } catch {
      var failure = ErrorResponse.make(error)
      failure.headers.add(name: "X-ClickHouse-Query-Id", value: form.queryID)
      return failure
    }
  }

  private func response(
    to request: Request, _ form: StatementForm, _ result: StatementResult,
    since start: ContinuousClock.Instant
  ) async throws -> Response {
    // The status can still tell of an error as long as no byte has been sent.
    var first: [[UInt8]] = []
    var byteCount = 0
    var isComplete = false
    while byteCount <= (form.waitsForEnd ? limits.bufferedByteCount : 0) {
      guard let chunk = try await result.pull() else {
        isComplete = true
        break
      }
      first.append(chunk)
      byteCount += chunk.count
    }
    let tag = ExceptionBlock.makeTag()
    let elapsed = (ContinuousClock.now - start) / .nanoseconds(1)
    var summary = "{\"elapsed_ns\":\"\(Int(elapsed))\"}"
    if let rows = result.changedRows {
      summary = "{\"written_rows\":\"\(rows)\",\"elapsed_ns\":\"\(Int(elapsed))\"}"
    }
    var headers: HTTPHeaders = [
      "Content-Type": contentType(format: result.format),
      "X-ClickHouse-Format": result.format,
      "X-ClickHouse-Query-Id": form.queryID,
      "X-ClickHouse-Server-Display-Name": contents.serverName,
      "X-ClickHouse-Timezone": contents.timeZone,
      "X-ClickHouse-Summary": summary,
      "X-ClickHouse-Exception-Tag": tag,
    ]
    headers.add(result.commitPoint)
    // Clients take what has a format for a result.
    if result.changedRows != nil { headers.remove(name: "X-ClickHouse-Format") }
    let stream = ResultStream(first: first, isComplete: isComplete, result)
    let body = ResponseStream(
      next: { try await stream.next().map { [ByteBuffer(bytes: $0)] } },
      ending: { error in
        let message = ErrorForm(error).clickHouseText
        return [ByteBuffer(bytes: ExceptionBlock.bytes(message: message, tag: tag))]
      },
      cancel: { await result.cancel() }, isWholeAfterError: form.looksForError)
    if form.compressesBlocks {
      return Response(headers: headers, body: .stream(body.compressingBlocks()))
    }
    let response = Response(headers: headers, body: .stream(body))
    return form.compressesResponse ? try response.compressed(for: request.head.headers) : response
  }
}

/// A result, of which the first chunks were pulled already.
private actor ResultStream {
  private var first: ArraySlice<[UInt8]>
  private let isComplete: Bool
  private let result: StatementResult

  init(first: [[UInt8]], isComplete: Bool, _ result: StatementResult) {
    self.first = first[...]
    self.isComplete = isComplete
    self.result = result
  }

  func next() async throws -> [UInt8]? {
    if let chunk = first.popFirst() { return chunk }
    return isComplete ? nil : try await result.pull()
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
