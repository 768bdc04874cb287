import WireFormat

extension [UInt8] {
  /// This JSON document, as a server prints it, after changes: the text that the server prints for
  /// the result.
  ///
  /// - Throws: `malformed` when the text is not JSON, or when a change does not fit it: nothing is
  ///   where a value has to be, or something is where one is to be added.
  public func applying(_ diffs: [JSONDiff]) throws(DecodeError) -> [UInt8] {
    if diffs.isEmpty { return self }
    var document = JSONNode.text(self[...])
    for diff in diffs { try document.apply(diff, legs: diff.path.legs[...]) }
    var result: [UInt8] = []
    result.reserveCapacity(count)
    document.append(to: &result)
    return result
  }

  /// Where a string in double quotes ends that begins at `start`; nil when it does not.
  func jsonStringEnd(from start: Int) -> Int? { self[...].jsonStringEnd(from: start) }
}

/// A value of a document: text, until a change leads into it.
private indirect enum JSONNode {
  case text(ArraySlice<UInt8>)
  case array([JSONNode])
  /// Members in the server's order. Names have their quotes and escapes.
  case object([(name: ArraySlice<UInt8>, value: JSONNode)])

  static func misfit() -> DecodeError {
    DecodeError(.malformed, "a change that does not fit the JSON document", at: 0)
  }

  /// Makes a change at a place below this value.
  mutating func apply(_ diff: JSONDiff, legs: ArraySlice<JSONPath.Leg>) throws(DecodeError) {
    try expand()
    guard let leg = legs.first else { throw Self.misfit() }
    let rest = legs.dropFirst()
    switch (self, leg) {
    case (.array(var elements), .element(let index)):
      // The array is taken out while it changes, so that it is not copied.
      self = .array([])
      try Self.change(&elements, at: index, diff, rest)
      self = .array(elements)
    case (.object(var members), .member(let name)):
      self = .object([])
      try Self.change(&members, name, diff, rest)
      self = .object(members)
    case (.text, _), (.array, .member), (.object, .element): throw Self.misfit()
    }
  }

  private static func change(
    _ elements: inout [JSONNode], at index: Int, _ diff: JSONDiff, _ rest: ArraySlice<JSONPath.Leg>
  ) throws(DecodeError) {
    if rest.isEmpty && diff.operation == .insert {
      // Behind the end is at the end.
      elements.insert(.text(diff.value[...]), at: min(index, elements.count))
      return
    }
    guard index < elements.count else { throw misfit() }
    if !rest.isEmpty {
      try elements[index].apply(diff, legs: rest)
    } else if diff.operation == .remove {
      elements.remove(at: index)
    } else {
      elements[index] = .text(diff.value[...])
    }
  }

  private static func change(
    _ members: inout [(name: ArraySlice<UInt8>, value: JSONNode)], _ name: [UInt8],
    _ diff: JSONDiff, _ rest: ArraySlice<JSONPath.Leg>
  ) throws(DecodeError) {
    var position = members.count
    var isThere = false
    for (index, member) in members.enumerated() {
      let other = try member.name.unescapedJSONString()
      if other == name { isThere = true }
      if other == name || isOrdered(name, other) {
        position = index
        break
      }
    }
    let isInsertion = rest.isEmpty && diff.operation == .insert
    guard isThere != isInsertion else { throw misfit() }
    if isInsertion {
      var quoted: [UInt8] = []
      quoted.appendJSONString(name.span.bytes)
      members.insert((quoted[...], .text(diff.value[...])), at: position)
    } else if !rest.isEmpty {
      try members[position].value.apply(diff, legs: rest)
    } else if diff.operation == .remove {
      members.remove(at: position)
    } else {
      members[position].value = .text(diff.value[...])
    }
  }

  /// Whether the server puts one name before another: shorter ones come first.
  private static func isOrdered(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    left.count == right.count ? left.lexicographicallyPrecedes(right) : left.count < right.count
  }

  /// Takes an array or object apart.
  private mutating func expand() throws(DecodeError) {
    guard case .text(let text) = self else { return }
    var scanner = JSONScanner(text)
    if let elements = try scanner.elements() {
      self = .array(elements.map(JSONNode.text))
    } else if let members = try scanner.members() {
      self = .object(members.map { ($0.name, .text($0.value)) })
    }
  }

  func append(to result: inout [UInt8]) {
    switch self {
    case .text(let text): result += text
    case .array(let elements):
      result.append(UInt8(ascii: "["))
      for (index, element) in elements.enumerated() {
        if index > 0 { result += Array(", ".utf8) }
        element.append(to: &result)
      }
      result.append(UInt8(ascii: "]"))
    case .object(let members):
      result.append(UInt8(ascii: "{"))
      for (index, member) in members.enumerated() {
        if index > 0 { result += Array(", ".utf8) }
        result += member.name
        result += Array(": ".utf8)
        member.value.append(to: &result)
      }
      result.append(UInt8(ascii: "}"))
    }
  }
}

