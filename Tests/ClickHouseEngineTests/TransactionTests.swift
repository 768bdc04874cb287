import Foundation
import MagicCore
import Testing

@testable import ClickHouseEngine

extension StatementPath {
  /// Runs a statement in a transaction; gives the number of rows that it changed.
  @discardableResult func changed(
    _ statement: String, in transaction: any Transaction, token: String? = nil
  ) async throws -> Int? {
    var context = StatementContext()
    context.transaction = transaction
    context.writeToken = token
    return try await run(statement, format: "TSV", context: context).changedRows
  }

  /// Runs a statement with a write token.
  @discardableResult func changed(_ statement: String, token: String) async throws -> Int? {
    var context = StatementContext()
    context.writeToken = token
    return try await run(statement, format: "TSV", context: context).changedRows
  }
}

extension EngineTests {
  private func makeThree(_ path: StatementPath) async throws {
    for statement in [
      "CREATE TABLE a (id UInt64, n Int64) ENGINE = MutableMergeTree ORDER BY id",
      "CREATE TABLE b (id UInt64, s String) ENGINE = MutableMergeTree ORDER BY id",
      "CREATE TABLE c (x UInt64) ENGINE = MutableMergeTree",
      "INSERT INTO a VALUES (1, 1), (2, 2)", "INSERT INTO b VALUES (1, 'one')",
    ] {
      _ = try await path.text(statement)
    }
  }

  private func all(_ path: StatementPath) async throws -> String {
    try await path.text(
      """
      SELECT (SELECT groupArray((id, n)) FROM (SELECT * FROM a ORDER BY id)), \
      (SELECT groupArray((id, s)) FROM (SELECT * FROM b ORDER BY id)), \
      (SELECT groupArray(x) FROM (SELECT * FROM c ORDER BY x))
      """)
  }

