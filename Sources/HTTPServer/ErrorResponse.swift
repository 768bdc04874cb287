import MagicAPI
import MagicCore
import NIOHTTP1

/// How errors are answered: as ClickHouse does, or as JSON to requests of the Magic API.
enum ErrorResponse {
  /// The answer to a statement that failed before the first byte of its result, as ClickHouse gives
  /// it.
  static func make(_ error: any Error) -> Response {
    let form = ErrorForm(error)
    var response = Response.text(form.clickHouseText + "\n", status: form.status)
    response.headers.add(name: "X-Magic-Error-Kind", value: form.apiError.kind.rawValue)
    if let code = form.code {
      response.headers.add(name: "X-ClickHouse-Exception-Code", value: String(code))
    }
    if form.status == .unauthorized {
      response.headers.add(name: "WWW-Authenticate", value: "Basic realm=\"Magic\"")
    }
    return response
  }

  /// The answer to a request of the Magic API that failed.
  static func json(_ error: any Error) -> Response {
    let form = ErrorForm(error)
    // ClickHouse has no status of its own for what is there already.
    let status = form.apiError.kind == .alreadyExists ? .conflict : form.status
    var response = Response.json(Array(ErrorMessage(form.apiError).json), status: status)
    if form.status == .unauthorized {
      response.headers.add(name: "WWW-Authenticate", value: "Basic realm=\"Magic\"")
    }
    return response
  }
}

/// An error in the terms of HTTP and ClickHouse.
struct ErrorForm {
  let apiError: APIError
  let status: HTTPResponseStatus

  init(_ error: any Error) {
    switch error {
    case let error as RequestError:
      apiError = APIError(.invalid, error.message)
      status = error.status
    case let error as APIError:
      apiError = error
      status = Self.status(error)
    case let error as EngineError:
      apiError = APIError(error)
      status = Self.status(apiError)
    case is CancellationError:
      apiError = APIError(.cancelled, "The statement was cancelled")
      status = Self.status(apiError)
    default:
      apiError = APIError(.failed, "\(error)")
      status = .internalServerError
    }
  }

  /// ClickHouse's number for the error, which drivers look at.
  var code: Int? {
    if let code = apiError.engineCode { return code }
    return switch apiError.kind {
    case .unauthenticated: 516
    case .forbidden: 497
    case .unsupported: 48
    case .cancelled: 394
    case .conflict: 650
    case .timedOut: 159
    case .exhausted: 202
    case .unavailable: 236
    case .notFound, .alreadyExists, .invalid: 36
    case .failed: 1002
    }
  }

  /// The text as ClickHouse begins it; the engine's own is already of that form.
  var clickHouseText: String {
    guard !apiError.message.hasPrefix("Code: "), let code else { return apiError.message }
    return "Code: \(code). DB::Exception: \(apiError.message)"
  }

  private static func status(_ error: APIError) -> HTTPResponseStatus {
    if let code = error.engineCode { return httpStatus(engineErrorCode: code) }
    return switch error.kind {
    case .unauthenticated: .unauthorized
    case .forbidden: .forbidden
    case .notFound: .notFound
    case .alreadyExists, .conflict: .conflict
    case .invalid: .badRequest
    case .unsupported: .notImplemented
    case .cancelled: .internalServerError
    case .timedOut: .requestTimeout
    case .exhausted: .tooManyRequests
    case .unavailable: .serviceUnavailable
    case .failed: .internalServerError
    }
  }
}

/// The status for an error of the engine, as ClickHouse's own server chooses it.
private func httpStatus(engineErrorCode code: Int) -> HTTPResponseStatus {
  switch code {
  // Unknown function, identifier, type, storage, table, aggregate function, format, statement,
  // database, setting.
  case 46, 47, 50, 56, 60, 63, 73, 78, 81, 115: .notFound
  // Values that cannot be parsed or do not fit, wrong arguments, types and syntax.
  case 6, 20, 25, 26, 27, 36, 38, 41, 42, 43, 44, 53, 62, 69, 70, 72, 117, 170, 184, 215, 351:
    .badRequest
  case 48: .notImplemented
  case 159: .requestTimeout
  case 164, 497: .forbidden
  case 516: .unauthorized
  // Somebody else changed what was to be changed.
  case 650: .conflict
  default: .internalServerError
  }
}
