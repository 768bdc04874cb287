import ArgumentParser
import Foundation
import LocalDatabase
import MagicClient

/// The options of commands that ask a running process: by its data folder or by its URL.
struct ServiceOptions: ParsableArguments {
  @Option(name: .customLong("data"), help: "The data folder.", completion: .directory)
  var dataFolder: String?

  @Option(help: "A server, such as http://127.0.0.1:8123.")
  var connect: String?

  @Option(help: "The user at the server.")
  var user: String?

  @Option(
    help: "A file whose first line is the password, or a token.", completion: .file())
  var passwordFile: String?

  @Option(help: "Certificates in PEM form that the server's is signed by.", completion: .file())
  var ca: String?

  func validate() throws {
    guard (dataFolder == nil) != (connect == nil) else {
      throw ValidationError("Give either --data DIR or --connect URL.")
    }
    guard connect != nil || (user == nil && passwordFile == nil && ca == nil) else {
      throw ValidationError("--user, --password-file and --ca go together with --connect.")
    }
  }

  /// The process at ``connect``, or the one that serves ``dataFolder``; nil when none serves that.
  func client() async throws -> MagicClient? {
    if let connect {
      return try MagicClient(url: connect, credentials: try credentials(), authorityFile: ca)
    }
    let client = try MagicClient(unixSocket: try folder().socketPath)
    return await client.isAnswering() ? client : nil
  }

  /// The process that is asked.
  ///
  /// - Throws: `Failure` when none serves the data folder.
  func runningClient() async throws -> MagicClient {
    guard let client = try await client() else {
      throw Failure(
        "no process serves '\(dataFolder ?? "")': start `magic serve --data \(dataFolder ?? "DIR")`"
      )
    }
    return client
  }

  /// The data folder.
  func folder() throws -> DataFolder { try DataFolder(existing: dataFolder ?? "") }

  /// What the server is told; nil where nothing is given.
  private func credentials() throws -> MagicClient.Credentials? {
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
