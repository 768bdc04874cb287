import Binlog
import MySQLSchema
import RowEncoding
import WireFormat

/// Turns the events of a binlog into lines of JSON, one for each row change or statement.
struct BinlogDump {
  /// What was printed otherwise than it was stored, in all files.
  private(set) var counters = EncodingCounters()
  /// The lines so far.
  var line = JSONLine()

  private var tables: DumpTables
  private var decoder = BinlogDecoder()
  private var fileName = ""
  private var path = ""
  private var gtid: String?

  /// - Parameter tables: declarations of tables, for binlogs that do not describe them.
  init(tables: [TableSchema]) {
    self.tables = DumpTables(tables)
  }

  /// Begins a file: lines have its name, errors its path.
  mutating func begin(fileName: String, path: String) {
    self.fileName = fileName
    self.path = path
    decoder = BinlogDecoder(file: path)
    gtid = nil
  }

  /// Adds the lines of an event.
  ///
  /// - Throws: `DecodeError`, or ``Failure`` for rows that cannot be decoded.
  mutating func append(_ event: RawSpan, at offset: UInt64) throws {
    // The decoder changes while it calls back into this value, so it is taken out of it.
    var decoder = BinlogDecoder()
    swap(&decoder, &self.decoder)
    defer { self.decoder = decoder }
    try decoder.decode(event, at: offset) { event, bytes in
      switch event.body {
      case .rows(let rows): try append(rows, of: event, in: bytes)
      case .query(let query): append(query, of: event)
      case .gtid(let event): gtid = event.gtid?.description
      case .mariadbGTID(let event): gtid = event.gtid.description
      case .incident(let incident):
        beginLine(event, type: "incident")
        member("message", incident.message)
        endLine()
      case .formatDescription, .rotate, .xid, .tableMap, .previousGTIDs, .gtidList, .heartbeat,
        .rowsQuery, .stop, .statementContext, .xaPrepare, .transactionPayload, .ignorable:
        break
      }
    }
  }

  // MARK: Rows

  private mutating func append(_ rows: RowsEvent, of event: Event, in bytes: RawSpan) throws {
    do throws(EncodingError) {
      let table = try tables.decoder(for: rows.tableMap)
      let batch = try DecodedRows(rows, in: bytes, by: table)
      counters += table.takeCounters()
      for change in 0..<batch.changeCount { append(batch, change, of: event) }
    } catch {
      throw Failure("\(error) (\(path) at byte \(event.offset))")
    }
  }

  private mutating func append(_ rows: DecodedRows, _ change: Int, of event: Event) {
    let type =
      switch rows.kind {
      case .write: "insert"
      case .update: "update"
      case .delete: "delete"
      }
    beginLine(event, type: type)
    member("database", rows.table.name.database)
    member("table", rows.table.name.table)
    switch rows.kind {
    case .write:
      rows.write(row: change, present: rows.presentAfter, as: "after", to: &line)
    case .delete:
      rows.write(row: change, present: rows.presentBefore, as: "before", to: &line)
    case .update:
      rows.write(row: 2 * change, present: rows.presentBefore, as: "before", to: &line)
      rows.write(row: 2 * change + 1, present: rows.presentAfter, as: "after", to: &line)
    }
    endLine()
  }

  // MARK: Statements

  /// What begins and ends transactions is not worth a line.
  private static let transactionVerbs: Set<String> = [
    "BEGIN", "COMMIT", "RELEASE", "ROLLBACK", "SAVEPOINT",
  ]

  private mutating func append(_ query: QueryEvent, of event: Event) {
    let verb = query.statement.prefix(16).uppercased().prefix { $0.isLetter }
    guard !Self.transactionVerbs.contains(String(verb)) else { return }
    let statement = parseDDL(
      query.statement, defaultDatabase: query.database,
      mode: SQLTextMode(sqlMode: query.status.sqlMode ?? 0))
    tables.apply(statement)
    beginLine(event, type: Self.isDDL(statement) ? "ddl" : "statement")
    member("database", query.database)
    member("statement", query.statement)
    endLine()
  }

  private static func isDDL(_ statement: DDLStatement) -> Bool {
    switch statement {
    case .createTable, .alterTable, .dropTables, .renameTables, .truncateTable, .createDatabase,
      .alterDatabase, .dropDatabase, .createIndex, .dropIndex:
      true
    case .noEffect, .dataChange, .unrecognized: false
    }
  }

  // MARK: Lines

  private mutating func beginLine(_ event: Event, type: String) {
    line.open("{")
    member("file", fileName)
    line.key("position")
    line.raw(String(event.offset))
    let time = Int(event.header.timestamp) * 1_000_000
    let text = ValueText.datetime(microseconds: time, fractionalDigits: 0)
    member("timestamp", text.replacing(" ", with: "T") + "Z")
    if let gtid { member("gtid", gtid) }
    member("type", type)
  }

  private mutating func member(_ name: String, _ value: String) {
    line.key(name)
    line.string(value)
  }

  private mutating func endLine() {
    line.close("}")
    line.endLine()
  }
}
