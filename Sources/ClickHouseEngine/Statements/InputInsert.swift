import MagicCore

/// An insert whose rows come from outside of its text, all of them or the rest.
struct InputInsert {
  /// The format that the rows are in.
  let format: String
  /// Where they go; nil for a table function.
  let name: WrittenName?
  /// The rows that the text has.
  let firstBytes: ArraySlice<UInt8>
  private let text: SQLText
  private let head: InsertHead
  /// The position of VALUES or FORMAT; the end when there is neither.
  private let source: Int
  /// The positions of `input(…)` in a query over it.
  private let inputFunction: Range<Int>?

  /// Nil when it is no insert that rows can follow.
  init?(_ text: SQLText) {
    guard let head = InsertHead(text) else { return nil }
    let count = text.tokens.count
    let start = head.source(in: text)
    switch text.word(start) {
    case "VALUES":
      format = "Values"
      source = start
      firstBytes = text.bytes[text.tokens[start].range.upperBound...]
      inputFunction = nil
    case "" where start == count:
      format = "Values"
      source = count
      firstBytes = []
      inputFunction = nil
    default:
      guard text.bringsRows, let name = text.identifier(count - 1) else { return nil }
      format = name
      source = count - 2
      firstBytes = Self.withoutLineBreak(text.bytes[text.tokens[count - 1].range.upperBound...])
      inputFunction = start == source ? nil : Self.inputFunction(start..<source, in: text)
      if start != source, inputFunction == nil { return nil }
    }
    self.text = text
    self.head = head
    name = head.name
  }

  /// Rows begin behind the line of the format's name, whatever space ends it.
  private static func withoutLineBreak(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var rest = bytes.drop { [0x20, 0x09, 0x0C].contains($0) }
    if rest.first == 0x0D { rest = rest.dropFirst() }
    if rest.first == 0x0A { rest = rest.dropFirst() }
    return rest
  }

  private static func inputFunction(_ range: Range<Int>, in text: SQLText) -> Range<Int>? {
    guard
      let start = range.first(where: { text.word($0) == "INPUT" && text.isSymbol($0 + 1, "(") }),
      let close = text.closing(start + 1), close < range.upperBound
    else { return nil }
    return start..<close + 1
  }

  /// The statement that takes all its rows from a file.
  func statement(reading input: InputPath) -> String {
    let path = quotedString(input.path)
    if let inputFunction {
      let arguments = text.text(inputFunction.lowerBound + 2..<inputFunction.upperBound - 1)
      let structure = arguments.isEmpty ? "'auto'" : arguments
      let compression = quotedString(input.compression ?? "none")
      let file = "file(\(path), \(quotedString(format)), \(structure), \(compression))"
      let end = text.bytes.count
      return text.replacing([
        (text.byteRange(inputFunction), file),
        (text.tokens[source].range.lowerBound..<end, ""),
      ])
    }
    // FROM INFILE stands before SETTINGS, and FORMAT behind them.
    let settings = (head.end..<source).first {
      text.tokens[$0].depth == 0 && text.word($0) == "SETTINGS"
    }
    let clause = settings.map { text.text($0..<source) } ?? ""
    let target = text.text(0..<(settings ?? source))
    let compression = input.compression.map { "COMPRESSION \(quotedString($0)) " } ?? ""
    return "\(target) FROM INFILE \(path) \(compression)\(clause) FORMAT \(format)"
  }

}
