import ArgumentParser
import Binlog
import FoundationEssentials
import MySQLSchema

/// `magic binlog`: looks at binlog files, without a server or a data folder.
struct BinlogCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "binlog",
    abstract: "Look at binlog files.",
    subcommands: [Dump.self])

  /// `magic binlog dump`.
  struct Dump: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Print binlog files as JSON, one object per row change or statement.",
      discussion: """
        Each line has the file, the event's position in it, its time in UTC, the transaction's \
        GTID if it has one, and the type: insert, update, delete, ddl, statement (a statement that \
        was logged as text and changes no table's definition) or incident.

        Integers are JSON numbers of any size. Decimals, dates and times are strings, binary \
        values are Base64, SET is a list.

        Names of columns, ENUM members and charsets come from CREATE TABLE statements, in --schema \
        or in the binlog itself, or from the binlog's metadata (binlog_row_metadata=FULL). Without \
        these, columns are called @1, @2, …, texts are Base64 and integers are signed.
        """)

    @Option(help: "A file of CREATE TABLE statements, such as mysqldump --no-data writes.")
    var schema: String?

    @Option(
      help:
        "The keys that MariaDB encrypted the files with, in the form of its file_key_management.",
      completion: .file())
    var keyFile: String?

    @Argument(help: "Binlog files, plain or compressed with gzip.", completion: .file())
    var files: [String]

    func run() throws {
      var dump = BinlogDump(tables: try declaredTables())
      do {
        let keys = try keyFile.map(BinlogKeys.init(path:))
        for file in files { try print(file, keys, &dump) }
      } catch {
        // What came before the damage is still worth having.
        try writeToStandardOutput(dump.line.take())
        throw error
      }
      warn(dump.counters.zeroDates, "dates that are not in the calendar were printed as null")
      warn(dump.counters.invalidTexts, "texts were not valid in their charset")
    }

    private func print(_ path: String, _ keys: BinlogKeys?, _ dump: inout BinlogDump) throws {
      let file = try BinlogFile(path: path, keys: keys)
      dump.begin(fileName: file.name, path: path)
      while try file.read({ event, offset in
        try dump.append(event, at: offset)
        if dump.line.bytes.count >= 1 << 16 { try writeToStandardOutput(dump.line.take()) }
      }) {}
      try writeToStandardOutput(dump.line.take())
    }

    private func declaredTables() throws -> [TableSchema] {
      guard let schema else { return [] }
      let bytes: Data
      do {
        bytes = try Data(contentsOf: URL(filePath: schema))
      } catch {
        throw Failure("'\(schema)' cannot be read")
      }
      let dump = parseSchemaDump(Array(bytes))
      if let problem = dump.problems.first { throw Failure("'\(schema)', \(problem)") }
      return dump.tables
    }

    private func warn(_ count: Int, _ message: String) {
      if count > 0 { printWarning("\(count) \(message)") }
    }
  }
}
