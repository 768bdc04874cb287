/// The parameters of a URL (application/x-www-form-urlencoded), each with one value.
struct URLParameters: Sendable {
  private var values: [String: String] = [:]

  /// No parameters.
  init() {}

  /// Decodes what follows the `?`.
  ///
  /// - Throws: ``RequestError`` for escapes without digits, text that is not UTF-8, and a name that
  ///   comes twice.
  init(_ query: Substring) throws(RequestError) {
    for pair in query.split(separator: "&") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      try add(Self.decode(parts[0]), parts.count > 1 ? Self.decode(parts[1]) : "")
    }
  }

  var isEmpty: Bool { values.isEmpty }
  /// The names, sorted.
  var names: [String] { values.keys.sorted() }

  subscript(name: String) -> String? { values[name] }

  /// Adds a parameter.
  ///
  /// - Throws: ``RequestError`` when there is one of that name.
  mutating func add(_ name: String, _ value: String) throws(RequestError) {
    guard values.updateValue(value, forKey: name) == nil else {
      throw RequestError("The URL parameter '\(name)' is given twice")
    }
  }

  /// Removes a parameter, and gives its value.
  mutating func take(_ name: String) -> String? { values.removeValue(forKey: name) }

  /// The same, for a parameter that is 1 or 0.
  mutating func takeFlag(_ name: String) throws(RequestError) -> Bool? {
    guard let value = take(name) else { return nil }
    switch value {
    case "1", "true": return true
    case "0", "false": return false
    default: throw RequestError("The URL parameter '\(name)' must be 0 or 1")
    }
  }

  private static func decode(_ text: Substring) throws(RequestError) -> String {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.utf8.count)
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "+"): bytes.append(UInt8(ascii: " "))
      case UInt8(ascii: "%"):
        guard let high = rest.popFirst().flatMap(hexDigit),
          let low = rest.popFirst().flatMap(hexDigit)
        else { throw RequestError("The URL has a '%' without digits") }
        bytes.append(high << 4 | low)
      default: bytes.append(byte)
      }
    }
    guard let decoded = String(validating: bytes, as: UTF8.self) else {
      throw RequestError("The URL is not valid UTF-8")
    }
    return decoded
  }

  private static func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
