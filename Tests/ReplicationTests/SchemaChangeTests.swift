import Binlog
import MySQLSchema
import Testing

@testable import Replication

/// What each kind of statement makes of a table in each of its states.
@Suite struct SchemaChangeTests {
  /// How far the copy is with table `shop.t` when the statement comes, which begins at 1000 and ends at 1100.
  enum State: String, CaseIterable {
    case live
    /// It is complete, but ranges were read after the statement.
    case notYetWhole
    case copying
    /// Its copy was begun after the statement.
    case copiedLater
    case wanted
    case stopped
    case refused
    case unknown
    /// It is live, and to be copied anew.
    case liveAndWanted
    case liveAndCopiedLater
    case stoppedAndCopiedLater
  }

  private static func name(_ table: String) -> TableName {
    TableName(database: "shop", table: table)
  }

  private static func position(_ offset: UInt64) -> BinlogPosition {
    BinlogPosition(file: "bin.000001", offset: offset)
  }

  private static func schema(_ table: String, columns: [String] = ["id", "value"]) -> TableSchema {
    TableSchema(
      name: name(table),
      columns: columns.map {
        Column(name: $0, type: .integer(.int, isUnsigned: false), isNullable: $0 != "id")
      }, primaryKey: [0])
  }

  private static func add(_ table: String, _ state: State, to catalog: inout Catalog) {
    let copy = TableCopy(pending: [SourceKeyRange()], estimatedRows: 0, estimatedBytes: 0)
    func addTable(_ state: TableState, at offset: UInt64, copy: TableCopy? = nil) {
      var added = catalog.add(schema(table), state: state, copyPosition: position(offset))
      added.copy = copy
      catalog.update(added)
    }
    switch state {
    case .live: addTable(.live, at: 500)
    case .notYetWhole:
      addTable(.live, at: 500)
      if var added = catalog[name(table)] {
        added.visibleFrom = position(2000)
        catalog.update(added)
      }
    case .copying: addTable(.copying, at: 500, copy: copy)
    case .copiedLater: addTable(.copying, at: 2000, copy: copy)
    case .wanted: catalog.addWanted(name(table))
    case .stopped: addTable(.stopped(reason: "why", at: position(600)), at: 500)
    case .refused: catalog.add(schema(table), state: .stopped(reason: "why", at: position(600)))
    case .unknown: break
    case .liveAndWanted:
      add(table, .live, to: &catalog)
      add(table, .wanted, to: &catalog)
    case .liveAndCopiedLater:
      add(table, .live, to: &catalog)
      add(table, .copiedLater, to: &catalog)
    case .stoppedAndCopiedLater:
      add(table, .stopped, to: &catalog)
      add(table, .copiedLater, to: &catalog)
    }
  }

  private static func change(
    _ statement: String, _ states: [(String, State)], filter: TableFilter = TableFilter(),
    canCopy: Bool = true
  ) -> SchemaChange {
    var catalog = Catalog()
    for (table, state) in states { add(table, state, to: &catalog) }
    var change = SchemaChange(
      catalog, filter: filter, canCopy: canCopy, isStrict: true, from: position(1000),
      to: position(1100))
    change.apply(parseDDL(statement, defaultDatabase: "shop"))
    return change
  }

  /// The catalog's tables, and after them what happens to storage, in short:
  /// `t#1 live`, `create 2`, `convert 1 to 2`, `drop 1`.
  private static func text(_ change: SchemaChange) -> String {
    let tables = change.catalog.tables.map { table in
      let state =
        switch table.state {
        case .live: table.isVisible(at: position(1100)) ? "live" : "notYetWhole"
        case .copying: table.hasStorage ? "copying" : "wanted"
        case .stopped: table.hasStorage ? "stopped" : "refused"
        }
      return "\(table.name.table)#\(table.id) \(state)"
    }
    let steps = change.steps.map { step in
      switch step {
      case .create(let table): "create \(table.id)"
      case .convert(let table, let old, _): "convert \(old.id) to \(table.id)"
      case .createDatabase(let name): "create database \(name)"
      }
    }
    let dropped = change.dropped.map { "drop \($0.id)" }.sorted()
    return
      (tables + steps + dropped + change.droppedDatabases.map { "drop database \($0)" })
      .joined(separator: ", ")
  }

