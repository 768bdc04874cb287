import ArgumentParser
import MySQLSource

/// The server that is read.
struct SourceOptions: ParsableArguments {
  @Option(
    help: """
      The server: mysql://USER[:PASSWORD]@HOST[:PORT][,HOST…]/[?ssl-mode=verify-ca&ssl-ca=FILE…]; \
      of several hosts of one topology with GTIDs one that answers is followed. Better give the \
      password in the environment as MAGIC_SOURCE_PASSWORD, or in --password-file.
      """)
  var source: String

  @Option(help: "A file that holds the password.", completion: .file())
  var passwordFile: String?

  func makeURL() throws -> SourceURL {
    try SourceURL(source, passwordFile: passwordFile)
  }
}
