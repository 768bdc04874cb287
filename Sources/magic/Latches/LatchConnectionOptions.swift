import ArgumentParser
import Foundation
import LatchClient

/// Which latch service a command calls, and as whom.
struct LatchConnectionOptions: ParsableArguments {
  @Option(
    help: "A node of the latch service, HOST:PORT; repeatable (default: 127.0.0.1:32011).")
  var connect: [String] = []

  @Flag(help: "Encrypt the connection; --ca says so too.")
  var tls = false

  @Option(help: "Certificates in PEM form that the server's is signed by.", completion: .file())
  var ca: String?

  @Option(help: "The user at the server.")
  var user: String?

  @Option(help: "A file whose first line is the password, or a token.", completion: .file())
  var passwordFile: String?

  @Option(help: "How long to try to reach the service.")
  var patience = Interval(milliseconds: 30_000)

  /// A client for what the options name. The password comes from MAGIC_PASSWORD, the file or, for a user
  /// at a terminal, the keyboard; without a user it is a token.
  func makeClient() throws -> LatchClient {
    var configuration = LatchClientConfiguration(
      endpoints: connect.isEmpty ? ["127.0.0.1:32011"] : connect)
    configuration.usesTLS = tls || ca != nil
    configuration.authorityFile = ca
    configuration.patience = patience.duration
    var secret = ProcessInfo.processInfo.environment["MAGIC_PASSWORD"]
    if let passwordFile {
      guard let contents = try? String(contentsOfFile: passwordFile, encoding: .utf8) else {
        throw Failure("the file \(passwordFile) of --password-file cannot be read")
      }
      secret = String(contents.prefix { !$0.isNewline })
    }
    if let user {
      if secret == nil, isatty(STDIN_FILENO) == 1 { secret = try readHidden("Password: ") }
      configuration.credentials = .password(user: user, password: secret ?? "")
    } else {
      configuration.credentials = secret.map { .token($0) }
    }
    return LatchClient(configuration)
  }
}
