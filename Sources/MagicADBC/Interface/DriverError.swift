import Arrow
import CArrowABI
import LocalDatabase
import MagicAPI
import MagicClient
import MagicCore
import UnixSocket

/// Why a call failed, in ADBC's terms.
struct DriverError: Error {
  /// The status codes of the specification.
  enum Status: AdbcStatusCode {
    case notImplemented = 2
    case notFound = 3
    case alreadyExists = 4
    case invalidArgument = 5
    case invalidState = 6
    case internalError = 9
    case ioError = 10
    case cancelled = 11
    case timeout = 12
    case unauthenticated = 13
    case unauthorized = 14
  }

  var status: Status
  /// In words, with what to do.
  var message: String
  /// Five characters that say what is wrong, by the SQL standard.
  var sqlState: String
  /// The engine's own code, when the engine answered.
  var engineCode: Int?

  init(_ status: Status, _ message: String, sqlState: String, engineCode: Int? = nil) {
    self.status = status
    self.message = message
    self.sqlState = sqlState
    self.engineCode = engineCode
  }

  /// The call makes no sense at this point.
  static func invalidState(_ message: String) -> DriverError {
    DriverError(.invalidState, message, sqlState: "HY010")
  }

  /// An argument makes no sense.
  static func invalidArgument(_ message: String) -> DriverError {
    DriverError(.invalidArgument, message, sqlState: "HY009")
  }

  /// The call makes sense, but this driver cannot do it.
  static func notImplemented(_ message: String) -> DriverError {
    DriverError(.notImplemented, message, sqlState: "0A000")
  }

  /// There is no such thing.
  static func notFound(_ message: String) -> DriverError {
    DriverError(.notFound, message, sqlState: "42000")
  }

  static let cancelled = DriverError(APIError(.cancelled, "the statement was cancelled"))
}

extension DriverError {
  /// What an error of any origin is to the program that uses the driver.
  init(wrapping error: any Error) {
    switch error {
    case let error as DriverError: self = error
    case let error as APIError: self.init(error)
    case let error as EngineError: self.init(APIError(error))
    case is CancellationError: self = .cancelled
    case let error as ArrowError:
      self = .invalidArgument("the Arrow data cannot be used: \(error)")
    case is FolderError, is ClientError, is SystemError:
      self.init(.ioError, "\(error)", sqlState: "08001")
    default: self.init(.internalError, "\(error)", sqlState: "XX000")
    }
  }

  init(_ error: APIError) {
    let (status, sqlState): (Status, String) =
      switch error.kind {
      case .unauthenticated: (.unauthenticated, "28000")
      case .forbidden: (.unauthorized, "42501")
      case .notFound: (.notFound, error.engineCode == 60 ? "42S02" : "42000")
      case .alreadyExists: (.alreadyExists, error.engineCode == 57 ? "42S01" : "42000")
      case .conflict: (.invalidState, "40001")
      case .invalid: (.invalidArgument, "42000")
      case .unsupported: (.notImplemented, "0A000")
      case .cancelled: (.cancelled, "57014")
      case .timedOut: (.timeout, "HYT00")
      case .exhausted: (.ioError, "53000")
      case .unavailable: (.ioError, "08006")
      case .failed: (.internalError, "XX000")
      }
    self.init(status, error.message, sqlState: sqlState, engineCode: error.engineCode)
  }
}
