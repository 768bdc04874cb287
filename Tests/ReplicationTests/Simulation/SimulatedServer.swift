import Binlog
import Foundation
import MySQLSchema
import Synchronization

/// A table of a simulated server: INT columns, the first of which is the key, if there is one.
struct SimulatedTable: Equatable {
  /// The names after `id`; each is also the value that the column had where it was added.
  var columns: [String]
  var hasKey: Bool
  var isTransactional = true
  var rows: [[Int32]] = []

  func schema(_ name: TableName) -> TableSchema {
    TableSchema(
      name: name,
      columns: (["id"] + columns).map {
        Column(name: $0, type: .integer(.int, isUnsigned: false), isNullable: false)
      }, primaryKey: hasKey ? [0] : [], storageEngine: isTransactional ? "InnoDB" : "MyISAM")
  }

  /// Columns and rows as text, in an order that does not depend on how they came about.
  var content: [String] {
    [(["id"] + columns).joined(separator: " ")]
      + rows.map { $0.map(String.init).joined(separator: " ") }.sorted()
  }

  var definition: String {
    let list =
      ["id INT NOT NULL"] + columns.map { "\($0) INT NOT NULL" }
      + (hasKey ? ["PRIMARY KEY (id)"] : [])
    return "(" + list.joined(separator: ", ") + ") ENGINE="
      + (isTransactional ? "InnoDB" : "MyISAM")
  }
}

/// The server's state after a transaction.
struct SimulatedMoment {
  var position: BinlogPosition
  var tables: [TableName: SimulatedTable]
  /// The names that a statement gave another meaning.
  var changedNames: Set<TableName>
}

/// A server with tables and a binlog, and everything that it ever was.
struct SimulatedServer {
  private(set) var tables: [TableName: SimulatedTable] = [:]
  private(set) var moments: [SimulatedMoment] = []
  /// Distributed transactions that are prepared: the table that each holds locked, as it will be.
  private var prepared: [(name: String, table: TableName, result: SimulatedTable)] = []
  private var preparedCount = 0
  private var fileNumber = 1
  private var writers: [EventWriter] = [EventWriter()]
  var random: RandomNumbers

  private static let names: [TableName] =
    ["a", "b", "c", "d"].map { TableName(database: "shop", table: $0) }
    + [
      TableName(database: "side", table: "a"), TableName(database: "shop", table: "hidden"),
    ]

  init(random: RandomNumbers) {
    self.random = random
    for name in Self.names where self.random.below(3) > 0 { tables[name] = newTable() }
    commit()
  }

  var position: BinlogPosition {
    BinlogPosition(file: Self.file(fileNumber), offset: UInt64(writers[fileNumber - 1].offset))
  }

  static func file(_ number: Int) -> String {
    "bin." + String(repeating: "0", count: 6 - "\(number)".count) + "\(number)"
  }

  /// The state as of a position: that after the last transaction before it.
  func moment(at position: BinlogPosition) -> SimulatedMoment? {
    moments.last { $0.position <= position }
  }

  /// The names that got another meaning between two positions.
  func changedNames(after start: BinlogPosition, through end: BinlogPosition) -> Set<TableName> {
    moments.reduce(into: []) { names, moment in
      if moment.position > start, moment.position <= end { names.formUnion(moment.changedNames) }
    }
  }

  /// The events after a position, with the number of the file that each lies in.
  func events(after position: BinlogPosition, limit: Int) -> (
    events: [[UInt8]], end: BinlogPosition
  ) {
    var events: [[UInt8]] = []
    var end = position
    for number in 1...fileNumber where Self.file(number) >= position.file {
      var offset: UInt64 = 4
      for event in writers[number - 1].events {
        offset += UInt64(event.count)
        let place = BinlogPosition(file: Self.file(number), offset: offset)
        guard place > end else { continue }
        if events.count == limit { return (events, end) }
        if place.file != end.file {
          // The server announces each file.
          events += writers[number - 1].beginning(
            at: BinlogPosition(file: place.file, offset: 4)
          ).prefix(1)
        }
        events.append(event)
        end = place
      }
    }
    return (events, end)
  }

  func beginning(at position: BinlogPosition) -> [[UInt8]] { writers[0].beginning(at: position) }

  private var writer: EventWriter {
    get { writers[fileNumber - 1] }
    set { writers[fileNumber - 1] = newValue }
  }

  private mutating func commit(changing names: Set<TableName> = []) {
    moments.append(SimulatedMoment(position: position, tables: tables, changedNames: names))
  }

  // MARK: What happens

  mutating func act() {
    switch random.below(100) {
    case 0..<52: transaction()
    case 52..<60: distributedTransaction()
    case 60..<63: rotate()
    case 63..<66: cutOff()
    default: changeTables()
    }
  }

