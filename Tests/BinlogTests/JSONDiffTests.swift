import Testing
import WireFormat

@testable import Binlog

@Suite struct JSONDiffTests {
  private func apply(_ text: String, _ diffs: JSONDiff...) throws -> String {
    String(decoding: try bytes(text).applying(diffs), as: UTF8.self)
  }

  private func diff(_ operation: JSONDiff.Operation, _ path: String, _ value: String = "") throws
    -> JSONDiff
  {
    JSONDiff(operation, try JSONPath(bytes(path)), value: bytes(value))
  }

  @Test func parsesPaths() throws {
    let cases: [(String, [JSONPath.Leg])] = [
      ("$", []), ("$.a", [.member([97])]), ("$.a.b", [.member([97]), .member([98])]),
      ("$[0]", [.element(0)]), ("$[12].a[3]", [.element(12), .member([97]), .element(3)]),
      (#"$."a b".c"#, [.member(bytes("a b")), .member([99])]),
      (#"$."".x"#, [.member([]), .member([120])]),
      (
        #"$."q\"\\[1].\u00e9\n"[0]"#,
        [
          .member(bytes("q\"\\[1].é\n")), .element(0),
        ]
      ), ("$.größe", [.member(bytes("größe"))]),
      (#"$."\ud83d\ude00""#, [.member(bytes("😀"))]),
    ]
    for (text, legs) in cases {
      let path = try JSONPath(bytes(text))
      #expect(path.legs == legs, "\(text)")
      #expect(try JSONPath(bytes(path.description)) == path)
    }
    for text in [
      "", "a", "$a", "$.", "$[", "$[]", "$[a]", "$[1", "$[-1]", "$[last]", "$[1 to 2]", "$[*]",
      "$.*", "$**.a", #"$.""#, #"$."a"#, #"$."\x"#, #"$."\u00""#, "$ .a", "$[99999999999]",
      "$[9999999999999999999999]",
    ] {
      #expect(try decodeErrorCode { _ = try JSONPath(bytes(text)) } == .malformed, "\(text)")
    }
    #expect(try decodeErrorCode { _ = try JSONPath(bytes("$.") + [0xA4]) } == .malformed)
    let deep = "$" + String(repeating: "[0]", count: 101)
    #expect(try decodeErrorCode { _ = try JSONPath(bytes(deep)) } == .limitExceeded)
  }

  @Test func changesMembers() throws {
    let text = #"{"a": 1, "b": [1, 2], "cc": {"x": null}}"#
    #expect(
      try apply(text, diff(.replace, "$.a", #""new""#))
        == #"{"a": "new", "b": [1, 2], "cc": {"x": null}}"#)
    #expect(
      try apply(text, diff(.replace, "$.cc.x", "[]")) == #"{"a": 1, "b": [1, 2], "cc": {"x": []}}"#)
    #expect(try apply(text, diff(.remove, "$.b")) == #"{"a": 1, "cc": {"x": null}}"#)
    #expect(
      try apply(text, diff(.remove, "$.cc.x"), diff(.remove, "$.a"), diff(.remove, "$.b"))
        == #"{"cc": {}}"#)
    #expect(
      try apply(text, diff(.remove, "$.cc"), diff(.insert, "$.cc", "7.0"))
        == #"{"a": 1, "b": [1, 2], "cc": 7.0}"#)
    #expect(try apply(text) == text)
    #expect(try apply("{}", diff(.insert, #"$."a\"b\n""#, "true")) == #"{"a\"b\n": true}"#)
  }

  /// Shorter names come first, and names of one length by their bytes.
  @Test func keepsTheServersOrderOfNames() throws {
    var text = "{}"
    for name in ["bb", "a", "aaa", "é", "b", "ab", "", "Z", "\\u0001"] {
      text = try apply(text, diff(.insert, "$.\"\(name)\"", "0"))
    }
    #expect(
      text
        == #"{"": 0, "\u0001": 0, "Z": 0, "a": 0, "b": 0, "ab": 0, "bb": 0, "é": 0, "aaa": 0}"#)
  }

  @Test func changesElements() throws {
    let text = #"[1, "a, [b", [2, 3], {"k": []}]"#
    #expect(try apply(text, diff(.replace, "$[0]", "9")) == #"[9, "a, [b", [2, 3], {"k": []}]"#)
    #expect(try apply(text, diff(.insert, "$[0]", "0")) == #"[0, 1, "a, [b", [2, 3], {"k": []}]"#)
    #expect(
      try apply(text, diff(.insert, "$[2][1]", "0")) == #"[1, "a, [b", [2, 0, 3], {"k": []}]"#)
    // An element far behind the end comes at the end.
    #expect(
      try apply(text, diff(.insert, "$[3].k[5]", "0")) == #"[1, "a, [b", [2, 3], {"k": [0]}]"#)
    #expect(try apply(text, diff(.remove, "$[1]")) == #"[1, [2, 3], {"k": []}]"#)
    #expect(
      try apply(text, diff(.remove, "$[0]"), diff(.remove, "$[0]"), diff(.remove, "$[0][0]"))
        == #"[[3], {"k": []}]"#)
  }

  /// The server refuses them all: the copy is not what the source has.
  @Test func refusesChangesThatDoNotFit() throws {
    let text = #"{"a": 1, "b": [1, 2]}"#
    for change in [
      try diff(.replace, "$.x", "0"), try diff(.remove, "$.x"), try diff(.insert, "$.a", "0"),
      try diff(.replace, "$.b[2]", "0"), try diff(.remove, "$.b[2]"),
      try diff(.replace, "$[0]", "0"), try diff(.insert, "$[0]", "0"),
      try diff(.replace, "$.b.x", "0"), try diff(.insert, "$.a.x", "0"),
      // A scalar is not an array of one element here.
      try diff(.replace, "$.a[0]", "0"), try diff(.remove, "$.a[0]"),
      try diff(.insert, "$.a[1]", "0"), try diff(.insert, "$.x.y", "0"),
    ] {
      #expect(try decodeErrorCode { _ = try apply(text, change) } == .malformed, "\(change)")
    }
    let change = try diff(.replace, "$.a", "0")
    for text in ["", "1", "null", "{", #"{"a"}"#, #"{"a": }"#, #"{"a": 1"#, #"{"a: 1}"#, "{1: 2}"] {
      #expect(try decodeErrorCode { _ = try apply(text, change) } == .malformed, "\(text)")
    }
  }

  @Test func decodesDiffs() throws {
    // REPLACE $.a with the INT16 1; INSERT $[1] with the string "x"; REMOVE $.b.
    let cell: [UInt8] =
      [0, 3] + bytes("$.a") + [3, 5, 1, 0] + [1, 4] + bytes("$[1]") + [3, 0x0C, 1, 0x78] + [2, 3]
      + bytes("$.b")
    let diffs = try JSONDiff.decode(cell.span.bytes)
    #expect(
      diffs == [
        try diff(.replace, "$.a", "1"), try diff(.insert, "$[1]", #""x""#),
        try diff(.remove, "$.b"),
      ])
    #expect(
      diffs.map(\.description) == [
        #"JSON_REPLACE($."a", 1)"#, #"JSON_ARRAY_INSERT($[1], "x")"#, #"JSON_REMOVE($."b")"#,
      ])
    #expect(try JSONDiff.decode([UInt8]().span.bytes) == [])
    let ends = [9, 19]
    for length in 1..<cell.count where !ends.contains(length) {
      let part = Array(cell[..<length])
      #expect(throws: DecodeError.self) { try JSONDiff.decode(part.span.bytes) }
    }
    for bad: [UInt8] in [[3, 1, 0x24], [2, 1, 0x24], [2, 0xFB], [2, 3, 0x24, 0x2E, 0x2A]] {
      #expect(try decodeErrorCode { _ = try JSONDiff.decode(bad.span.bytes) } == .malformed)
    }
  }

  /// The changes from one random document to another one, applied to the first, give the second.
  @Test func appliesRandomDiffs() throws {
    var random = SeededGenerator(seed: 3)
    for _ in 0..<2000 {
      let (old, new) = (Document.random(&random, depth: 3), Document.random(&random, depth: 3))
      guard let diffs = old.diffs(to: new, at: []) else { continue }
      let result = try bytes(old.text).applying(diffs)
      #expect(String(decoding: result, as: UTF8.self) == new.text)
    }
  }
}

/// A document, with the changes that lead from it to another one worked out independently.
private indirect enum Document: Equatable {
  case scalar(String)
  case array([Document])
  case object([String: Document])

  static func random(_ random: inout SeededGenerator, depth: Int) -> Document {
    switch depth > 0 ? Int.random(in: 0..<3, using: &random) : 0 {
    case 0:
      let scalars = ["1", "null", "-2.5", #""text, [1]: {""#, #""é\"\\""#, "true", "1e300", "[]"]
      return .scalar(scalars.randomElement(using: &random) ?? "0")
    case 1:
      return .array(
        (0..<Int.random(in: 0..<5, using: &random)).map { _ in
          Self.random(&random, depth: depth - 1)
        })
    default:
      var members: [String: Document] = [:]
      for _ in 0..<Int.random(in: 0..<5, using: &random) {
        let name = ["a", "b", "cc", "é", "\"q\"", "", "d.e", "[0]"].randomElement(using: &random)
        members[name ?? ""] = Self.random(&random, depth: depth - 1)
      }
      return .object(members)
    }
  }

  private static func quoted(_ name: String) -> String {
    "\"" + name.map { "\"\\".contains($0) ? "\\\($0)" : "\($0)" }.joined() + "\""
  }

  var text: String {
    switch self {
    case .scalar(let text): return text
    case .array(let items): return "[" + items.map(\.text).joined(separator: ", ") + "]"
    case .object(let members):
      let names = members.keys.sorted { ($0.utf8.count, $0) < ($1.utf8.count, $1) }
      return "{"
        + names.map { Self.quoted($0) + ": " + (members[$0]?.text ?? "") }
        .joined(separator: ", ") + "}"
    }
  }

  /// Nil when only another whole document will do.
  func diffs(to new: Document, at path: [JSONPath.Leg]) -> [JSONDiff]? {
    if self == new { return [] }
    func make(_ operation: JSONDiff.Operation, _ leg: JSONPath.Leg, _ value: Document?) -> JSONDiff
    {
      JSONDiff(operation, JSONPath(legs: path + [leg]), value: bytes(value?.text ?? ""))
    }
    var result: [JSONDiff] = []
    switch (self, new) {
    case (.object(let old), .object(let new)):
      for name in old.keys.sorted().reversed() where new[name] == nil {
        result.append(make(.remove, .member(bytes(name)), nil))
      }
      for (name, value) in new.sorted(by: { $0.key < $1.key }) {
        let leg = JSONPath.Leg.member(bytes(name))
        if let before = old[name] {
          result += before.diffs(to: value, at: path + [leg]) ?? [make(.replace, leg, value)]
        } else {
          result.append(make(.insert, leg, value))
        }
      }
    case (.array(let old), .array(let new)):
      for index in old.indices.reversed() where index >= new.count {
        result.append(make(.remove, .element(index), nil))
      }
      for (index, value) in new.enumerated() {
        let leg = JSONPath.Leg.element(index)
        if index < old.count {
          result += old[index].diffs(to: value, at: path + [leg]) ?? [make(.replace, leg, value)]
        } else {
          result.append(make(.insert, leg, value))
        }
      }
    default: return nil
    }
    return result
  }
}
