import ArgumentParser

/// A result's form as the user names it: one of the short names, or any format of ClickHouse.
struct OutputFormat: ExpressibleByArgument, Equatable {
  /// ClickHouse's name of the format.
  let engineName: String

  /// Aligned columns, for people.
  static let table = OutputFormat(engineName: "PrettyCompactNoEscapesMonoBlock")
  /// Tab-separated values with a line of names, for programs.
  static let tsv = OutputFormat(engineName: "TabSeparatedWithNames")

  private static let shortNames: [String: OutputFormat] = [
    "table": table,
    "tsv": tsv,
    "csv": OutputFormat(engineName: "CSVWithNames"),
    "json": OutputFormat(engineName: "JSONEachRow"),
    "arrow": OutputFormat(engineName: "Arrow"),
    "arrowstream": OutputFormat(engineName: "ArrowStream"),
    "parquet": OutputFormat(engineName: "Parquet"),
  ]

  private init(engineName: String) { self.engineName = engineName }

  /// Takes a short name in any case, or ClickHouse's own spelling.
  init?(argument: String) {
    if let short = Self.shortNames[argument.lowercased()] {
      self = short
    } else if !argument.isEmpty, argument.utf8.allSatisfy(Self.isNameByte) {
      self.init(engineName: argument)
    } else {
      return nil
    }
  }

  var defaultValueDescription: String { "table on a terminal, else tsv" }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
      true
    default: false
    }
  }
}