  private mutating func rotate() {
    writer.rotate(to: Self.file(fileNumber + 1))
    nextFile()
  }

  private mutating func nextFile() {
    fileNumber += 1
    writers.append(EventWriter())
  }

  /// The server stops amid a transaction, which it takes back when it starts again.
  private mutating func cutOff() {
    writer.query("BEGIN")
    let before = tables
    let lost = changeRows(1 + random.below(2))
    takeBack(to: before, lost)
    nextFile()
    commit()
  }

  private mutating func transaction() {
    writer.query("BEGIN")
    let before = tables
    var changed = changeRows(1 + random.below(3))
    if random.oneIn(5) {
      writer.query("SAVEPOINT `s`")
      let saved = tables
      let lost = changeRows(1 + random.below(3))
      writer.query("ROLLBACK TO `s`")
      takeBack(to: saved, lost)
    }
    changed.formUnion(changeRows(random.below(2)))
    if random.oneIn(8) {
      writer.query("ROLLBACK")
      takeBack(to: before, changed)
    } else {
      writer.xid()
    }
    commit()
  }

  private mutating func distributedTransaction() {
    if let index = prepared.indices.randomElement(using: &random), random.below(3) > 0 {
      let ended = prepared.remove(at: index)
      let isCommitted = random.below(3) > 0
      writer.query("XA \(isCommitted ? "COMMIT" : "ROLLBACK") \(Self.identifier(ended.name))")
      if isCommitted { tables[ended.table] = ended.result }
      return commit()
    }
    let name = unlocked.filter { tables[$0]?.isTransactional ?? false }.randomElement(
      using: &random)
    guard let name, let before = tables[name] else { return }
    preparedCount += 1
    let transaction = "x\(preparedCount)"
    writer.query("XA START \(Self.identifier(transaction))")
    changeRows(of: name)
    writer.query("XA END \(Self.identifier(transaction))")
    let isOnePhase = random.oneIn(4)
    writer.xaPrepare(transaction, isOnePhase: isOnePhase)
    if !isOnePhase, let result = tables[name] {
      prepared.append((transaction, name, result))
      tables[name] = before
    }
    commit()
  }

  private static func identifier(_ name: String) -> String {
    "X'" + name.utf8.map { String($0, radix: 16) }.joined() + "',X'',1"
  }

  /// The tables that no prepared transaction has changed.
  private var unlocked: [TableName] {
    tables.keys.filter { name in !prepared.contains { $0.table == name } }.sorted()
  }

  /// Tables without transactions keep their rows.
  private mutating func takeBack(to before: [TableName: SimulatedTable], _ names: Set<TableName>) {
    for name in names where tables[name]?.isTransactional == true { tables[name] = before[name] }
  }

  private mutating func changeRows(_ count: Int) -> Set<TableName> {
    var changed: Set<TableName> = []
    for _ in 0..<count {
      guard let name = unlocked.randomElement(using: &random) else { break }
      changeRows(of: name)
      changed.insert(name)
    }
    return changed
  }

  private mutating func changeRows(of name: TableName) {
    guard var table = tables[name] else { return }
    let number = UInt64(random.below(5) + 1)
    writer.tableMap(
      name.table, id: number, database: name.database, columnCount: table.columns.count + 1)
    for _ in 0...random.below(3) {
      switch random.below(3) {
      case 0:
        var rows: [[Int32]] = []
        for _ in 0...random.below(2) {
          if let row = newRow(table) {
            rows.append(row)
            table.rows.append(row)
          }
        }
        if !rows.isEmpty { writer.insert(rows, id: number) }
      case 1:
        guard let index = table.rows.indices.randomElement(using: &random) else { continue }
        let before = table.rows.remove(at: index)
        guard var after = newRow(table) else {
          table.rows.append(before)
          continue
        }
        if random.below(3) > 0 { after[0] = before[0] }
        table.rows.append(after)
        writer.update([(before, after)], id: number)
      default:
        guard let index = table.rows.indices.randomElement(using: &random) else { continue }
        writer.delete([table.rows.remove(at: index)], id: number)
      }
    }
    tables[name] = table
  }

  private mutating func newRow(_ table: SimulatedTable) -> [Int32]? {
    let id = Int32(random.below(12))
    if table.hasKey, table.rows.contains(where: { $0[0] == id }) { return nil }
    let bound = table.hasKey ? 1000 : 2
    return [id] + table.columns.map { _ in Int32(random.below(bound)) }
  }

  private mutating func newTable() -> SimulatedTable {
    var table = SimulatedTable(
      columns: ["c1"], hasKey: random.below(4) > 0, isTransactional: random.below(5) > 0)
    for _ in 0..<random.below(8) { if let row = newRow(table) { table.rows.append(row) } }
    return table
  }

