import Arrow
import Foundation
import MagicCore
import Synchronization
import Testing

@testable import ClickHouseEngine

/// Fencing tokens below a limit are stale; counts who has entered.
private final class FakeFence: Fence {
  struct State {
    var firstValid: UInt64 = 0
    var lifetime: Duration?
    var inside = 0
    var changed: [Set<TableReference>] = []
  }

  let state = Mutex(State())

  func enter(_ token: UInt64, for change: FencedChange) async throws -> FenceEntry {
    let tables = change.rows.union(change.tables)
    return try state.withLock { state in
      guard token >= state.firstValid else { throw EngineError(message: "\(token) is stale") }
      state.inside += 1
      state.changed.append(tables)
      return FenceEntry(id: token, deadline: state.lifetime.map { .now + $0 })
    }
  }

  func leave(_ entry: FenceEntry) async { state.withLock { $0.inside -= 1 } }
}

extension StatementPath {
  fileprivate func text(_ statement: String, at pin: CommitPin) async throws -> String {
    var context = StatementContext()
    context.commitPoint = pin
    return try await text(statement, context: context)
  }

  fileprivate func text(_ statement: String, context: StatementContext) async throws -> String {
    let result = try await run(statement, format: "TSV", context: context)
    var bytes: [UInt8] = []
    while let chunk = try await result.next() { bytes += chunk }
    return String(decoding: bytes, as: UTF8.self)
  }
}

private func eventually(_ isSo: () async throws -> Bool) async throws {
  let deadline = ContinuousClock.now + .seconds(15)
  while try await !isSo() {
    try #require(ContinuousClock.now < deadline)
    try await Task.sleep(for: .milliseconds(50))
  }
}

extension EngineTests {
  /// Runs `body` with two tables and a view of both.
  private func withTwo(
    _ body: (MutableTables, StatementPath) async throws -> Void
  ) async throws {
    try await withTables { tables, path, _ in
      for statement in [
        "CREATE DATABASE shop",
        "CREATE TABLE shop.a (id UInt64, n Int64) ENGINE = MutableMergeTree ORDER BY id",
        "CREATE TABLE shop.b (id UInt64, s String) ENGINE = MutableMergeTree ORDER BY id",
        "CREATE TABLE a (x UInt64) ENGINE = MutableMergeTree ORDER BY x",
        "CREATE VIEW both AS SELECT a.n AS n, b.s AS s FROM shop.a AS a "
          + "JOIN shop.b AS b ON a.id = b.id",
        "CREATE VIEW nested AS SELECT count() AS c, max(s) AS m FROM both "
          + "WHERE n IN (SELECT n FROM shop.a)",
        "INSERT INTO shop.a VALUES (1, 10), (2, 20)",
        "INSERT INTO shop.b VALUES (1, 'x'), (2, 'y')",
        "INSERT INTO a VALUES (5)",
      ] {
        _ = try await path.text(statement)
      }
      try await body(tables, path)
    }
  }

  private func pastDatabases(_ path: StatementPath) async throws -> String {
    try await path.text(
      "SELECT count() FROM system.databases WHERE startsWith(name, '_magic_past_')")
  }

