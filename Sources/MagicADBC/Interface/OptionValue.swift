/// The value of an option, in one of the forms that the interface has for it.
enum OptionValue: Hashable {
  case text(String)
  case bytes([UInt8])
  case integer(Int64)
  case double(Double)

  /// The value as text.
  func text(_ key: String) throws -> String {
    switch self {
    case .text(let text): return text
    case .integer(let number): return "\(number)"
    case .double(let number): return "\(number)"
    case .bytes(let bytes):
      guard let text = String(validating: bytes, as: UTF8.self) else { throw mistake(key, "text") }
      return text
    }
  }

  /// The value as bytes.
  func bytes(_ key: String) throws -> [UInt8] {
    if case .bytes(let bytes) = self { return bytes }
    return Array(try text(key).utf8)
  }

  /// The value as an integer.
  func integer(_ key: String) throws -> Int64 {
    switch self {
    case .integer(let number): return number
    case .double(let number):
      guard let exact = Int64(exactly: number) else { throw mistake(key, "an integer") }
      return exact
    case .text, .bytes:
      guard let number = Int64(try text(key)) else { throw mistake(key, "an integer") }
      return number
    }
  }

  /// The value as a floating-point number.
  func double(_ key: String) throws -> Double {
    switch self {
    case .double(let number): return number
    case .integer(let number): return Double(number)
    case .text, .bytes:
      guard let number = Double(try text(key)) else { throw mistake(key, "a number") }
      return number
    }
  }

  /// The value as a truth value: `true` or `false`.
  func bool(_ key: String) throws -> Bool {
    guard let value = Bool(try text(key)) else { throw mistake(key, "true or false") }
    return value
  }

  /// A truth value as the interface writes it.
  static func bool(_ value: Bool) -> OptionValue { .text(value ? "true" : "false") }

  // Without the value, which may be a secret.
  private func mistake(_ key: String, _ wanted: String) -> DriverError {
    .invalidArgument("the option \(key) must be \(wanted)")
  }
}

/// An object that has options.
protocol OptionHolder: AnyObject {
  /// Sets an option; nil unsets it.
  func setOption(_ key: String, _ value: OptionValue?) throws
  /// The value of an option that is set; nil when it is not.
  func option(_ key: String) throws -> OptionValue?
}

extension OptionHolder {
  /// The value of an option that must be set.
  func requiredOption(_ key: String) throws -> OptionValue {
    guard let value = try option(key) else {
      throw DriverError.notFound("the option \(key) is not set")
    }
    return value
  }
}

extension DriverError {
  /// An option that the driver does not have.
  static func unknownOption(_ key: String) -> DriverError {
    .notImplemented("this driver has no option \(key)")
  }
}