/// Splits the text of an array or object into the texts inside, without looking into those.
private struct JSONScanner {
  private let text: ArraySlice<UInt8>
  private var offset: Int

  init(_ text: ArraySlice<UInt8>) {
    self.text = text
    offset = text.startIndex
  }

  private func error() -> DecodeError { DecodeError(.malformed, "JSON text", at: offset) }

  private mutating func skipSpace() {
    while offset < text.endIndex, [0x20, 0x09, 0x0A, 0x0D].contains(text[offset]) { offset += 1 }
  }

  private mutating func accept(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard offset < text.endIndex, text[offset] == UInt8(ascii: character) else { return false }
    offset += 1
    return true
  }

  /// The elements of an array; nil when the text is none.
  mutating func elements() throws(DecodeError) -> [ArraySlice<UInt8>]? {
    guard accept("[") else { return nil }
    var elements: [ArraySlice<UInt8>] = []
    if accept("]") { return elements }
    repeat { elements.append(try value()) } while accept(",")
    guard accept("]") else { throw error() }
    return elements
  }

  /// The members of an object; nil when the text is none.
  mutating func members() throws(DecodeError) -> [(
    name: ArraySlice<UInt8>, value: ArraySlice<UInt8>
  )]? {
    guard accept("{") else { return nil }
    var members: [(name: ArraySlice<UInt8>, value: ArraySlice<UInt8>)] = []
    if accept("}") { return members }
    repeat {
      skipSpace()
      guard let end = text.jsonStringEnd(from: offset) else { throw error() }
      let name = text[offset..<end]
      offset = end
      guard accept(":") else { throw error() }
      members.append((name, try value()))
    } while accept(",")
    guard accept("}") else { throw error() }
    return members
  }

  /// Moves past one value and the arrays and objects inside.
  private mutating func value() throws(DecodeError) -> ArraySlice<UInt8> {
    skipSpace()
    let start = offset
    var depth = 0
    while offset < text.endIndex {
      switch text[offset] {
      case UInt8(ascii: "\""):
        guard let end = text.jsonStringEnd(from: offset) else { throw error() }
        offset = end
        continue
      case UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
      case UInt8(ascii: "]") where depth > 0, UInt8(ascii: "}") where depth > 0: depth -= 1
      case UInt8(ascii: "]"), UInt8(ascii: "}"), UInt8(ascii: ","):
        if depth == 0 { return try trimmed(start) }
      default: break
      }
      offset += 1
    }
    throw error()
  }

  private func trimmed(_ start: Int) throws(DecodeError) -> ArraySlice<UInt8> {
    var end = offset
    while end > start, [0x20, 0x09, 0x0A, 0x0D].contains(text[end - 1]) { end -= 1 }
    if end == start { throw error() }
    return text[start..<end]
  }
}

extension ArraySlice<UInt8> {
  /// Where a string in double quotes ends that begins at `start`; nil when it does not.
  func jsonStringEnd(from start: Int) -> Int? {
    guard start < endIndex, self[start] == UInt8(ascii: "\"") else { return nil }
    var offset = start + 1
    while offset < endIndex {
      switch self[offset] {
      case UInt8(ascii: "\""): return offset + 1
      case UInt8(ascii: "\\"): offset += 2
      default: offset += 1
      }
    }
    return nil
  }

  /// The text of a string in double quotes, as UTF-8.
  func unescapedJSONString() throws(DecodeError) -> [UInt8] {
    let content = dropFirst().dropLast()
    if !content.contains(UInt8(ascii: "\\")) { return [UInt8](content) }
    var result: [UInt8] = []
    var units: [UInt16] = []
    func flush(_ result: inout [UInt8], _ units: inout [UInt16]) {
      result += Array(String(decoding: units, as: UTF16.self).utf8)
      units = []
    }
    var offset = content.startIndex
    while offset < content.endIndex {
      let byte = content[offset]
      offset += 1
      guard byte == UInt8(ascii: "\\") else {
        flush(&result, &units)
        result.append(byte)
        continue
      }
      guard offset < content.endIndex else {
        throw DecodeError(.malformed, "escape in a JSON string", at: offset)
      }
      let escape = content[offset]
      offset += 1
      if escape == UInt8(ascii: "u") {
        let digits = String(decoding: content[offset...].prefix(4), as: UTF8.self)
        guard digits.utf8.count == 4, let unit = UInt16(digits, radix: 16) else {
          throw DecodeError(.malformed, "escape in a JSON string", at: offset)
        }
        units.append(unit)
        offset += 4
        continue
      }
      flush(&result, &units)
      switch escape {
      case UInt8(ascii: "b"): result.append(0x08)
      case UInt8(ascii: "t"): result.append(0x09)
      case UInt8(ascii: "n"): result.append(0x0A)
      case UInt8(ascii: "f"): result.append(0x0C)
      case UInt8(ascii: "r"): result.append(0x0D)
      default: result.append(escape)
      }
    }
    flush(&result, &units)
    return result
  }
}