  @Test func aSnapshotReadsWhatTablesWere() async throws {
    try await withTwo { tables, path in
      let statements = [
        ("SELECT * FROM shop.a ORDER BY id", "1\t10\n2\t20\n"),
        ("SELECT shop.a.n, a.id FROM shop.a WHERE shop.a.id = 1", "10\t1\n"),
        (
          "SELECT x.n, y.s FROM shop.a x, shop.b AS y WHERE x.id = y.id ORDER BY 1",
          "10\tx\n20\ty\n"
        ),
        ("SELECT count() FROM shop.b WHERE id IN (SELECT id FROM shop.a)", "2\n"),
        ("WITH q AS (SELECT n FROM shop.a) SELECT sum(n) FROM q", "30\n"),
        ("SELECT (SELECT max(n) FROM shop.a), x FROM a", "20\t5\n"),
        ("SELECT s FROM both ORDER BY s", "x\ny\n"), ("SELECT * FROM nested", "2\ty\n"),
        ("SELECT 'FROM shop.a' FROM `shop`.`a` LIMIT 1", "FROM shop.a\n"),
      ]
      let pin = try await path.snapshot(of: nil)
      func check(_ after: String) async throws {
        for (statement, expected) in statements {
          let text = try await path.text(statement, at: pin)
          #expect(text == expected, "\(statement) after \(after)")
        }
      }
      try await check("nothing")
      for change in [
        "UPDATE shop.a SET n = n + 1 WHERE 1", "OPTIMIZE TABLE shop.a",
        "ALTER TABLE shop.a ADD COLUMN z UInt8", "ALTER TABLE shop.a DROP COLUMN n",
        "RENAME TABLE shop.b TO shop.c", "DROP TABLE shop.a",
        "CREATE TABLE shop.a (other String) ENGINE = MutableMergeTree ORDER BY other",
        "INSERT INTO shop.a VALUES ('o')", "ALTER TABLE a ADD COLUMN y UInt8",
        "EXCHANGE TABLES shop.a AND shop.c", "DROP DATABASE shop",
      ] {
        _ = try await path.text(change)
        try await check(change)
      }
      #expect(try await path.text("SELECT x, y FROM a") == "5\t0\n")
      let error = await engineError { _ = try await path.text("SELECT * FROM shop.a") }
      #expect(error?.code == 81)
      // Also where a statement describes itself.
      var context = StatementContext()
      context.commitPoint = pin
      let schema = try await path.schema(of: "SELECT * FROM shop.a", context: context)
      #expect(schema?.fields.map(\.name) == ["id", "n"])
    }
  }

