import CCrypt
import Foundation

/// Hashes of passwords in the form of crypt(3).
public enum PasswordHash {
  /// Methods that take a guesser as long as they should, by what their hashes begin with.
  private static let methods = ["$y$", "$gy$", "$7$", "$2b$", "$2y$", "$2a$", "$6$", "$5$"]

  /// The longest password, in bytes: crypt(3) takes no more.
  private static let byteLimit = 511

  /// Hashes a password with yescrypt; slow on purpose.
  ///
  /// - Throws: ``APIError`` of kind `invalid` when it cannot be a password.
  public static func make(_ password: String) throws(APIError) -> String {
    guard !password.isEmpty, isPossible(password) else {
      throw APIError(.invalid, "a password has 1 to \(byteLimit) bytes, and none of them is zero")
    }
    let random = randomBytes(32)
    let setting = random.withUnsafeBufferPointer { bytes in
      bytes.withMemoryRebound(to: CChar.self) {
        crypt_gensalt_ra("$y$", 0, $0.baseAddress, CInt($0.count))
      }
    }
    defer { free(setting) }
    guard let setting, let hash = crypted(password, String(cString: setting)) else {
      throw APIError(.failed, "libcrypt cannot hash passwords with yescrypt: it is too old")
    }
    return hash
  }

  /// Why a hash cannot be one of the users file's; nil when it can.
  static func objection(to hash: String) -> String? {
    let advice = "make one with `magic password`"
    guard hash.hasPrefix("$") else {
      return "it is no hash of a password, or one of the method DES, which is too weak: \(advice)"
    }
    guard methods.contains(where: { hash.hasPrefix($0) }),
      crypt_checksalt(hash) == CRYPT_SALT_OK
    else {
      let method = hash.dropFirst().prefix { $0 != "$" }
      return "its method $\(method)$ is unknown or too weak: \(advice)"
    }
    // Without its last part it is only what hashing begins with.
    guard let last = hash.split(separator: "$").last, last.utf8.count >= 31 else {
      return "it is incomplete: \(advice)"
    }
    return nil
  }

  /// Whether a hash is that of a password; slow on purpose.
  static func verify(_ password: String, _ hash: String) -> Bool {
    let isPossible = isPossible(password)
    // An impossible password takes its time, too.
    guard let computed = crypted(isPossible ? password : "-", hash) else { return false }
    return areEqual(Array(computed.utf8), Array(hash.utf8)) && isPossible
  }

  private static func isPossible(_ password: String) -> Bool {
    password.utf8.count <= byteLimit && !password.utf8.contains(0)
  }

  private static func crypted(_ password: String, _ setting: String) -> String? {
    var memory: UnsafeMutableRawPointer?
    var byteCount: CInt = 0
    defer {
      // It holds the password.
      if let memory { explicit_bzero(memory, Int(byteCount)) }
      free(memory)
    }
    guard let hash = crypt_ra(password, setting, &memory, &byteCount), hash.pointee != 0x2A else {
      return nil
    }
    return String(cString: hash)
  }
}
