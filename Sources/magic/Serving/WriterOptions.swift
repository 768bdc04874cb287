import ArgumentParser
import MySQLSource
import Replication

/// Replication in the process that serves.
struct WriterOptions: ParsableArguments {
  @Option(
    help: """
      The server to replicate: mysql://USER[:PASSWORD]@HOST[:PORT][,HOST…]/[?ssl-mode=…]; of \
      several hosts of one topology with GTIDs one that answers is followed. Better give the \
      password in the environment as MAGIC_SOURCE_PASSWORD, or in --password-file.
      """)
  var source: String?

  @Option(help: "A file that holds the source's password.", completion: .file())
  var passwordFile: String?

  @OptionGroup var selection: TableSelectionOptions

  @Option(help: "How long a commit waits at most before it is visible, such as 200ms or 1s.")
  var flushInterval = Interval(milliseconds: 200)

  @OptionGroup var copying: CopyOptions
  @OptionGroup var verification: VerificationOptions

  /// The source; nil when nothing is replicated.
  func makeSource() throws -> ServerSource? {
    try source.map {
      ServerSource(
        url: try SourceURL($0, passwordFile: passwordFile), limits: copying.batchLimits)
    }
  }

  var configuration: Replicator.Configuration {
    copying.configuration(selection, flushInterval: flushInterval.duration)
  }
}
