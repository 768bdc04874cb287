import Binlog
import Foundation
import Testing
import WireFormat

extension String {
  fileprivate var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}

/// Describes an event as `MariaDBBinlogDump` reads it from the tool's output.
func describe(_ event: Event) -> String {
  let kind =
    switch event.body {
    case .formatDescription(let format): "Start: binlog v 4, server v \(format.serverVersion)"
    case .rotate(let position): "Rotate to \(position.file)  pos: \(position.offset)"
    case .query(let query):
      (event.header.type == .executeLoadQuery ? "Execute_load_query" : "Query")
        + " thread_id=\(query.threadID) exec_time=\(query.executionSeconds)"
        + " error_code=\(query.errorCode)"
    case .xid(let number): "Xid = \(number)"
    case .tableMap(let map):
      "Table_map: `\(map.database)`.`\(map.table)` mapped to number \(map.tableID)"
    case .rows(let rows):
      "\(rows.kind)_rows: table id \(rows.tableMap.tableID)".capitalizedFirst
        + (rows.isStatementEnd ? " flags: STMT_END_F" : "")
    case .mariadbGTID(let gtid): "GTID \(gtid.gtid)"
    case .gtidList(let list): "Gtid list [\(list.map(\.description).joined(separator: ","))]"
    case .stop: "Stop"
    case .xaPrepare: "XID"
    case .statementContext, .ignorable, .gtid, .previousGTIDs, .rowsQuery, .heartbeat, .incident,
      .transactionPayload:
      switch event.header.type {
      case .intVar: "Intvar"
      case .rand: "Rand"
      case .userVar: "User_var"
      case .beginLoadQuery: "Begin_load_query"
      case .binlogCheckpoint: "Binlog checkpoint"
      case .annotateRows: "Annotate_rows:"
      default: "Ignorable \(event.header.typeCode)"
      }
    }
  return "\(event.header.nextPosition) \(kind)"
}

/// Compares the events of a file with an independent reading of it.
func compare(_ events: [Visited], with dump: MariaDBBinlogDump, _ path: String) throws {
  #expect(events.map(\.event.offset) == dump.offsets, "\(path)")
  // Some kinds print values after those that the description has.
  for (visited, line) in zip(events, dump.events) {
    let description = describe(visited.event)
    #expect(line.hasPrefix(description), "\(path)")
  }
  #expect(events.count == dump.events.count, "\(path)")
  var rowCounts: [Int] = []
  var statementRowCount = 0
  for visited in events {
    switch visited.event.body {
    case .rows(let rows):
      statementRowCount += try countRows(rows, visited.bytes)
      guard rows.isStatementEnd else { continue }
      rowCounts.append(statementRowCount)
      statementRowCount = 0
    case .query(let query)
    where visited.event.header.type == .query && !["BEGIN", "COMMIT"].contains(query.statement):
      // The tool prints the statements of a two-phase ALTER as comments.
      let forms = ["\n\(query.statement)\n/*!*/;", "\n### \(query.statement)\n"]
      #expect(forms.contains { dump.text.contains($0) }, "\(path): \(query.statement)")
    default: break
    }
  }
  #expect(rowCounts == dump.rowCounts, "\(path)")
}

@Suite(.enabled(if: Fixtures.areAvailable)) struct FixtureTests {
  /// Files that `mariadb-binlog` cannot read; other tests say what is in them.
  static let unreadable: Set = [
    "blackbeam/binlog_transaction_with_GTID_TAG.000001", "blackbeam/json-opaque.binlog",
    "osheroff/mysql-bin.compressed",
  ]

  @Test(.enabled(if: MariaDBBinlogDump.isInstalled), arguments: Fixtures.binlogs)
  func equalsMariaDBBinlog(_ path: String) throws {
    let events = try visitFile(try Fixtures.bytes(path), name: path)
    let dump = try MariaDBBinlogDump(of: Fixtures.folder.appending(path: path))
    #expect((dump == nil) == Self.unreadable.contains(path))
    if let dump { try compare(events, with: dump, path) }
  }
}
