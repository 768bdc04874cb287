import ArgumentParser
import LocalDatabase
import MagicClient

/// The options of commands that ask a running process: by its data folder or by its URL.
struct ServiceOptions: ParsableArguments {
  @Option(name: .customLong("data"), help: "The data folder.", completion: .directory)
  var dataFolder: String?

  @Option(help: "A server, such as http://127.0.0.1:8123.")
  var connect: String?

  @OptionGroup var login: LoginOptions

  func validate() throws {
    guard (dataFolder == nil) != (connect == nil) else {
      throw ValidationError("Give either --data DIR or --connect URL.")
    }
    guard connect != nil || (login.user == nil && login.passwordFile == nil && login.ca == nil)
    else {
      throw ValidationError("--user, --password-file and --ca go together with --connect.")
    }
  }

  /// The process at ``connect``, or the one that serves ``dataFolder``; nil when none serves that.
  func client() async throws -> MagicClient? {
    if let connect {
      return try MagicClient(url: connect, credentials: try credentials(), authorityFile: login.ca)
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
    switch try login.proof() {
    case .password(let user, let password): .password(user: user, password: password)
    case .token(let token): .token(token)
    case nil: nil
    }
  }
}
