import FoundationEssentials
import HTTPTypes
import HummingbirdCore
import NIOCore

/// A request that cannot be served, with the status that says why.
struct RequestError: Error {
  var status: HTTPResponse.Status
  var message: String
}

/// One statement as a client sent it: in the `query` parameter, in the body, or begun in the
/// parameter and continued in the body.
struct StatementRequest {
  var statement: String
  var format: String
  var queryID: String

  init(_ request: Request, body: ByteBuffer) throws(RequestError) {
    var parameters = try Self.parameters(request.uri.query ?? "")
    let head = parameters.removeValue(forKey: "query") ?? ""
    format =
      parameters.removeValue(forKey: "default_format")
      ?? request.headers[.clickHouseFormat] ?? "TabSeparated"
    queryID = parameters.removeValue(forKey: "query_id") ?? UUID().uuidString.lowercased()
    // Who may connect is decided by the socket, so these two name nobody.
    parameters["user"] = nil
    parameters["password"] = nil
    if let unknown = parameters.keys.sorted().first {
      throw RequestError(
        status: .badRequest, message: "The URL parameter '\(unknown)' is not supported")
    }
    guard let tail = String(validating: body.readableBytesView, as: UTF8.self) else {
      throw RequestError(status: .badRequest, message: "The statement is not valid UTF-8")
    }
    statement = head.isEmpty || tail.isEmpty ? head + tail : head + "\n" + tail
    guard statement.utf8.contains(where: { $0 > UInt8(ascii: " ") }) else {
      throw RequestError(
        status: .badRequest,
        message: "No statement: send it in the URL parameter 'query' or in the body")
    }
    // Both become header values.
    for value in [format, queryID] where !HTTPField.isValidValue(value) {
      throw RequestError(status: .badRequest, message: "A parameter has control characters")
    }
  }

  /// Decodes a query string (application/x-www-form-urlencoded).
  static func parameters(_ query: String) throws(RequestError) -> [String: String] {
    var parameters: [String: String] = [:]
    for pair in query.split(separator: "&") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let name = try decode(parts[0])
      let value = parts.count > 1 ? try decode(parts[1]) : ""
      guard parameters.updateValue(value, forKey: name) == nil else {
        throw RequestError(
          status: .badRequest, message: "The URL parameter '\(name)' is given twice")
      }
    }
    return parameters
  }

  private static func decode(_ text: Substring) throws(RequestError) -> String {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "+"): bytes.append(UInt8(ascii: " "))
      case UInt8(ascii: "%"):
        let digits = rest.prefix(2)
        // The second check is for signs, which a number may have and an escape may not.
        guard digits.count == 2, digits.allSatisfy({ $0 >= UInt8(ascii: "0") }),
          let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
        else {
          throw RequestError(status: .badRequest, message: "The URL has a '%' without digits")
        }
        bytes.append(value)
        rest = rest.dropFirst(2)
      default: bytes.append(byte)
      }
    }
    guard let decoded = String(validating: bytes, as: UTF8.self) else {
      throw RequestError(status: .badRequest, message: "The URL is not valid UTF-8")
    }
    return decoded
  }
}

extension HTTPField.Name {
  // These are tokens, so making them does not fail.

  /// The format of a response, or the wanted format of a request without `default_format`.
  static let clickHouseFormat = Self("X-ClickHouse-Format")!
  /// The statement's identifier, the client's own or a new one.
  static let clickHouseQueryID = Self("X-ClickHouse-Query-Id")!
  /// What the statement did: `{"written_rows":"N"}` with the number of rows that it changed.
  static let clickHouseSummary = Self("X-ClickHouse-Summary")!
  /// The engine's error code, when the statement failed before its first byte.
  static let clickHouseExceptionCode = Self("X-ClickHouse-Exception-Code")!
  /// The mark of the block that ends the body when the statement fails half-way.
  static let clickHouseExceptionTag = Self("X-ClickHouse-Exception-Tag")!
}
