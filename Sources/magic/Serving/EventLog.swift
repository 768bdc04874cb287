import Foundation
import HTTPServer
import Logging
import MagicAPI
import Synchronization

/// The newest log messages of level notice and above, for those who cannot read the log.
final class EventLog: Sendable {
  /// One message.
  struct Event: Encodable {
    /// Grows by one with each, and begins where no earlier process has come to.
    var number: Int
    /// In seconds since 1970.
    var time: Double
    var level: String
    /// The part of the program.
    var source: String
    var message: String
  }

  private struct Answer: Encodable {
    var events: [Event]
  }

  private static let limit = 500

  /// The first event's number: the time in microseconds.
  private let start = Int(Date().timeIntervalSince1970 * 1e6)
  private let events = Mutex<[Event]>([])

  /// Adds a message.
  func add(_ event: LogEvent, metadata: Logger.Metadata) {
    let details = metadata.merging(event.metadata ?? [:]) { $1 }
      .sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    let text = (["\(event.message)"] + details).joined(separator: " ")
    let time = Date().timeIntervalSince1970
    events.withLock { events in
      if events.count == Self.limit { events.removeFirst() }
      events.append(
        Event(
          number: events.last.map { $0.number + 1 } ?? start, time: time,
          level: event.level.rawValue, source: event.source, message: text))
    }
  }

  /// Shows the messages, oldest first, to those who may see all databases.
  func view(_ caller: Caller, after: String?) throws -> [UInt8] {
    try AccessPolicy.checkSeeingAll(by: caller)
    let number = after.flatMap(Int.init) ?? 0
    let found = events.withLock { $0.filter { $0.number > number } }
    return Array(try JSONEncoder().encode(Answer(events: found)))
  }
}

/// Adds to the event log what is logged, whatever the level of the log itself.
struct EventLogHandler: LogHandler {
  let events: EventLog
  var base: any LogHandler

  var logLevel: Logger.Level {
    get { min(base.logLevel, .notice) }
    set { base.logLevel = newValue }
  }

  var metadata: Logger.Metadata {
    get { base.metadata }
    set { base.metadata = newValue }
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { base[metadataKey: key] }
    set { base[metadataKey: key] = newValue }
  }

  func log(event: LogEvent) {
    if event.level >= .notice { events.add(event, metadata: base.metadata) }
    if event.level >= base.logLevel { base.log(event: event) }
  }
}
