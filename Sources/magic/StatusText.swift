import FoundationEssentials

/// Renders a status for people.
enum StatusText {
  /// One aligned line per value. Nested values get dotted names; the elements of a list get a line
  /// each, with their values side by side.
  static func lines(json: Data) throws -> String {
    guard let status = try? JSONDecoder().decode(JSONValue.self, from: json) else {
      throw Failure("the status is not valid JSON")
    }
    var rows: [(name: String, value: String)] = []
    append(status, name: "", to: &rows)
    let width = rows.map(\.name.count).max() ?? 0
    return rows.map { row in
      row.name + String(repeating: " ", count: width - row.name.count + 2) + row.value + "\n"
    }.joined()
  }

  private static func append(
    _ value: JSONValue, name: String, to rows: inout [(name: String, value: String)]
  ) {
    switch value {
    case .object(let members):
      for (member, value) in members.sorted(by: { $0.key < $1.key }) {
        append(value, name: name.isEmpty ? member : "\(name).\(member)", to: &rows)
      }
    case .list(let elements):
      for (index, element) in elements.enumerated() {
        rows.append((index == 0 ? name : "", element.inline))
      }
    case .null, .bool, .integer, .number, .text:
      rows.append((name, value.inline))
    }
  }
}

/// Any JSON value.
enum JSONValue: Decodable {
  case null
  case bool(Bool)
  case integer(Int64)
  case number(Double)
  case text(String)
  case list([JSONValue])
  case object([String: JSONValue])

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Int64.self) {
      self = .integer(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .text(value)
    } else if let value = try? container.decode([JSONValue].self) {
      self = .list(value)
    } else {
      self = .object(try container.decode([String: JSONValue].self))
    }
  }

  /// The value on one line, without quotation marks.
  var inline: String {
    switch self {
    case .null: "-"
    case .bool(let value): value ? "yes" : "no"
    case .integer(let value): String(value)
    case .number(let value): String(value)
    case .text(let value): value
    case .list(let elements): elements.map(\.inline).joined(separator: ", ")
    case .object(let members):
      members.sorted { $0.key < $1.key }
        .map { "\($0.key)=\($0.value.inline)" }.joined(separator: "  ")
    }
  }
}
