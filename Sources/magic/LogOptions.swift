import ArgumentParser
import Logging

/// What is logged. Logs go to stderr, results to stdout.
struct LogOptions: ParsableArguments {
  @Option(
    help: "The least severe messages to log to stderr: \(Self.levels).",
    transform: { name in
      guard let level = Logger.Level(rawValue: name) else {
        throw ValidationError("'\(name)' is none of \(Self.levels).")
      }
      return level
    })
  var logLevel = Logger.Level.notice

  /// The form of a log line.
  enum Format: String, ExpressibleByArgument, CaseIterable {
    /// For people.
    case text
    /// One object a line, for programs.
    case json
  }

  @Option(help: "The form of log lines.")
  var logFormat = Format.text

  private static var levels: String {
    Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
  }

  /// A logger to stderr.
  ///
  /// - Parameter events: what also keeps the messages of level notice and above.
  func makeLogger(_ label: String, events: EventLog? = nil) -> Logger {
    var base: any LogHandler =
      switch logFormat {
      case .text: StreamLogHandler.standardError(label: label)
      case .json: JSONLogHandler(label: label)
      }
    base.logLevel = logLevel
    return Logger(label: label) { [base] _ in
      events.map { EventLogHandler(events: $0, base: base) } ?? base
    }
  }

  /// A logger to stderr of what an operator should know.
  static func standardLogger(_ label: String) -> Logger {
    var logger = Logger(label: label) { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = .notice
    return logger
  }
}