  @Test func aTransactionIsSeenAtOnceOrNotAtAll() async throws {
    try await withTables { tables, path, _ in
      try await makeThree(path)
      let before = "[(1,1),(2,2)]\t[(1,'one')]\t[]\n"
      let transaction = try await path.begin()
      #expect(try await path.changed("INSERT INTO a VALUES (3, 3), (2, 20)", in: transaction) == 2)
      #expect(try await path.changed("INSERT INTO c VALUES (7), (7)", in: transaction) == 2)
      #expect(
        try await path.changed("UPDATE a SET n = n + 100 WHERE n >= 3", in: transaction) == nil)
      #expect(
        try await path.changed("UPSERT INTO b SELECT id, 'x' FROM a", in: transaction) == 2)
      #expect(
        try await path.changed(
          "DELETE FROM b WHERE id IN (SELECT id FROM a WHERE n = 120)", in: transaction) == nil)
      #expect(try await path.changed("INSERT INTO c VALUES (8)", in: transaction) == 1)
      #expect(try await path.changed("UPDATE c SET x = x * 10 WHERE x = 7", in: transaction) == nil)
      #expect(try await all(path) == before)
      let commit = try await transaction.commit(CommitTerms())
      #expect(commit == tables.storage.registry.published.commit)
      let after = "[(1,1),(2,120),(3,103)]\t[(1,'x')]\t[8,70,70]\n"
      #expect(try await all(path) == after)
      for name in ["a", "b", "c"] { _ = try await path.text("OPTIMIZE TABLE \(name)") }
      #expect(try await all(path) == after)
      let ended = await engineError { try await transaction.commit(CommitTerms()) }
      #expect(ended?.message.contains("has ended") == true)
    }
  }

  @Test func whatIsRolledBackOrDroppedLeavesNothing() async throws {
    try await withTables { tables, path, engine in
      try await makeThree(path)
      let before = try await all(path)
      let rolledBack = try await path.begin()
      try await path.changed("INSERT INTO a VALUES (9, 9)", in: rolledBack)
      try await path.changed("INSERT INTO c SELECT number FROM numbers(60000)", in: rolledBack)
      await rolledBack.rollback()
      await rolledBack.rollback()
      do {
        let dropped = try await path.begin()
        try await path.changed("INSERT INTO a VALUES (9, 9)", in: dropped)
        try await path.changed("DELETE FROM a WHERE 1", in: dropped)
      }
      // One whose process ends.
      let abandoned = try await path.begin()
      try await path.changed("INSERT INTO a VALUES (10, 9)", in: abandoned)
      try await path.changed("INSERT INTO c SELECT number FROM numbers(60000)", in: abandoned)
      #expect(try await all(path) == before)
      await tables.shutdown()
      let reopened = try await openTables(engine)
      let fresh = StatementPath(engine: engine, tables: reopened)
      #expect(try await all(fresh) == before)
      #expect(
        try await fresh.text(
          "SELECT count() FROM system.tables WHERE database = '_magic' AND name LIKE '%\\_x%'")
          == "0\n")
      await reopened.shutdown()
    }
  }

  @Test func mistakesInTransactionsAreToldAtOnce() async throws {
    try await withTables { _, path, _ in
      try await makeThree(path)
      _ = try await path.text("CREATE TABLE plain (x UInt8) ENGINE = MergeTree ORDER BY x")
      let transaction = try await path.begin()
      try await path.changed("INSERT INTO a VALUES (5, 5)", in: transaction)
      for (statement, reason) in [
        ("INSERT INTO a VALUES ('x', 1)", "parse"), ("UPDATE a SET n = nosuch WHERE 1", "nosuch"),
        ("UPDATE a SET n = 1) WHERE 1", "brackets"), ("DELETE FROM a WHERE nosuch = 1", "nosuch"),
        ("DELETE FROM a", "WHERE 1"), ("INSERT INTO plain VALUES (1)", "a transaction takes"),
        ("TRUNCATE TABLE a", "a transaction takes"), ("RENAME TABLE a TO z", "a transaction takes"),
        ("SYSTEM FLUSH LOGS", "a transaction takes"),
        ("INSERT INTO FUNCTION null('x Int8') VALUES (1)", "a transaction takes"),
        ("INSERT INTO nosuch VALUES (1)", "a transaction takes"),
      ] {
        let error = await engineError { try await path.changed(statement, in: transaction) }
        #expect(error?.message.contains(reason) == true, "\(statement): \(error?.message ?? "")")
      }
      #expect(try await path.changed("SELECT count() FROM a", in: transaction) == nil)
      try await transaction.commit(CommitTerms())
      #expect(try await path.text("SELECT * FROM a ORDER BY id") == "1\t1\n2\t2\n5\t5\n")
      let refused = await engineError {
        try await path.changed("CREATE TABLE t (x Int8) ENGINE = Memory", token: "k")
      }
      #expect(refused?.message.contains("a write token is for changes") == true)
    }
  }

  @Test func tablesAreDeclaredAtOnce() async throws {
    try await withTables { _, path, _ in
      try await makeThree(path)
      let transaction = try await path.begin()
      for statement in [
        "CREATE TABLE t (x Int8) ENGINE = MutableMergeTree ORDER BY x", "INSERT INTO t VALUES (1)",
        "CREATE TABLE m ENGINE = Memory AS SELECT 7 AS x", "ALTER TABLE b ADD COLUMN y Int8",
        "CREATE DATABASE other", "DROP TABLE c",
      ] {
        try await path.changed(statement, in: transaction)
      }
      let tables = "SELECT name FROM system.tables WHERE database = 'default' ORDER BY name"
      #expect(try await path.text(tables) == "a\nb\nm\nt\n")
      #expect(try await path.text("SELECT count() FROM t") == "0\n")
      await transaction.rollback()
      #expect(try await path.text(tables) == "a\nb\nm\nt\n")
      #expect(try await path.text("SELECT (SELECT count() FROM t), x FROM m") == "0\t7\n")
      #expect(try await path.text("SELECT count() FROM b WHERE y = 0") == "1\n")
    }
  }

  @Test func aTransactionThatFailsAtItsCommitLeavesNothing() async throws {
    try await withTables { _, path, _ in
      try await makeThree(path)
      let before = try await all(path)
      for many in [1, 300_000] {
        let transaction = try await path.begin()
        try await path.changed("INSERT INTO c SELECT number FROM numbers(\(many))", in: transaction)
        try await path.changed("INSERT INTO a VALUES (6, 6)", in: transaction)
        try await path.changed("UPDATE a SET n = throwIf(id = 6, 'stop') WHERE 1", in: transaction)
        let error = await engineError { try await transaction.commit(CommitTerms()) }
        #expect(error?.message.contains("stop") == true)
        #expect(try await all(path) == before)
      }
      let altered = try await path.begin()
      try await path.changed("INSERT INTO a VALUES (6, 6)", in: altered)
      try await path.changed("INSERT INTO b VALUES (6, 'six')", in: altered)
      _ = try await path.text("ALTER TABLE b ADD COLUMN x Int8")
      let error = await engineError { try await altered.commit(CommitTerms()) }
      #expect(error?.message.contains("altered meanwhile") == true)
      #expect(try await path.text("SELECT count() FROM a") == "2\n")
      // Everything goes on.
      try await path.changed("INSERT INTO a VALUES (7, 7)")
      for name in ["a", "b", "c"] { _ = try await path.text("OPTIMIZE TABLE \(name)") }
      #expect(try await path.text("SELECT count(), sum(id) FROM a") == "3\t10\n")
    }
  }

  @Test func manyRowsInATransactionBecomeGenerations() async throws {
    try await withTables { _, path, _ in
      try await makeThree(path)
      let transaction = try await path.begin()
      for statement in [
        "INSERT INTO a VALUES (1, -1)", "INSERT INTO a SELECT number, 7 FROM numbers(1, 250000)",
        "INSERT INTO a VALUES (3, 33)", "INSERT INTO c SELECT number FROM numbers(10)",
        "UPDATE a SET n = n + 1 WHERE id <= 4", "DELETE FROM a WHERE n = 34",
        "INSERT INTO c SELECT number FROM numbers(250000)",
        "DELETE FROM c WHERE x >= 100",
      ] {
        try await path.changed(statement, in: transaction)
      }
      #expect(try await path.text("SELECT count() FROM a") == "2\n")
      try await transaction.commit(CommitTerms())
      for _ in 0..<2 {
        #expect(
          try await path.text("SELECT count(), sum(n), min(n), max(n), countIf(n = 8) FROM a")
            == "249999\t1749996\t7\t8\t3\n")
        #expect(try await path.text("SELECT count(), sum(x) FROM c") == "110\t4995\n")
        for name in ["a", "b", "c"] { _ = try await path.text("OPTIMIZE TABLE \(name)") }
      }
    }
  }

  @Test func transactionsSideBySideNeverDeadlockNorLoseAChange() async throws {
    try await withTables { _, path, _ in
      try await makeThree(path)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for worker in 0..<6 {
          group.addTask {
            for step in 0..<5 {
              let transaction = try await path.begin()
              let names = worker % 2 == 0 ? ["a", "c"] : ["c", "a"]
              for name in names {
                let change =
                  name == "a"
                  ? "UPDATE a SET n = n + 1 WHERE id = 1"
                  : "INSERT INTO c VALUES (\(worker * 10 + step))"
                try await path.changed(change, in: transaction)
              }
              try await transaction.commit(CommitTerms())
              try await path.changed("UPDATE a SET n = n + 1 WHERE id = 2")
            }
          }
        }
        try await group.waitForAll()
      }
      #expect(try await path.text("SELECT * FROM a ORDER BY id") == "1\t31\n2\t32\n")
      #expect(try await path.text("SELECT count(), uniqExact(x) FROM c") == "30\t30\n")
    }
  }

  @Test func aTokenMakesARepeatedWriteHarmless() async throws {
    try await withTables { tables, path, engine in
      try await makeThree(path)
      #expect(try await path.changed("INSERT INTO c VALUES (1), (2)", token: "t1") == 2)
      #expect(try await path.changed("INSERT INTO c VALUES (1), (2)", token: "t1") == 2)
      #expect(try await path.changed("UPDATE a SET n = n + 1 WHERE 1", token: "t2") == 2)
      #expect(try await path.changed("UPDATE a SET n = n + 1 WHERE 1", token: "t2") == 2)
      #expect(
        try await path.changed(
          "INSERT INTO c SETTINGS insert_deduplication_token = 'x''y' VALUES (3)") == 1)
      #expect(
        try await path.changed(
          "INSERT INTO c SETTINGS insert_deduplication_token = 'x''y' VALUES (3)") == 1)
      // It is of the table that it was given for.
      #expect(
        try await path.changed(
          "INSERT INTO b SETTINGS insert_deduplication_token = 'x''y' VALUES (3, 'z')") == 1)
      #expect(try await path.changed("INSERT INTO b VALUES (4, 'y')", token: "t1") == 1)
      #expect(try await path.text("SELECT count() FROM b WHERE s = 'y'") == "1\n")
      // A write that failed has not used its token up.
      _ = await engineError { try await path.changed("INSERT INTO c VALUES ('a')", token: "t3") }
      let rolledBack = try await path.begin()
      try await path.changed("INSERT INTO c VALUES (4)", in: rolledBack, token: "t3")
      await rolledBack.rollback()
      let transaction = try await path.begin()
      try await path.changed("INSERT INTO c VALUES (4)", in: transaction, token: "t3")
      #expect(
        try await path.changed("INSERT INTO c VALUES (1), (2)", in: transaction, token: "t1") == 2)
      try await path.changed("INSERT INTO b VALUES (8, 'eight')", in: transaction)
      try await transaction.commit(CommitTerms())
      let state = "[(1,2),(2,3)]\t[(1,'one'),(3,'z'),(4,'y'),(8,'eight')]\t[1,2,3,4]\n"
      #expect(try await all(path) == state)
      await tables.shutdown()
      let reopened = try await openTables(engine)
      let fresh = StatementPath(engine: engine, tables: reopened)
      #expect(try await fresh.changed("INSERT INTO c VALUES (1), (2)", token: "t1") == 2)
      #expect(try await fresh.changed("INSERT INTO c VALUES (4)", token: "t3") == 1)
      #expect(try await all(fresh) == state)
      // What was never published does not count.
      let connection = try await engine.connect()
      try await connection.execute(
        "INSERT INTO _magic.tokens VALUES ('default.c t4', 5, now(), 999999)")
      await connection.close()
      await reopened.shutdown()
      let again = try await openTables(engine)
      #expect(
        try await StatementPath(engine: engine, tables: again)
          .changed("INSERT INTO c VALUES (5)", token: "t4") == 1)
      await again.shutdown()
    }
  }

  @Test func ofWritesWithOneTokenAtOnceOneIsDone() async throws {
    try await withTables { _, path, _ in
      try await makeThree(path)
      let counts = try await withThrowingTaskGroup(of: Int?.self) { group in
        for _ in 0..<8 {
          group.addTask {
            try await path.changed("INSERT INTO c SELECT number FROM numbers(3)", token: "same")
          }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(counts == Array(repeating: 3, count: 8))
      #expect(try await path.text("SELECT count() FROM c") == "3\n")
    }
  }
}