  @Test func unqualifiedNamesAreFoundWhereTablesStand() async throws {
    try await withTwo { _, path in
      let pin = try await path.snapshot(of: nil)
      _ = try await path.text("ALTER TABLE a ADD COLUMN y UInt8")
      _ = try await path.text("DELETE FROM a WHERE x = 5")
      for (statement, expected) in [
        ("SELECT * FROM a", "5\n"), ("SELECT a.x FROM a", "5\n"),
        ("SELECT t.x FROM numbers(1) AS n, a AS t", "5\n"),
        ("SELECT 5 IN a, 6 IN (SELECT x FROM a)", "1\t0\n"),
        ("WITH q AS (SELECT x FROM a) SELECT x FROM q", "5\n"),
        ("SELECT count() FROM shop.a JOIN a ON 1", "2\n"),
      ] {
        #expect(try await path.text(statement, at: pin) == expected, "\(statement)")
      }
      // Whatever may give the name another meaning is refused rather than guessed.
      for statement in [
        "WITH a AS (SELECT * FROM a) SELECT * FROM a", "WITH a (q) AS (SELECT 1) SELECT * FROM a",
        "SELECT sum(x) OVER a FROM a WINDOW a AS (ORDER BY x)", "SELECT x AS a FROM a ORDER BY a",
        "SELECT * FROM (WITH a AS (SELECT 1 AS x) SELECT * FROM a) q JOIN a ON q.x = a.x",
        "SELECT z.x FROM numbers(1) AS a JOIN a AS z ON 1", "SELECT * FROM merge('default', '^a$')",
        "SELECT * FROM a SETTINGS additional_table_filters = {'a': 'x < 0'}",
      ] {
        let error = await engineError { _ = try await path.text(statement, at: pin) }
        #expect(
          error?.message.contains("as it was") == true
            || error?.message.contains("as they are now") == true, "\(statement)")
      }
      var context = StatementContext()
      context.commitPoint = pin
      context.parameters = ["t": "a"]
      let error = await engineError {
        _ = try await path.text("SELECT * FROM {t:Identifier}", context: context)
      }
      #expect(error?.message.contains("in which it cannot be read as it was") == true)
    }
  }

  @Test func whatSnapshotsKeepGoesWithThem() async throws {
    try await withTwo { tables, path in
      func storage() async throws -> Set<String> {
        Set(
          try await path.text("SELECT name FROM system.tables WHERE database = '_magic'")
            .split(separator: "\n").map(String.init))
      }
      var pins: [CommitPin] = []
      for number in 0..<4 {
        pins.append(
          try await path.snapshot(of: number < 2 ? nil : [.init(database: "shop", table: "a")]))
        _ = try await path.text("UPDATE shop.a SET n = \(number) WHERE 1")
        _ = try await path.text("OPTIMIZE TABLE shop.a")
        _ = try await path.text("ALTER TABLE shop.a ADD COLUMN c\(number) UInt8")
      }
      _ = try await path.text("DROP TABLE shop.b")
      #expect(try await pastDatabases(path) != "0\n")
      #expect(try await path.text("SELECT sum(n) FROM shop.a", at: pins[2]) == "2\n")
      let refused = await engineError { _ = try await path.text("SELECT * FROM a", at: pins[2]) }
      #expect(refused?.message.contains("the snapshot is not of default.a") == true)
      pins = []
      try await eventually { try await pastDatabases(path) == "0\n" }
      try await eventually {
        try await storage().filter { $0.contains("_s") }.count == 2
      }
      #expect(try await path.text("SELECT sum(n) FROM shop.a") == "6\n")
    }
  }

  @Test func viewsAreReadAsTheyAreDefinedNow() async throws {
    try await withTwo { _, path in
      for statement in [
        "CREATE VIEW v AS SELECT n FROM shop.a",
        "CREATE VIEW p AS SELECT n FROM shop.a WHERE id = {i:UInt8}",
        "CREATE TABLE m (id UInt64, n Int64) ENGINE = Merge('shop', '^a$')",
        "CREATE TABLE shop.`we.ird` (id UInt64) ENGINE = MutableMergeTree ORDER BY id",
        "INSERT INTO shop.`we.ird` VALUES (1)",
      ] {
        _ = try await path.text(statement)
      }
      let pin = try await path.snapshot(of: nil)
      _ = try await path.text("UPDATE shop.a SET n = 0 WHERE 1")
      _ = try await path.text("ALTER TABLE shop.a ADD COLUMN z UInt8")
      _ = try await path.text("ALTER TABLE shop.`we.ird` ADD COLUMN z UInt8")
      #expect(try await path.text("SELECT sum(n) FROM v", at: pin) == "30\n")
      for statement in ["SELECT * FROM p(i = 1)", "SELECT * FROM m"] {
        let error = await engineError { _ = try await path.text(statement, at: pin) }
        #expect(error?.message.contains("as they are now") == true, "\(statement)")
      }
      var context = StatementContext()
      context.commitPoint = pin
      context.database = "shop"
      #expect(try await path.text("SELECT * FROM `we.ird`", context: context) == "1\n")
      _ = try await path.text("CREATE OR REPLACE VIEW v AS SELECT n + 1 AS n FROM shop.a")
      #expect(try await path.text("SELECT sum(n) FROM v", at: pin) == "32\n")
      _ = try await path.text("DROP VIEW v")
      let gone = await engineError { _ = try await path.text("SELECT * FROM v", at: pin) }
      #expect(gone?.code == 60)
      _ = try await path.text(
        "CREATE OR REPLACE TABLE shop.a (x UInt8) ENGINE = MutableMergeTree ORDER BY x")
      #expect(try await path.text("SELECT sum(n) FROM shop.a", at: pin) == "30\n")
      let session = try await path.openSession()
      context.database = "default"
      context.session = session
      var own = StatementContext()
      own.session = session
      _ = try await path.text("CREATE TEMPORARY TABLE a (t UInt8)", context: own)
      _ = try await path.text("ALTER TABLE default.a ADD COLUMN y UInt8")
      #expect(try await path.text("SELECT count() FROM a", context: context) == "0\n")
      await session.close()
    }
  }

  @Test func aLongStatementAtASnapshotHoldsUpDDLOnly() async throws {
    try await withTwo { _, path in
      let pin = try await path.snapshot(of: nil)
      let slow = Task {
        try await path.text(
          "SELECT (SELECT sum(n) + sleep(1.5) FROM shop.a), (SELECT max(s) FROM shop.b)", at: pin)
      }
      try await Task.sleep(for: .milliseconds(300))
      // It has not found shop.b yet: that must not be another table by then.
      let start = ContinuousClock.now
      _ = try await path.text("INSERT INTO shop.b VALUES (3, 'z')")
      #expect(ContinuousClock.now - start < .seconds(1))
      _ = try await path.text("RENAME TABLE shop.b TO shop.old")
      _ = try await path.text(
        "CREATE TABLE shop.b (id UInt64, s String) ENGINE = MutableMergeTree ORDER BY id")
      #expect(try await slow.value == "30\ty\n")
    }
  }

  @Test func statementsTellWhatTheyRead() async throws {
    try await withTwo { tables, path in
      let published = path.published.commit
      #expect(
        try await path.text("SELECT magicCommitPoint(), magicGTID()") == "\(published)\t\n")
      try await tables.publish([], checkpoint: Array(#"{"gtids":"0-1-5,2-1-1"}"#.utf8))
      let pin = try await path.snapshot(of: nil)
      #expect(pin.point.gtids == "0-1-5,2-1-1")
      _ = try await path.text("INSERT INTO a VALUES (6)")
      #expect(path.published.commit == pin.point.commit + 1)
      #expect(
        try await path.text("SELECT magicCommitPoint(), magicGTID()", at: pin)
          == "\(published + 1)\t0-1-5,2-1-1\n")
      let result = try await path.query("SELECT 1", context: StatementContext())
      #expect(result.commitPoint == path.published)
      await result.reader.cancel()
      for setting in ["distributed_cache_client_id", "hdfs_replication"] {
        let error = await engineError {
          _ = try await path.text("SELECT 1 SETTINGS \(setting) = '1'")
        }
        #expect(error?.message.contains("cannot be set") == true)
      }
    }
  }

  @Test func staleTokensChangeNothing() async throws {
    try await withTwo { tables, path in
      let fence = FakeFence()
      let name = TableReference(database: "shop", table: "a")
      var context = StatementContext()
      context.fencing = Fencing(fence, token: 7, FencedChange(rows: [name]))
      let changes = [
        "INSERT INTO shop.a VALUES (3, 30)", "UPDATE shop.a SET n = 1 WHERE 1",
        "DELETE FROM shop.a WHERE id = 1", "ALTER TABLE shop.a ADD COLUMN z UInt8",
        "INSERT INTO shop.a SELECT number, 0 FROM numbers(250000)", "TRUNCATE TABLE shop.a",
        "RENAME TABLE shop.a TO shop.z", "DROP TABLE shop.a",
      ]
      let before = try await path.text("SELECT * FROM shop.a ORDER BY id")
      fence.state.withLock { $0.firstValid = 8 }
      for change in changes {
        let error = await engineError { _ = try await path.text(change, context: context) }
        #expect(error?.message.contains("7 is stale") == true, "\(change)")
      }
      // One that takes longer than the fence keeps is taken back.
      fence.state.withLock {
        $0.firstValid = 0
        $0.lifetime = .zero
      }
      for change in changes.prefix(5) {
        let error = await engineError { _ = try await path.text(change, context: context) }
        #expect(error?.message.contains("took longer") == true, "\(change)")
      }
      #expect(try await path.text("SELECT * FROM shop.a ORDER BY id") == before)
      fence.state.withLock { $0.lifetime = nil }
      let transaction = try await path.begin()
      var inside = context
      inside.transaction = transaction
      _ = try await path.text("INSERT INTO shop.a VALUES (4, 40)", context: inside)
      fence.state.withLock { $0.firstValid = 8 }
      let late = await engineError { try await transaction.commit(CommitTerms()) }
      #expect(late?.message.contains("7 is stale") == true)
      let other = try await path.begin()
      try await path.changed("INSERT INTO shop.a VALUES (4, 40)", in: other)
      var terms = CommitTerms()
      terms.fencing = context.fencing
      let stale = await engineError { [terms] in try await other.commit(terms) }
      #expect(stale?.message.contains("7 is stale") == true)
      fence.state.withLock { $0.firstValid = 0 }
      for change in changes.prefix(4) { _ = try await path.text(change, context: context) }
      #expect(
        try await path.text("SELECT * FROM shop.a ORDER BY id") == "2\t1\t0\n3\t1\t0\n")
      #expect(fence.state.withLock { $0.inside } == 0)
      #expect(fence.state.withLock { Set($0.changed) } == [[name]])
    }
  }
}

