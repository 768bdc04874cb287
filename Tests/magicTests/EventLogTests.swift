import Foundation
import Logging
import MagicAPI
import Testing

@testable import magic

@Suite struct EventLogTests {
  private struct Answer: Decodable {
    struct Event: Decodable {
      var number: Int
      var time: Double
      var level: String
      var source: String
      var message: String
    }

    var events: [Event]
  }

  private let events = EventLog()
  private let olga = Caller(user: "olga", role: .admin, interface: "http")

  /// A logger that also keeps events, and itself shows nothing of what is logged here.
  private func makeLogger() -> Logger {
    var base: any LogHandler = StreamLogHandler.standardError(label: "test")
    base.logLevel = .critical
    return Logger(label: "test") { [base] _ in
      EventLogHandler(events: events, base: base)
    }
  }

  private func seen(after: String? = nil) throws -> [Answer.Event] {
    try JSONDecoder().decode(Answer.self, from: Data(events.view(olga, after: after))).events
  }

  @Test func noticesAreKeptWhateverTheLogShows() throws {
    var logger = makeLogger()
    logger.info("small")
    logger.notice("one", metadata: ["b": "2", "a": "1"])
    logger[metadataKey: "table"] = "t"
    logger.error("two")
    let found = try seen()
    #expect(found.map(\.message) == ["one a=1 b=2", "two table=t"])
    #expect(found.map(\.level) == ["notice", "error"])
    let first = try #require(found.first?.number)
    #expect(found.map(\.number) == [first, first + 1])
    // A later process counts on where this one cannot have come to.
    #expect(first > 1_700_000_000_000_000)
    #expect(
      found.allSatisfy {
        $0.source == "magicTests" && abs($0.time - Date().timeIntervalSince1970) < 60
      })
    #expect(try seen(after: "\(first)").map(\.message) == ["two table=t"])
    #expect(try seen(after: "\(first + 1)").isEmpty)
    #expect(try seen(after: "nonsense").count == 2)
  }

  @Test func theOldestGo() throws {
    let logger = makeLogger()
    for number in 1...700 { logger.notice("\(number)") }
    let found = try seen()
    #expect(found.map(\.message) == (201...700).map(String.init))
    #expect(found.map(\.number) == Array(found[0].number..<found[0].number + 500))
  }

  @Test func whoSeesSomeDatabasesSeesNone() {
    let ben = Caller(user: "ben", role: .reader, databases: ["shop"], interface: "http")
    #expect(throws: APIError.self) { try events.view(ben, after: nil) }
  }
}
