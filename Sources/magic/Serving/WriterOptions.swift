import ArgumentParser
import MySQLSource
import Replication

/// Replication in the process that serves.
struct WriterOptions: ParsableArguments {
  @Option(
    help: """
      The server to replicate: mysql://USER[:PASSWORD]@HOST[:PORT]/[?ssl-mode=…]. Better give the \
      password in the environment as MAGIC_SOURCE_PASSWORD, or in --password-file.
      """)
  var source: String?

  @Option(help: "A file that holds the source's password.", completion: .file())
  var passwordFile: String?

  @OptionGroup var selection: TableSelectionOptions

  @Option(help: "How long a commit waits at most before it is visible, such as 200ms or 1s.")
  var flushInterval = Interval(milliseconds: 200)

  /// The source; nil when nothing is replicated.
  func makeSource() throws -> ServerSource? {
    try source.map { ServerSource(url: try SourceURL($0, passwordFile: passwordFile)) }
  }

  var configuration: Replicator.Configuration {
    Replicator.Configuration(
      filter: selection.filter, encodingOptions: selection.encodingOptions,
      flushInterval: flushInterval.duration)
  }
}