/// Does something else before it runs each statement, which is nothing.
private struct InterruptedConnection: EngineConnection {
  var first: @Sendable () async throws -> Void = {}

  func execute(_ sql: String) async throws -> Int? {
    try await first()
    return nil
  }

  func query(_ sql: String) async throws -> any RecordBatchReader {
    throw EngineError(message: "no results here")
  }

  func ingest(_ batch: RecordBatch, into table: TableReference) async throws {}
  func close() async {}
}

@Suite struct PastTablesTests {
  /// A user's view over two tables whose text was made when only one of them had a past view, while
  /// that of the other was being made.
  @Test func usersViewsAreMadeAnewWhenTheirTablesHaveChanged() async throws {
    let registry = ReaderRegistry(published: CommitPoint(commit: 3))
    let past = PastTables()
    let user = TableReference(database: "d", table: "joined")
    @Sendable func add(
      _ name: String, of owner: String, on connection: InterruptedConnection
    ) async throws {
      try await past.add(
        TableReference(database: "d", table: name), of: StorageOwner(owner), for: 0..<4,
        holding: [], select: "SELECT 1", registry: registry, on: connection)
    }
    @Sendable func addUsers() async throws {
      try await past.add(
        user, of: nil, definition: "SELECT 2", for: 3..<4, holding: [], select: "SELECT 3",
        madeAt: past.views(at: 3).revision, registry: registry, on: InterruptedConnection())
    }
    try await add("one", of: "u1", on: InterruptedConnection())
    let isFirst = Mutex(true)
    try await add(
      "two", of: "u2",
      on: InterruptedConnection {
        guard
          isFirst.withLock({ isFirst in
            defer { isFirst = false }
            return isFirst
          })
        else { return }
        try await addUsers()
        #expect(past.views(at: 3).views[user] != nil)
      })
    #expect(past.views(at: 3).views.keys.map(\.table).sorted() == ["one", "two"])
    try await addUsers()
    #expect(past.views(at: 3).views[user]?.definition == "SELECT 2")
    #expect(past.views(at: 2).views[user] == nil)
  }

