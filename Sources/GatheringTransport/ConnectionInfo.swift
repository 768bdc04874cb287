public import GRPCCore
public import NIOCore

/// What a call's handler can learn about where the call comes from:
/// `context.transportSpecific as? ConnectionInfo`.
public struct ConnectionInfo: ServerContext.TransportSpecific {
  /// The client's address.
  public var remoteAddress: SocketAddress?
  /// The server's address.
  public var localAddress: SocketAddress?
  /// Whether the connection is encrypted.
  public var isEncrypted: Bool
  /// When the client stops waiting for the call; nil when it waits forever.
  public var deadline: ContinuousClock.Instant?

  var remotePeer: String { Self.peer(remoteAddress) }
  var localPeer: String { Self.peer(localAddress) }

  private static func peer(_ address: SocketAddress?) -> String {
    let port = address?.port.map { ":\($0)" } ?? ""
    return switch address {
    case .v4: "ipv4:\(address?.ipAddress ?? "")\(port)"
    case .v6: "ipv6:[\(address?.ipAddress ?? "")]\(port)"
    case .unixDomainSocket: "unix:\(address?.pathname ?? "")"
    case nil: "unknown"
    }
  }
}