  private static let expectations: [(statement: String, results: [State: String])] = [
    (
      "CREATE TABLE t (id INT PRIMARY KEY, value INT)",
      [
        .live: "t#2 live, create 2, drop 1", .notYetWhole: "t#2 live, create 2, drop 1",
        .copying: "t#2 live, create 2, drop 1", .copiedLater: "t#1 copying",
        .wanted: "t#2 live, create 2", .stopped: "t#2 live, create 2, drop 1",
        .refused: "t#2 live, create 2", .unknown: "t#1 live, create 1",
        .liveAndWanted: "t#3 live, create 3, drop 1", .liveAndCopiedLater: "t#2 copying, drop 1",
      ]
    ),
    (
      "CREATE TABLE IF NOT EXISTS t (id INT PRIMARY KEY, value INT)",
      [
        .live: "t#1 live", .notYetWhole: "t#1 notYetWhole", .copying: "t#1 copying",
        .copiedLater: "t#1 copying", .wanted: "t#1 wanted", .stopped: "t#1 stopped",
        .refused: "t#1 refused", .unknown: "t#1 live, create 1",
        .liveAndWanted: "t#1 live, t#2 wanted", .liveAndCopiedLater: "t#1 live, t#2 copying",
      ]
    ),
    // Their charset is that of the database, which may lack the letter.
    ("CREATE TABLE t (id INT PRIMARY KEY, e ENUM('x'))", [.unknown: "t#1 live, create 1"]),
    ("CREATE TABLE t (id INT PRIMARY KEY, e ENUM('é'))", [.unknown: "t#1 wanted"]),
    (
      "CREATE TABLE t (id INT PRIMARY KEY, e ENUM('é')) CHARSET latin1",
      [.unknown: "t#1 live, create 1"]
    ),
    ("ALTER TABLE t ADD e SET('é')", [.live: "t#1 stopped, t#2 wanted"]),
    ("ALTER TABLE t ADD e VARCHAR(9)", [.live: "t#1 stopped, t#2 wanted"]),
    (
      "CREATE TABLE t AS SELECT 1", [.unknown: "t#1 wanted", .copiedLater: "t#1 copying"]
    ),
    (
      "CREATE TABLE u LIKE t",
      [
        .live: "t#1 live, u#2 live, create 2", .copying: "t#1 copying, u#2 live, create 2",
        .copiedLater: "t#1 copying, u#2 wanted", .wanted: "t#1 wanted, u#2 wanted",
        .stopped: "t#1 stopped, u#2 wanted", .unknown: "u#1 wanted",
      ]
    ),
    (
      "DROP TABLE t",
      [
        .live: "drop 1", .notYetWhole: "drop 1", .copying: "drop 1", .copiedLater: "t#1 copying",
        .wanted: "", .stopped: "drop 1", .refused: "", .unknown: "", .liveAndWanted: "drop 1",
        .liveAndCopiedLater: "t#2 copying, drop 1",
      ]
    ),
    (
      "TRUNCATE TABLE t",
      [
        .live: "t#2 live, create 2, drop 1", .notYetWhole: "t#2 live, create 2, drop 1",
        .copying: "t#2 live, create 2, drop 1", .copiedLater: "t#1 copying",
        .wanted: "t#1 wanted", .stopped: "t#1 stopped", .refused: "t#1 refused", .unknown: "",
        .liveAndWanted: "t#2 wanted, t#3 live, create 3, drop 1",
        .liveAndCopiedLater: "t#2 copying, t#3 live, create 3, drop 1",
      ]
    ),
    (
      "RENAME TABLE t TO u",
      [
        .live: "u#1 live", .notYetWhole: "u#2 wanted, drop 1", .copying: "u#2 wanted, drop 1",
        .copiedLater: "t#1 copying, u#2 wanted", .wanted: "u#2 wanted", .stopped: "u#1 stopped",
        .refused: "u#1 refused", .unknown: "u#1 wanted", .liveAndWanted: "u#1 live, u#3 wanted",
        .liveAndCopiedLater: "u#1 live, t#2 copying",
        .stoppedAndCopiedLater: "u#1 stopped, t#2 copying, u#3 wanted",
      ]
    ),
    (
      "ALTER TABLE t RENAME TO u",
      [
        .live: "u#1 live", .notYetWhole: "u#2 wanted, drop 1", .copying: "u#2 wanted, drop 1",
        .copiedLater: "t#1 copying, u#2 wanted", .wanted: "u#2 wanted", .stopped: "u#1 stopped",
        .refused: "u#1 refused", .unknown: "u#1 wanted", .liveAndWanted: "u#1 live, u#3 wanted",
        .liveAndCopiedLater: "u#1 live, t#2 copying",
        .stoppedAndCopiedLater: "u#1 stopped, t#2 copying, u#3 wanted",
      ]
    ),
    (
      "ALTER TABLE t ADD COLUMN c INT",
      [
        .live: "t#2 live, convert 1 to 2, drop 1", .notYetWhole: "t#2 wanted, drop 1",
        .copying: "t#2 wanted, drop 1", .copiedLater: "t#1 copying", .wanted: "t#1 wanted",
        .stopped: "t#1 stopped", .refused: "t#1 refused", .unknown: "",
        .liveAndWanted: "t#2 wanted, t#3 live, convert 1 to 3, drop 1",
        .liveAndCopiedLater: "t#2 copying, t#3 live, convert 1 to 3, drop 1",
      ]
    ),
    (
      "ALTER TABLE t MODIFY value VARCHAR(1)",
      [
        .live: "t#1 stopped, t#2 wanted", .notYetWhole: "t#2 wanted, drop 1",
        .copying: "t#2 wanted, drop 1", .copiedLater: "t#1 copying", .wanted: "t#1 wanted",
        .stopped: "t#1 stopped", .unknown: "", .liveAndWanted: "t#1 stopped, t#2 wanted",
        .liveAndCopiedLater: "t#1 stopped, t#2 copying",
      ]
    ),
    (
      "ALTER TABLE t COMMENT 'open",
      [
        .live: "t#1 stopped, t#2 wanted", .notYetWhole: "t#2 wanted, drop 1",
        .copying: "t#2 wanted, drop 1", .copiedLater: "t#1 copying", .wanted: "t#1 wanted",
        .stopped: "t#1 stopped", .refused: "t#1 refused", .unknown: "t#1 wanted",
        .liveAndWanted: "t#1 stopped, t#2 wanted", .liveAndCopiedLater: "t#1 stopped, t#2 copying",
      ]
    ),
    (
      "CREATE TABLE t (id FROB)",
      [
        .live: "t#1 stopped, t#2 wanted", .copiedLater: "t#1 copying", .stopped: "t#1 stopped",
        .unknown: "t#1 wanted",
      ]
    ),
    ("FROBNICATE TABLE t", [.live: "t#1 live"]),
    (
      "ALTER TABLE t ADD COLUMN _INTERNAL_VERSION INT",
      [.live: "t#1 stopped", .notYetWhole: "t#1 refused, drop 1", .copying: "t#1 refused, drop 1"]
    ),
    (
      "DROP DATABASE shop",
      [
        .live: "drop 1, drop database shop", .copying: "drop 1, drop database shop",
        .copiedLater: "t#1 copying, drop database shop", .wanted: "drop database shop",
      ]
    ),
    ("CREATE DATABASE other", [.live: "t#1 live, create database other"]),
    ("CREATE TEMPORARY TABLE t (id INT PRIMARY KEY)", [.live: "t#1 live", .unknown: ""]),
    ("DROP TEMPORARY TABLE t", [.live: "t#1 live"]),
  ]