  /// The table was renamed while it was copied for a lasting snapshot, and another snapshot reads it.
  @Test func keptTablesAreReadAtTheirSnapshotsAlone() async throws {
    let registry = ReaderRegistry(published: CommitPoint(commit: 3))
    let past = PastTables()
    let name = TableReference(database: "d", table: "t")
    let kept = StorageName(StorageOwner("k5")!, .settled(generation: 1, from: 3))
    try await past.add(
      name, of: StorageOwner("u1"), for: 0..<4, holding: [], select: "SELECT 1",
      registry: registry, on: InterruptedConnection())
    try await past.add(
      name, of: kept.owner, for: 3..<4, forKept: 5, holding: [kept], select: "SELECT 2",
      registry: registry, on: InterruptedConnection())
    #expect(past.views(at: 3, lasting: 5).views[name]?.owner == kept.owner)
    #expect(past.views(at: 3).views[name]?.owner == StorageOwner("u1"))
    #expect(past.views(at: 3, lasting: 6).views[name]?.owner == StorageOwner("u1"))
    #expect(past.views(at: 2, lasting: 5).views[name]?.owner == StorageOwner("u1"))
  }

  @Test func snapshotsOfTablesHoldTheseOnly() {
    let registry = ReaderRegistry(published: CommitPoint(commit: 3))
    let (one, two) = (StorageOwner("u1")!, StorageOwner("u2")!)
    let pin = registry.pin([one])
    registry.publish(CommitPoint(commit: 4))
    let all = registry.pin(nil)
    #expect(registry.snapshotCommits(of: one) == [3, 4])
    #expect(registry.snapshotCommits(of: two) == [4])
    #expect(registry.snapshotCommits(of: nil) == [3, 4])
    registry.leave(pin)
    registry.leave(all)
    #expect(registry.snapshotCommits(of: nil).isEmpty)
  }

  @Test func statementsAtSnapshotsAreToldApart() {
    let registry = ReaderRegistry(published: CommitPoint(commit: 3))
    let point = registry.published
    registry.publish(CommitPoint(commit: 9))
    let old = registry.enter(at: point, isAtSnapshot: true)
    let mark = registry.mark
    #expect(registry.hasStatementsAtSnapshots(before: mark))
    #expect(!registry.hasStatementsAtNewest(below: 9))
    #expect(registry.hasStatements(from: 3, below: 4))
    #expect(!registry.hasStatements(from: 4, below: 9))
    registry.leave(old)
    #expect(!registry.hasStatementsAtSnapshots(before: mark))
  }
}
