import ArgumentParser
import LatchClient

/// Which latch service a command calls, and as whom.
struct LatchConnectionOptions: ParsableArguments {
  @Option(
    help: "A node of the latch service, HOST:PORT; repeatable (default: 127.0.0.1:32011).")
  var connect: [String] = []

  @Flag(help: "Encrypt the connection; --ca says so too.")
  var tls = false

  @OptionGroup var login: LoginOptions

  @Option(help: "How long to try to reach the service.")
  var patience = Interval(milliseconds: 30_000)

  /// A client for what the options name.
  func makeClient() throws -> LatchClient {
    var configuration = LatchClientConfiguration(
      endpoints: connect.isEmpty ? ["127.0.0.1:32011"] : connect)
    configuration.usesTLS = tls || login.ca != nil
    configuration.authorityFile = login.ca
    configuration.patience = patience.duration
    configuration.credentials =
      switch try login.proof() {
      case .password(let user, let password): .password(user: user, password: password)
      case .token(let token): .token(token)
      case nil: nil
      }
    return LatchClient(configuration)
  }
}