  @Test func eachStatementInEachState() {
    for (statement, results) in Self.expectations {
      for (state, expected) in results.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
        let result = Self.text(Self.change(statement, [("t", state)]))
        #expect(result == expected, "\(statement), \(state)")
      }
    }
  }

  @Test func namesChangeInOneStep() {
    let swap = "RENAME TABLE t TO x, u TO t, x TO u"
    #expect(
      Self.text(Self.change(swap, [("t", .live), ("u", .live)])) == "u#1 live, t#2 live")
    #expect(
      Self.text(Self.change(swap, [("t", .copying), ("u", .copying)]))
        == "u#3 wanted, t#4 wanted, drop 1, drop 2")
    #expect(
      Self.text(Self.change(swap, [("t", .live), ("u", .copying)]))
        == "u#1 live, t#3 wanted, drop 2")
    let replacement = "RENAME TABLE t TO old, new TO t"
    #expect(
      Self.text(Self.change(replacement, [("t", .live), ("new", .live)])) == "old#1 live, t#2 live")
    #expect(
      Self.text(Self.change(replacement, [("t", .stopped), ("new", .live)]))
        == "old#1 stopped, t#2 live")
    #expect(
      Self.text(Self.change(replacement, [("t", .live), ("new", .unknown)]))
        == "old#1 live, t#2 wanted")
    #expect(
      Self.text(Self.change("RENAME TABLE t TO u, u TO v", [("t", .live)])) == "v#1 live")
  }

  @Test func tablesThatAreNotSelectedAreLeftOut() {
    let filter = TableFilter(exclude: ["shop.x*"])
    func result(_ statement: String, _ states: [(String, State)]) -> String {
      Self.text(Self.change(statement, states, filter: filter))
    }
    #expect(result("CREATE TABLE x1 (id INT PRIMARY KEY)", []) == "")
    #expect(result("RENAME TABLE t TO x1", [("t", .live)]) == "drop 1")
    #expect(result("RENAME TABLE t TO x1", [("t", .wanted)]) == "")
    #expect(result("RENAME TABLE x1 TO t", []) == "t#1 wanted")
    #expect(result("RENAME TABLE x1 TO x2", []) == "")
    #expect(result("ALTER TABLE t RENAME TO x1", [("t", .live)]) == "drop 1")
    #expect(result("ALTER TABLE x1 RENAME TO t", [("t", .unknown)]) == "t#1 wanted")
    #expect(result("ALTER TABLE x1 ADD c INT", []) == "")
    #expect(result("CREATE TABLE x1 (id FROB)", []) == "")
    #expect(
      Self.text(
        Self.change(
          "DROP DATABASE other", [("t", .live)], filter: TableFilter(include: ["shop.*"])))
        == "t#1 live")
  }

  @Test func withoutAServerNothingIsWanted() {
    func result(_ statement: String, _ state: State) -> String {
      Self.text(Self.change(statement, [("t", state)], canCopy: false))
    }
    #expect(result("ALTER TABLE t MODIFY value VARCHAR(1)", .live) == "t#1 stopped")
    #expect(result("CREATE TABLE u LIKE nothing", .live) == "t#1 live, u#2 refused")
    #expect(result("RENAME TABLE nothing TO u", .unknown) == "u#1 refused")
    #expect(result("CREATE TABLE t (id FROB)", .unknown) == "t#1 refused")
    #expect(result("ALTER TABLE t COMMENT 'open", .live) == "t#1 stopped")
  }

  @Test func anIntentIsTakenBackOrResolved() throws {
    for (statement, states) in [
      ("DROP TABLE t", [("t", State.live), ("u", .copying)]),
      ("RENAME TABLE t TO x, u TO t, x TO u", [("t", .live), ("u", .copying)]),
      ("CREATE TABLE v (id INT PRIMARY KEY)", [("t", .liveAndWanted)]),
      ("ALTER TABLE t MODIFY value VARCHAR(1)", [("t", .live)]),
    ] {
      var before = Catalog()
      for (table, state) in states { Self.add(table, state, to: &before) }
      var after = Self.change(statement, states).catalog
      #expect(after.tables != before.tables)
      let plain = after
      after.begin(before, until: Self.position(1100))
      // What an operator asks for meanwhile stays.
      after.addWanted(Self.name("later"))
      var back = after
      let gone = back.resolveIntent(at: Self.position(1000))
      #expect(back.tables.filter { $0.name.table != "later" } == before.tables, "\(statement)")
      #expect(back.tables.contains { $0.name.table == "later" })
      #expect(gone.map(\.id) == plain.tables.map(\.id).filter { before[id: $0] == nil })
      #expect(back.resolveIntent(at: Self.position(1000)).isEmpty)
      var resolved = after
      #expect(resolved.resolveIntent(at: Self.position(1100)).isEmpty)
      #expect(resolved.tables.filter { $0.name.table != "later" } == plain.tables)
      // Numbers of tables that were taken back are not given again.
      let next = back.add(Self.schema("n"), state: .live)
      #expect(!plain.tables.contains { $0.id == next.id })
    }
  }
}
