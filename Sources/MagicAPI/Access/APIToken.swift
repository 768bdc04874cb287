/// Long random texts by which programs say who they are. They need no slow hash, because nobody can
/// try them all.
public enum APIToken {
  /// Makes a token, and what the users file has of it.
  public static func make() -> (token: String, hash: String) {
    let token = "magic_" + hexadecimal(randomBytes(32))
    return (token, hash(of: token))
  }

  static func hash(of token: String) -> String {
    "sha256:" + hexadecimal(SHA256.hash(Array(token.utf8)))
  }

  /// Whether a text has the form of a token's hash.
  static func isHash(_ text: String) -> Bool {
    let prefix = "sha256:"
    return text.hasPrefix(prefix) && text.utf8.count == prefix.utf8.count + 64
      && text.utf8.dropFirst(prefix.utf8.count).allSatisfy {
        (0x30...0x39).contains($0) || (0x61...0x66).contains($0)
      }
  }
}
