import WireFormat

/// One change of a JSON document, as partial updates log them.
///
/// Format: `Json_diff::write_binary` of MySQL's `json_diff.h`.
public struct JSONDiff: Hashable, Sendable {
  public enum Operation: UInt8, Hashable, Sendable {
    /// The value at the path, which is there, becomes another.
    case replace = 0
    /// A member that is not there is added, or an element before the one at the path.
    case insert = 1
    /// The value at the path, which is there, goes.
    case remove = 2
  }

  public var operation: Operation
  public var path: JSONPath
  /// The new value as JSON text; empty for ``Operation/remove``.
  public var value: [UInt8]

  public init(_ operation: Operation, _ path: JSONPath, value: [UInt8] = []) {
    self.operation = operation
    self.path = path
    self.value = value
  }

  /// Decodes the cell of a column that is updated in part: changes in the order in which they are
  /// made. There are none when the document stays as it is.
  ///
  /// - Throws: `malformed`, `truncated` or `limitExceeded`.
  public static func decode(_ cell: RawSpan) throws(DecodeError) -> [JSONDiff] {
    var reader = ByteReader(cell)
    var diffs: [JSONDiff] = []
    while !reader.isAtEnd { diffs.append(try JSONDiff(from: &reader)) }
    return diffs
  }

  private init(from reader: inout ByteReader) throws(DecodeError) {
    let start = reader.offset
    guard let operation = Operation(rawValue: try reader.read()) else {
      throw DecodeError(.malformed, "operation of a JSON change", at: start)
    }
    let text = try reader.readPackedBytes("path of a JSON change")
    let path = try JSONPath(text.withUnsafeBytes { [UInt8]($0) })
    // A whole document is never logged as a change.
    if path.legs.isEmpty { throw DecodeError(.malformed, "path of a JSON change", at: start) }
    self.init(operation, path)
    if operation == .remove { return }
    let binary = try reader.readPackedBytes("value of a JSON change")
    try appendJSONText(of: binary, to: &value)
  }
}

extension JSONDiff: CustomStringConvertible {
  /// The change as the server's function that makes it, such as `JSON_REPLACE($.a, 1)`.
  public var description: String {
    let text = String(decoding: value, as: UTF8.self)
    switch operation {
    case .replace: return "JSON_REPLACE(\(path), \(text))"
    case .insert:
      if case .element = path.legs.last { return "JSON_ARRAY_INSERT(\(path), \(text))" }
      return "JSON_INSERT(\(path), \(text))"
    case .remove: return "JSON_REMOVE(\(path))"
    }
  }
}

/// A path to one value of a JSON document, such as `$.a."b c"[3]`.
public struct JSONPath: Hashable, Sendable {
  public enum Leg: Hashable, Sendable {
    /// A member of an object, by its name without quotes and escapes.
    case member([UInt8])
    /// An element of an array.
    case element(Int)
  }

  /// The deepest nesting of a document, which bounds the length of a path.
  static let maximumLegCount = 100

  public var legs: [Leg]

  public init(legs: [Leg]) { self.legs = legs }

  /// Parses a path as the server prints it. Wildcards, ranges and `last` name no one place for ever
  /// and are refused.
  ///
  /// - Throws: `malformed`; `limitExceeded` for more than 100 legs.
  public init(_ text: [UInt8]) throws(DecodeError) {
    guard String(validating: text, as: UTF8.self) != nil else {
      throw DecodeError(.malformed, "JSON path", at: 0)
    }
    var cursor = PathCursor(text)
    legs = []
    guard cursor.accept(UInt8(ascii: "$")) else { throw cursor.error() }
    while !cursor.isAtEnd {
      guard legs.count < Self.maximumLegCount else {
        throw DecodeError(.limitExceeded, "JSON path", at: cursor.offset)
      }
      legs.append(try cursor.leg())
    }
  }
}

extension JSONPath: CustomStringConvertible {
  /// The path as the server prints it, but with all names in quotes.
  public var description: String {
    legs.reduce("$") { path, leg in
      switch leg {
      case .element(let index): return path + "[\(index)]"
      case .member(let name):
        var quoted: [UInt8] = []
        quoted.appendJSONString(name.span.bytes)
        return path + "." + String(decoding: quoted, as: UTF8.self)
      }
    }
  }
}

/// Reads the text of a path.
private struct PathCursor {
  let text: [UInt8]
  var offset = 0

  init(_ text: [UInt8]) { self.text = text }

  var isAtEnd: Bool { offset == text.count }

  func error() -> DecodeError { DecodeError(.malformed, "JSON path", at: offset) }

  mutating func accept(_ byte: UInt8) -> Bool {
    guard offset < text.count, text[offset] == byte else { return false }
    offset += 1
    return true
  }

  mutating func leg() throws(DecodeError) -> JSONPath.Leg {
    if accept(UInt8(ascii: "[")) {
      let digits = text[offset...].prefix { (0x30...0x39).contains($0) }
      offset += digits.count
      guard let index = Int(String(decoding: digits, as: UTF8.self)), index <= Int(UInt32.max),
        accept(UInt8(ascii: "]"))
      else { throw error() }
      return .element(index)
    }
    guard accept(UInt8(ascii: ".")) else { throw error() }
    if offset < text.count, text[offset] == UInt8(ascii: "\"") {
      guard let end = text.jsonStringEnd(from: offset) else { throw error() }
      let name = try text[offset..<end].unescapedJSONString()
      offset = end
      return .member(name)
    }
    let stops: [UInt8] = Array(".[*\" ".utf8)
    let name = text[offset...].prefix { !stops.contains($0) }
    if name.isEmpty { throw error() }
    offset += name.count
    return .member([UInt8](name))
  }
}
