import Foundation
import GRPCCore
import MagicAPI

/// What a call says about who makes it.
public struct Credentials: Hashable, Sendable {
  /// How the caller proves it.
  public enum Proof: Hashable, Sendable {
    /// Not at all.
    case none
    /// By a name and a password.
    case password(user: String, password: String)
    /// By a token that this server did not give.
    case token(String)
  }

  /// How the caller proves who it is.
  public var proof: Proof
  /// From where it calls, such as `ipv4:127.0.0.1:31415`; for logs.
  public var address: String

  /// Makes credentials.
  public init(proof: Proof, address: String) {
    self.proof = proof
    self.address = address
  }
}

extension Credentials.Proof {
  /// Reads an `authorization` header.
  ///
  /// - Throws: `APIError` of kind `unauthenticated` when it has another form.
  public init(authorization header: String) throws(APIError) {
    let parts = header.split(separator: " ", maxSplits: 1)
    if parts.count == 2, parts[0].lowercased() == "bearer" {
      self = .token(String(parts[1]))
      return
    }
    guard parts.count == 2, parts[0].lowercased() == "basic",
      let bytes = Data(base64Encoded: padded(parts[1])),
      case let text = String(decoding: bytes, as: UTF8.self),
      let colon = text.firstIndex(of: ":")
    else {
      throw APIError(
        .unauthenticated,
        "the authorization header must be Basic, with user and password, or Bearer")
    }
    self = .password(
      user: String(text[..<colon]), password: String(text[text.index(after: colon)...]))
  }
}

/// Base64 with the padding that clients written in Go leave out.
private func padded(_ text: Substring) -> String {
  text + String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
}
