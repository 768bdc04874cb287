import Foundation

/// What MariaDB's `mariadb-binlog` prints of a file: an independent reading of it.
struct MariaDBBinlogDump {
  static let tool = "/usr/bin/mariadb-binlog"

  static let isInstalled: Bool = {
    let exists = FileManager.default.isExecutableFile(atPath: tool)
    if !exists { print("Skipping comparisons with mariadb-binlog: it is not installed.") }
    return exists
  }()

  /// The offset of each event.
  var offsets: [UInt64] = []
  /// Each event's end and what kind of event it is, as ``describe(_:)`` in the tests writes it.
  var events: [String] = []
  /// The number of rows of each statement.
  var rowCounts: [Int] = []
  /// Everything that was printed.
  var text: String

  /// Nil when the tool cannot read the file.
  init?(of file: URL) throws {
    let process = Process()
    process.executableURL = URL(filePath: Self.tool)
    process.arguments = ["--no-defaults", "--base64-output=DECODE-ROWS", "-vv", file.path]
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { return nil }
    text = String(decoding: data, as: UTF8.self)
    for line in text.split(separator: "\n") {
      if line.hasPrefix("# at ") {
        offsets += UInt64(line.dropFirst(5)).map { [$0] } ?? []
      } else if line.hasPrefix("# Number of rows: ") {
        rowCounts += Int(line.dropFirst(18)).map { [$0] } ?? []
      } else if line.hasPrefix("# Ignorable event type ") {
        let type = line.dropFirst(23).prefix { $0.isNumber }
        events[events.count - 1] += " \(type)"
      } else if line.hasPrefix("#Begin_load_query") {
        events[events.count - 1] += "Begin_load_query"
      } else if let event = Self.parseHeader(line) {
        events.append(event)
      }
    }
  }

  /// Reads a line such as `#180504  8:31:59 server id 1  end_log_pos 486 CRC32 0xa475c6e2 \tXid =
  /// 9`.
  private static func parseHeader(_ line: Substring) -> String? {
    let header = #/^#\d{6} [ \d:]+ server id \d+  end_log_pos (\d+) (?:CRC32 0x[0-9a-f]+ )?\t?(.*)/#
    guard let match = line.firstMatch(of: header) else { return nil }
    var kind = String(match.2).replacing("\t", with: " ").replacing("_compressed", with: "")
    kind = kind.replacing("Query_", with: "Query ")
    for ending in [" created", " xid=", " trans", " ddl"] {
      if let range = kind.range(of: ending), !kind.hasPrefix("Table_map") {
        kind = String(kind[..<range.lowerBound])
      }
    }
    return "\(match.1) \(kind)"
  }
}
