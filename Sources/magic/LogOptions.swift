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

  private static var levels: String {
    Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
  }

  /// A logger to stderr.
  func makeLogger(_ label: String) -> Logger {
    var logger = Self.standardLogger(label)
    logger.logLevel = logLevel
    return logger
  }

  /// A logger to stderr of what an operator should know.
  static func standardLogger(_ label: String) -> Logger {
    var logger = Logger(label: label) { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = .notice
    return logger
  }
}
