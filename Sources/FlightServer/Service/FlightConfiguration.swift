/// What a ``FlightService`` tells its clients, and its bounds.
public struct FlightConfiguration: Sendable {
  /// The URIs at which clients reach this server, such as `grpc+tls://host:port`; empty when they
  /// shall go on using the connection that they have.
  public var locations: [String] = []
  /// The program's version.
  public var version = ""
  /// How many bytes of rows go into one message, about.
  public var messageByteCount = 4 << 20
  /// Tables with at least this many rows are divided into several endpoints, for clients that read
  /// them side by side.
  public var splitRowCount = 1_000_000
  /// How many endpoints such a table gets.
  public var splitCount = 4
  /// The most bytes that the parameters of one query may have: its ticket holds them.
  public var parameterByteCount = 1 << 20
  /// How long a token, a session or a prepared statement lasts without use.
  public var handleLifetime = Duration.seconds(3600)
  /// How many tokens, sessions and prepared statements there may be, of each.
  public var handleCount = 10_000
  /// How long a transaction lasts without use, which clients are told; nil when it has no limit.
  public var transactionLifetime: Duration?

  /// The defaults.
  public init() {}

  /// The only catalog: databases are its schemas.
  static let catalog = "magic"
}
