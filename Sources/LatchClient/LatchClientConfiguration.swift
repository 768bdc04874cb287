/// Where a latch service is, and who calls it.
public struct LatchClientConfiguration: Sendable {
  /// The nodes, as `HOST:PORT`; any that answers tells which of them serves.
  public var endpoints: [String]
  /// Whether connections are encrypted.
  public var usesTLS = false
  /// A file of the certificates, PEM, that the server's is signed by; nil for those of the system.
  public var authorityFile: String?
  /// Who calls; nil where the server lets everybody in.
  public var credentials: Credentials?
  /// How long a call is tried again that does not reach the service.
  public var patience = Duration.seconds(30)
  /// How long one try of a call may take, beside what it waits for a latch.
  public var callTimeout = Duration.seconds(5)

  /// How the caller proves who it is.
  public enum Credentials: Hashable, Sendable {
    /// By a name and a password.
    case password(user: String, password: String)
    /// By a token.
    case token(String)
    /// As a node of the service, by the secret that nodes share.
    case node(secret: String)
  }

  /// Names a service.
  public init(endpoints: [String]) {
    self.endpoints = endpoints
  }
}
