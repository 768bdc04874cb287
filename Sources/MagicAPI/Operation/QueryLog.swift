import Arrow
import Foundation
import Logging
import MagicCore
import Synchronization

/// Writes what has run into the table `magic.query_log`, from which the view `magic.slow_queries`
/// picks the slow ones. There are no literals of statements in it, so neither data nor secrets.
final class QueryLog: Sendable {
  private struct Entry {
    var date: Date
    var duration: Duration
    var statement: RunningStatement
    var error: APIError?
  }

  private struct State {
    var entries: [Entry] = []
    var dropped = 0
  }

  static let database = "magic"
  /// More entries than that are not kept between two writes.
  private static let entryLimit = 100_000
  private static let interval = Duration.seconds(2)

  private let database: any Database
  private let logger: Logger
  private let state = Mutex(State())

  init(database: any Database, logger: Logger) {
    self.database = database
    self.logger = logger
  }

  /// Makes the table and the view.
  func prepare() async throws {
    let statements = [
      "CREATE DATABASE IF NOT EXISTS \(Self.database) ENGINE = Atomic",
      """
      CREATE TABLE IF NOT EXISTS \(Self.database).query_log (
        event_time DateTime64(3, 'UTC'), duration_ms Float64, user LowCardinality(String),
        interface LowCardinality(String), address String, query_id String,
        verb LowCardinality(String), query String, rows UInt64, bytes UInt64,
        outcome LowCardinality(String), exception_code Int32
      ) ENGINE = MergeTree PARTITION BY toDate(event_time) ORDER BY event_time
      TTL toDateTime(event_time) + INTERVAL 30 DAY
      COMMENT 'Every statement that ended, without its literals'
      """,
      """
      CREATE OR REPLACE VIEW \(Self.database).slow_queries AS
      SELECT query, verb, count() AS runs, round(sum(duration_ms), 1) AS total_ms,
        round(avg(duration_ms), 1) AS mean_ms, round(quantile(0.95)(duration_ms), 1) AS p95_ms,
        round(max(duration_ms), 1) AS max_ms, sum(rows) AS rows, countIf(outcome != 'ok') AS errors,
        groupUniqArray(10)(user) AS users, max(event_time) AS last_time
      FROM \(Self.database).query_log
      WHERE event_time >= now() - INTERVAL 7 DAY
      GROUP BY query, verb
      ORDER BY total_ms DESC
      COMMENT 'What took the most time in the last seven days'
      """,
    ]
    for statement in statements {
      let result = try await database.run(statement, format: "Null", context: StatementContext())
      while try await result.next() != nil {}
    }
  }

  /// Takes note of a statement that ended.
  func add(_ statement: RunningStatement, error: APIError?) {
    let entry = Entry(
      date: statement.date, duration: .now - statement.start, statement: statement, error: error)
    state.withLock { state in
      guard state.entries.count < Self.entryLimit else {
        state.dropped += 1
        return
      }
      state.entries.append(entry)
    }
  }

  /// Writes now and then until its task is cancelled, and then once more.
  func run() async {
    while !Task.isCancelled {
      try? await Task.sleep(for: Self.interval)
      await flush()
    }
  }

  /// Writes what is there.
  func flush() async {
    let (entries, dropped) = state.withLock { state in
      defer { state = State() }
      return (state.entries, state.dropped)
    }
    if dropped > 0 { logger.warning("\(dropped) statements are missing in the query log") }
    if entries.isEmpty { return }
    do {
      // Not cancelled with the task: what ran is written.
      try await Task { try await write(entries) }.value
    } catch {
      logger.warning("the query log of \(entries.count) statements was not written: \(error)")
    }
  }

  private func write(_ entries: [Entry]) async throws {
    let rows = entries.map { entry -> String in
      let statement = entry.statement
      let milliseconds = entry.duration / .milliseconds(1)
      let time = Int64(entry.date.timeIntervalSince1970 * 1000)
      let values: [String] = [
        "fromUnixTimestamp64Milli(\(time), 'UTC')", "\(milliseconds)",
        quotedString(statement.caller.user), quotedString(statement.caller.interface),
        quotedString(statement.caller.address), quotedString(statement.id),
        quotedString(statement.inspection.verb), quotedString(statement.inspection.pattern),
        "\(statement.rows)", "\(statement.bytes)",
        quotedString(entry.error.map { "\($0.kind)" } ?? "ok"), "\(entry.error?.engineCode ?? 0)",
      ]
      return "(" + values.joined(separator: ", ") + ")"
    }
    let result = try await database.run(
      "INSERT INTO \(Self.database).query_log VALUES \(rows.joined(separator: ", "))",
      format: "Null", context: StatementContext())
    while try await result.next() != nil {}
  }
}
