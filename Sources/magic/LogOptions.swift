import ArgumentParser
import Logging

extension Logger.Level: @retroactive ExpressibleByArgument {}

/// What is logged. Logs go to stderr, results to stdout.
struct LogOptions: ParsableArguments {
  @Option(help: "The least severe messages to log to stderr.")
  var logLevel = Logger.Level.notice

  /// A logger to stderr.
  func makeLogger(_ label: String) -> Logger {
    var logger = Logger(label: label) { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = logLevel
    return logger
  }
}
