import FoundationEssentials
import MagicAPI

/// Who a client says it is, from the headers or parameters of a request.
struct Credentials: Equatable {
  var user: String
  var password: String

  /// Takes the credentials out of a request; nil when it has none.
  ///
  /// - Throws: ``APIError`` when they are malformed, or given in two ways.
  init?(_ request: Request) throws(APIError) {
    var found: [Credentials] = []
    if let value = request.header("Authorization") { found.append(try Self.decode(value)) }
    let user = request.header("X-ClickHouse-User")
    let key = request.header("X-ClickHouse-Key")
    if user != nil || key != nil {
      found.append(Credentials(user: user ?? "default", password: key ?? ""))
    }
    if request.parameters["user"] != nil || request.parameters["password"] != nil {
      found.append(
        Credentials(
          user: request.parameters["user"] ?? "default",
          password: request.parameters["password"] ?? ""))
    }
    guard let first = found.first else { return nil }
    guard found.allSatisfy({ $0 == first }) else {
      throw APIError(
        .unauthenticated,
        "The request names two users: give one, in the header Authorization, in X-ClickHouse-User "
          + "and X-ClickHouse-Key, or in the parameters user and password")
    }
    self = first
  }

  private init(user: String, password: String) {
    self.user = user
    self.password = password
  }

  /// The value of an `Authorization` header (RFC 7617, RFC 6750).
  private static func decode(_ value: String) throws(APIError) -> Credentials {
    let parts = value.split(separator: " ", maxSplits: 1)
    switch (parts.first?.lowercased(), parts.last) {
    case ("basic", let text?) where parts.count == 2:
      guard let bytes = Data(base64Encoded: String(text)),
        let pair = String(validating: bytes, as: UTF8.self), let colon = pair.firstIndex(of: ":")
      else { throw APIError(.unauthenticated, "The header Authorization is malformed") }
      return Credentials(
        user: String(pair[..<colon]), password: String(pair[pair.index(after: colon)...]))
    case ("bearer", let token?) where parts.count == 2:
      return Credentials(user: "", password: String(token))
    default:
      throw APIError(.unauthenticated, "The header Authorization must be of kind Basic or Bearer")
    }
  }
}

extension HTTPServer.Contents {
  /// Who sent a request.
  ///
  /// - Throws: ``APIError`` of kind `unauthenticated`.
  func caller(of request: Request, from peer: Peer) async throws -> Caller {
    switch peer.listener {
    case .unixSocket:
      // The socket's mode decides who may connect.
      return Caller(user: "local", role: .admin, interface: "socket")
    case .tcp:
      let credentials = try Credentials(request)
      guard let authenticator else {
        throw APIError(.unauthenticated, "Nobody may come in over the network")
      }
      if authenticator.isOpen {
        return Caller(
          user: credentials?.user ?? "default", role: .admin, interface: "http",
          address: peer.address)
      }
      guard let credentials else {
        throw APIError(.unauthenticated, "Say who you are, by a user and a password")
      }
      return try await authenticator.authenticate(
        user: credentials.user, password: credentials.password, interface: "http",
        address: peer.address)
    }
  }
}
