import Foundation
import MagicCore

/// The users of a service, as a file declares them.
struct UsersFile: Decodable {
  /// One user.
  struct User: Hashable, Decodable {
    var name: String
    /// The password's hash; nil for one who has tokens only.
    var password: String?
    var role: Caller.Role
    /// The databases that the user may see, as patterns with `*`; nil for all.
    var databases: [String]?
    /// The hashes of the user's tokens.
    var tokens: [String] = []
  }

  private static let version = 1

  var users: [User]

  /// Reads a file.
  ///
  /// - Throws: ``APIError`` of kind `invalid` that says what is wrong with it.
  init(path: String) throws(APIError) {
    do {
      let contents = try Self.contents(path)
      self = try JSONDecoder().decode(UsersFile.self, from: Data(contents))
      try check()
    } catch let error as APIError {
      throw APIError(.invalid, "the users file \(path) is refused: \(error.message)")
    } catch let error as DecodingError {
      throw APIError(.invalid, "the users file \(path) is refused: \(error.explanation)")
    } catch {
      throw APIError(.invalid, "the users file \(path) cannot be read: \(error)")
    }
  }

  /// The bytes of a file that not everybody can read.
  private static func contents(_ path: String) throws -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw unreadable() }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw unreadable() }
    guard status.st_mode & 0o007 == 0 else {
      throw APIError(.invalid, "everybody on this machine can open it; chmod o= \(path)")
    }
    guard status.st_size <= byteLimit else {
      throw APIError(.invalid, "it is larger than \(byteLimit) bytes")
    }
    var contents = [UInt8](repeating: 0, count: Int(status.st_size))
    var end = 0
    while end < contents.count {
      let count = contents[end...].withUnsafeMutableBytes {
        read(descriptor, $0.baseAddress, $0.count)
      }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw unreadable() }
      if count == 0 { break }
      end += count
    }
    return Array(contents[..<end])
  }

  private static let byteLimit = 16 << 20

  private static func unreadable() -> APIError {
    APIError(.invalid, String(cString: strerror(errno)))
  }

  private func check() throws(APIError) {
    var names: Set<String> = []
    var tokens: Set<String> = []
    for user in users {
      try user.check()
      guard names.insert(user.name).inserted else {
        throw APIError(.invalid, "the user \(user.name) is in it twice")
      }
      for token in user.tokens where !tokens.insert(token).inserted {
        throw APIError(.invalid, "a token of \(user.name) is in it twice")
      }
    }
  }
}

extension UsersFile.User {
  /// - Throws: ``APIError`` that says what cannot be.
  func check() throws(APIError) {
    let isName =
      !name.isEmpty && name.utf8.count <= 128
      && name.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F && $0 != ":" }
    guard isName else {
      throw APIError(
        .invalid, "a user's name has 1 to 128 bytes, no colon and no control characters")
    }
    if let password, let objection = PasswordHash.objection(to: password) {
      throw APIError(.invalid, "the password of \(name) is refused: \(objection)")
    }
    guard password != nil || !tokens.isEmpty else {
      throw APIError(.invalid, "\(name) has neither a password nor tokens, and could not come in")
    }
    guard tokens.allSatisfy(APIToken.isHash) else {
      throw APIError(
        .invalid, "a token of \(name) is no hash: make one with `magic password --token`")
    }
    guard let databases else { return }
    guard role != .admin else {
      throw APIError(
        .invalid, "\(name) is an admin, who sees all databases: leave \"databases\" out")
    }
    if let hidden = databases.first(where: SystemTables.isHidden) {
      throw APIError(.invalid, "\(name) cannot be granted \(hidden): it is for admins")
    }
    guard databases.allSatisfy({ !$0.isEmpty }) else {
      throw APIError(.invalid, "a database of \(name) has no name")
    }
  }
}

// MARK: Decoding, in which an unknown key is an error

private struct Key: CodingKey {
  let stringValue: String
  var intValue: Int? { nil }

  init(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }
}

extension KeyedDecodingContainer<Key> {
  /// - Throws: ``APIError`` that names a key that is not one of `keys`.
  fileprivate func allow(_ keys: String..., in place: String) throws(APIError) {
    if let key = allKeys.map(\.stringValue).filter({ !keys.contains($0) }).min() {
      throw APIError(
        .invalid,
        "\(place) has the unknown key \"\(key)\"; known are \(keys.joined(separator: ", "))"
      )
    }
  }
}

extension UsersFile {
  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    try container.allow("version", "users", in: "it")
    let version = try container.decode(Int.self, forKey: Key(stringValue: "version"))
    guard version == Self.version else {
      throw APIError(.invalid, "its version is \(version), and \(Self.version) is what is known")
    }
    users = try container.decode([User].self, forKey: Key(stringValue: "users"))
  }
}

extension UsersFile.User {
  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    try container.allow(
      "name", "password", "role", "databases", "tokens", in: "a user")
    name = try container.decode(String.self, forKey: Key(stringValue: "name"))
    password = try container.decodeIfPresent(String.self, forKey: Key(stringValue: "password"))
    let role = try container.decode(String.self, forKey: Key(stringValue: "role"))
    guard let known = Caller.Role(rawValue: role) else {
      let roles = Caller.Role.allCases.map(\.rawValue).joined(separator: ", ")
      throw APIError(.invalid, "the role \(role) of \(name) is unknown; known are \(roles)")
    }
    self.role = known
    databases = try container.decodeIfPresent([String].self, forKey: Key(stringValue: "databases"))
    tokens =
      try container.decodeIfPresent([String].self, forKey: Key(stringValue: "tokens")) ?? []
  }
}

extension DecodingError {
  /// What is wrong and where, without what the file holds.
  fileprivate var explanation: String {
    switch self {
    case .keyNotFound(let key, let context):
      "\(Self.place(context)) lacks \"\(key.stringValue)\""
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
      "\(Self.place(context)) has another type than it should"
    case .dataCorrupted(let context):
      context.codingPath.isEmpty ? "it is not JSON" : "\(Self.place(context)) is malformed"
    @unknown default: "it is malformed"
    }
  }

  private static func place(_ context: Context) -> String {
    let path = context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }
    return path.isEmpty ? "it" : path.joined(separator: " ")
  }
}
