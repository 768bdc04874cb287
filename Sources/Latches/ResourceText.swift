/// How people write resources: `shop`, `shop.orders`, `shop.orders/2026-01`, `shop.orders[k1..k2]`, with
/// `%2E` for a byte that would mean something else; and wishes, with a mode behind a colon:
/// `shop.orders:X`.
extension Resource: CustomStringConvertible {
  /// Reads a resource.
  ///
  /// - Throws: ``LatchError/invalid(_:)`` when it is none.
  public init(text: some StringProtocol) throws(LatchError) {
    var rest = Array(text.utf8)[...]
    var keys: KeyRange?
    if rest.last == UInt8(ascii: "]"), let start = rest.firstIndex(of: UInt8(ascii: "[")) {
      keys = try KeyRange(text: rest[(start + 1)...].dropLast())
      rest = rest[..<start]
    }
    var path: [String] = []
    for separator in [UInt8(ascii: "."), UInt8(ascii: "/")] {
      guard let end = rest.firstIndex(of: separator) else { break }
      path.append(try plainName(rest[..<end], of: text))
      rest = rest[(end + 1)...]
    }
    // Dots and slashes of a partition mean nothing else.
    path.append(path.count < 2 ? try plainName(rest, of: text) : try name(rest))
    self.init(path, keys: keys)
    if let problem { throw .invalid("\(text): \(problem)") }
  }

  public var description: String {
    var text = ""
    for (name, separator) in zip(path, ["", ".", "/"]) { text += separator + escaped(name.utf8) }
    if let keys {
      text += "[\(escaped(keys.lower))..\(keys.upper.map(escaped) ?? "")]"
    }
    return text
  }
}

extension KeyRange {
  fileprivate init(text: ArraySlice<UInt8>) throws(LatchError) {
    let dot = UInt8(ascii: ".")
    guard
      let middle = text.indices.dropLast().first(where: { text[$0] == dot && text[$0 + 1] == dot })
    else {
      throw .invalid("a range of keys is written [FIRST..END], of which each may be left out")
    }
    let upper = text[(middle + 2)...]
    self.init(
      from: try bytes(text[..<middle]), to: upper.isEmpty ? nil : try bytes(upper))
  }
}

extension Mode: CustomStringConvertible {
  /// Reads a mode: `IS`, `IX`, `S`, `SIX`, `X`.
  public init?(text: some StringProtocol) {
    guard let mode = Self.allCases.first(where: { $0.description == text.uppercased() }) else {
      return nil
    }
    self = mode
  }

  public var description: String {
    switch self {
    case .intentionShared: "IS"
    case .intentionExclusive: "IX"
    case .shared: "S"
    case .sharedIntentionExclusive: "SIX"
    case .exclusive: "X"
    }
  }
}

extension Wish: CustomStringConvertible {
  /// Reads a wish.
  ///
  /// - Throws: ``LatchError/invalid(_:)`` when it is none.
  public init(text: some StringProtocol) throws(LatchError) {
    guard let colon = text.lastIndex(of: ":"),
      let mode = Mode(text: text[text.index(after: colon)...])
    else {
      throw .invalid("\(text): a mode belongs behind it: IS, IX, S, SIX or X, as in shop.orders:X")
    }
    self.init(try Resource(text: text[..<colon]), mode)
  }

  public var description: String { "\(resource):\(mode)" }
}

private func isPlain(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"),
    UInt8(ascii: "$"), UInt8(ascii: "@"):
    true
  default: false
  }
}

private func escaped(_ bytes: some Sequence<UInt8>) -> String {
  var text = ""
  for byte in bytes {
    if isPlain(byte) {
      text.unicodeScalars.append(Unicode.Scalar(byte))
    } else {
      let digits = String(byte, radix: 16, uppercase: true)
      text += byte < 16 ? "%0\(digits)" : "%\(digits)"
    }
  }
  return text
}

private func bytes(_ text: ArraySlice<UInt8>) throws(LatchError) -> [UInt8] {
  var result: [UInt8] = []
  var rest = text
  while let byte = rest.popFirst() {
    guard byte == UInt8(ascii: "%") else {
      result.append(byte)
      continue
    }
    let digits = rest.prefix(2)
    guard digits.count == 2, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
      let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
    else { throw .invalid("two hexadecimal digits belong behind a %") }
    result.append(value)
    rest = rest.dropFirst(2)
  }
  return result
}

/// The name of a database or a table.
private func plainName(
  _ text: ArraySlice<UInt8>, of whole: some StringProtocol
) throws(LatchError) -> String {
  guard !text.contains(where: { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "/") }) else {
    throw .invalid(
      """
      \(whole): a resource is DATABASE, DATABASE.TABLE or DATABASE.TABLE/PARTITION; in a name, a dot is \
      written %2E and a slash %2F
      """)
  }
  return try name(text)
}

private func name(_ text: ArraySlice<UInt8>) throws(LatchError) -> String {
  guard let name = String(validating: try bytes(text), as: UTF8.self) else {
    throw .invalid("a name is not valid UTF-8")
  }
  return name
}
