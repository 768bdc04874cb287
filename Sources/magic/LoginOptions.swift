import ArgumentParser
import Foundation

/// As whom a command calls a server, and by which certificates it trusts it.
struct LoginOptions: ParsableArguments {
  @Option(help: "The user at the server.")
  var user: String?

  @Option(
    help: "A file whose first line is the password, or a token.", completion: .file())
  var passwordFile: String?

  @Option(help: "Certificates in PEM form that the server's is signed by.", completion: .file())
  var ca: String?

  /// How a caller proves who it is.
  enum Proof {
    case password(user: String, password: String)
    case token(String)
  }

  /// What the server is told; nil where nothing is given. The password comes from MAGIC_PASSWORD, the
  /// file or, for a user at a terminal, the keyboard; without a user it is a token.
  ///
  /// - Throws: `Failure` when the file cannot be read.
  func proof() throws -> Proof? {
    var secret = ProcessInfo.processInfo.environment["MAGIC_PASSWORD"]
    if let passwordFile {
      guard let contents = try? String(contentsOfFile: passwordFile, encoding: .utf8) else {
        throw Failure("the file \(passwordFile) of --password-file cannot be read")
      }
      secret = String(contents.prefix { !$0.isNewline })
    }
    guard let user else { return secret.map { .token($0) } }
    if secret == nil, isatty(STDIN_FILENO) == 1 { secret = try readHidden("Password: ") }
    return .password(user: user, password: secret ?? "")
  }
}
