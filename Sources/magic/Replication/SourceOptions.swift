import ArgumentParser
import MySQLSource

/// The server that is read.
struct SourceOptions: ParsableArguments {
  @Option(
    help: """
      The server: mysql://USER[:PASSWORD]@HOST[:PORT]/[?ssl-mode=verify-ca&ssl-ca=FILE…]. Better \
      give the password in the environment as MAGIC_SOURCE_PASSWORD, or in --password-file.
      """)
  var source: String

  @Option(help: "A file that holds the password.", completion: .file())
  var passwordFile: String?

  func makeURL() throws -> SourceURL {
    try SourceURL(source, passwordFile: passwordFile)
  }
}
