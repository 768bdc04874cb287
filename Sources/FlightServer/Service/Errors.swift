import Arrow
import Foundation
import GRPCCore
import MagicAPI
import MagicCore
import WireFormat

extension RPCError {
  /// The longest message, in bytes: it travels in a header, and clients bound those.
  private static let messageByteLimit = 2048

  /// What an error of the service means in gRPC.
  init(_ error: APIError) {
    let code: RPCError.Code =
      switch error.kind {
      case .unauthenticated: .unauthenticated
      case .forbidden: .permissionDenied
      case .notFound: .notFound
      case .alreadyExists: .alreadyExists
      case .conflict: .aborted
      case .invalid: .invalidArgument
      case .unsupported: .unimplemented
      case .cancelled: .cancelled
      case .timedOut: .deadlineExceeded
      case .exhausted: .resourceExhausted
      case .unavailable: .unavailable
      case .failed: .internalError
      }
    self.init(code: code, message: Self.bounded(error.message))
  }

  /// What any error means in gRPC.
  init(wrapping error: any Error) {
    switch error {
    case let error as RPCError: self = error
    case let error as APIError: self.init(error)
    case let error as EngineError: self.init(APIError(error))
    case let error as DecodeError:
      self.init(code: .invalidArgument, message: "malformed Arrow data: \(error)")
    case let error as ArrowError: self.init(code: .invalidArgument, message: error.description)
    case is DecodingError:
      self.init(code: .invalidArgument, message: "malformed JSON, or a field that is missing")
    case is CancellationError: self.init(code: .cancelled, message: "the call was cancelled")
    default: self.init(code: .internalError, message: Self.bounded("\(error)"))
    }
  }

  private static func bounded(_ message: String) -> String {
    guard message.utf8.count > messageByteLimit else { return message }
    return String(decoding: message.utf8.prefix(messageByteLimit), as: UTF8.self) + "…"
  }
}

extension APIError {
  static func invalid(_ message: String) -> APIError { APIError(.invalid, message) }
  static func unsupported(_ message: String) -> APIError { APIError(.unsupported, message) }
  static func notFound(_ message: String) -> APIError { APIError(.notFound, message) }
}