  // MARK: Statements

  private mutating func statement(_ text: String, _ names: [TableName]) {
    writer.query(text)
    commit(changing: Set(names))
  }

  private func sql(_ name: TableName) -> String { "`\(name.database)`.`\(name.table)`" }

  private mutating func changeTables() {
    let present = unlocked
    let absent = Self.names.filter { tables[$0] == nil }
    guard let name = present.randomElement(using: &random) else {
      if let free = absent.first { create(free) }
      return
    }
    switch random.below(12) {
    case 0, 1:
      if let free = absent.randomElement(using: &random) { create(free) }
    case 2:
      tables[name] = nil
      statement("DROP TABLE \(sql(name)) /* generated by server */", [name])
    case 3:
      tables[name]?.rows = []
      statement("TRUNCATE TABLE \(sql(name))", [name])
    case 4:
      if let free = absent.randomElement(using: &random) { rename([(name, free)]) }
    case 5:
      guard let other = present.randomElement(using: &random), other != name else { return }
      let between = TableName(database: "shop", table: "between")
      rename([(name, between), (other, name), (between, other)])
    case 6:
      // As tools for changes of tables do it in the end.
      guard let other = present.randomElement(using: &random), other != name,
        let free = absent.randomElement(using: &random)
      else { return }
      rename([(name, free), (other, name)])
    case 7, 8: alter(name)
    case 9: createAgain(name)
    case 10:
      if let free = absent.randomElement(using: &random) {
        tables[free] = tables[name]
        tables[free]?.rows = []
        statement("CREATE TABLE \(sql(free)) LIKE \(sql(name))", [free])
      }
    default:
      guard random.oneIn(3), !prepared.contains(where: { $0.table.database == "side" }) else {
        return
      }
      let gone = present.filter { $0.database == "side" }
      for name in gone { tables[name] = nil }
      statement("DROP DATABASE IF EXISTS side", gone)
      statement("CREATE DATABASE side", [])
    }
  }

  private mutating func create(_ name: TableName) {
    var table = newTable()
    let rows = table.rows
    table.rows = []
    guard random.oneIn(3), !rows.isEmpty else {
      tables[name] = table
      return statement("CREATE TABLE \(sql(name)) \(table.definition)", [name])
    }
    // CREATE TABLE … SELECT.
    writer.query("BEGIN")
    writer.query("CREATE TABLE \(sql(name)) \(table.definition)")
    writer.tableMap(name.table, database: name.database)
    writer.insert(rows)
    writer.xid()
    table.rows = rows
    tables[name] = table
    commit(changing: [name])
  }

  private mutating func createAgain(_ name: TableName) {
    var table = newTable()
    table.rows = []
    if random.oneIn(2) {
      statement("CREATE TABLE IF NOT EXISTS \(sql(name)) \(table.definition)", [])
    } else {
      tables[name] = table
      statement("CREATE OR REPLACE TABLE \(sql(name)) \(table.definition)", [name])
    }
  }

  private mutating func rename(_ pairs: [(from: TableName, to: TableName)]) {
    for (from, to) in pairs { tables[to] = tables.removeValue(forKey: from) }
    let text = pairs.map { "\(sql($0.from)) TO \(sql($0.to))" }.joined(separator: ", ")
    statement("RENAME TABLE " + text, pairs.flatMap { [$0.from, $0.to] })
  }

  private mutating func alter(_ name: TableName) {
    guard var table = tables[name] else { return }
    switch random.below(4) {
    case 0 where table.columns.count < 5:
      let number = Int32(random.below(90) + 10)
      guard !table.columns.contains("c\(number)") else { return }
      table.columns.append("c\(number)")
      table.rows = table.rows.map { $0 + [number] }
      tables[name] = table
      statement(
        "ALTER TABLE \(sql(name)) ADD COLUMN c\(number) INT NOT NULL DEFAULT \(number)", [name])
    case 1 where table.columns.count > 1:
      let index = random.below(table.columns.count)
      let column = table.columns.remove(at: index)
      for row in table.rows.indices { table.rows[row].remove(at: index + 1) }
      tables[name] = table
      statement("ALTER TABLE \(sql(name)) DROP COLUMN \(column)", [name])
    case 2:
      statement("ALTER TABLE \(sql(name)) COMMENT 'x'", [name])
    default:
      guard let free = Self.names.first(where: { tables[$0] == nil }) else { return }
      tables[free] = tables.removeValue(forKey: name)
      statement("ALTER TABLE \(sql(name)) RENAME TO \(sql(free))", [name, free])
    }
  }
}
