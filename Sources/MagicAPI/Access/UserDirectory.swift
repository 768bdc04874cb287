import Foundation
import Logging
import MagicCore
import Synchronization
import Threads

/// The users of a service, and their passwords and tokens.
public final class UserDirectory: Authenticator {
  private typealias User = UsersFile.User

  private struct Member {
    var user: User
    /// What ``Caller/rights`` is for them.
    var rights: Int
  }

  private struct State {
    var users: [String: Member] = [:]
    /// The users' names, by the hashes of their tokens.
    var tokens: [String: String] = [:]
    /// Until when passwords need not be checked again, by a keyed hash of name and password: nothing
    /// here can be turned back into a password.
    var verified: [[UInt8]: ContinuousClock.Instant] = [:]
    /// Counts the times that the users were read, so that no answer about earlier ones is kept.
    var generation = 0
    var throttle = GuessThrottle()
    /// How many passwords are being checked.
    var checking = 0
  }

  /// ``Caller/rights`` of the users that there are at the start.
  static let firstRights = 1

  private static let verifiedLifetime = Duration.seconds(300)
  private static let verifiedLimit = 10_000
  private static let checkingLimit = 64

  private let file: String?
  /// The users of the environment, which are not read again.
  private let fixed: [User]
  private let key = randomBytes(32)
  /// The hash that stands in for those of unknown users where no user has a password.
  private let standIn: String
  private let checker = PasswordChecker()
  private let state = Mutex(State())

  /// Reads the users; blocks for a moment.
  ///
  /// - Parameters:
  ///   - file: the users file; nil when there is none.
  ///   - environment: `MAGIC_USER` with `MAGIC_PASSWORD` or `MAGIC_PASSWORD_FILE` make an admin.
  /// - Throws: ``APIError`` of kind `invalid` that says what is wrong with them.
  public init(file: String?, environment: [String: String]) throws(APIError) {
    self.file = file
    fixed = try Self.users(of: environment)
    standIn = try PasswordHash.make(hexadecimal(randomBytes(16)))
    let users = try Self.merged(file, fixed)
    state.withLock { Self.adopt(users, in: &$0) }
  }

  public var isOpen: Bool { false }

  // MARK: Users

  /// Reads the users file again. Who came in before with a password that is no longer right must say
  /// it again.
  ///
  /// - Returns: whether anything changed.
  /// - Throws: ``APIError`` that says what is wrong with it; the users are then what they were.
  @discardableResult
  public func reload() async throws -> Bool {
    try await onOwnThread("users") { [self] in
      let users = try Self.merged(file, fixed)
      return state.withLock { state in
        let names = users.map { ($0.name, $0) }
        let found = Dictionary(names, uniquingKeysWith: { $1 })
        guard state.users.mapValues(\.user) != found else { return false }
        Self.adopt(users, in: &state)
        return true
      }
    }
  }

  /// Reads the users file whenever it has changed, until the task is cancelled. While it is broken the
  /// users stay what they were, and the log says why.
  public func watch(every interval: Duration = .seconds(5), logger: Logger) async {
    var complaint: String?
    while (try? await Task.sleep(for: interval)) != nil {
      do {
        if try await reload() { logger.info("The users have changed") }
        complaint = nil
      } catch {
        // Once for each state of the file, not at every look.
        guard complaint != "\(error)" else { continue }
        complaint = "\(error)"
        logger.error(
          "The users cannot be read again; they stay what they were",
          metadata: ["reason": "\(error)"])
      }
    }
  }

  private static func merged(_ file: String?, _ fixed: [User]) throws(APIError) -> [User] {
    var users = fixed
    if let file { users += try UsersFile(path: file).users }
    if let user = fixed.first, users.dropFirst().contains(where: { $0.name == user.name }) {
      throw APIError(.invalid, "the user \(user.name) is in MAGIC_USER and in the users file")
    }
    return users
  }

  private static func adopt(_ users: [User], in state: inout State) {
    state.generation += 1
    let members = users.map { user in
      let former = state.users[user.name]
      let isSame = former.map { ($0.user.role, $0.user.databases) == (user.role, user.databases) }
      let rights = isSame == true ? former?.rights : nil
      return (user.name, Member(user: user, rights: rights ?? state.generation))
    }
    state.users = Dictionary(members) { $1 }
    state.tokens = Dictionary(
      users.flatMap { user in user.tokens.map { ($0, user.name) } }
    ) { $1 }
    state.verified = [:]
  }

  private static func users(of environment: [String: String]) throws(APIError) -> [User] {
    let name = environment["MAGIC_USER"]
    let text = environment["MAGIC_PASSWORD"]
    let path = environment["MAGIC_PASSWORD_FILE"]
    if name == nil, text == nil, path == nil { return [] }
    guard let name, (text == nil) != (path == nil) else {
      throw APIError(
        .invalid,
        "MAGIC_USER goes together with either MAGIC_PASSWORD or MAGIC_PASSWORD_FILE")
    }
    let password: String
    if let path {
      guard let contents = try? String(contentsOfFile: path, encoding: .utf8) else {
        throw APIError(.invalid, "the file \(path) of MAGIC_PASSWORD_FILE cannot be read")
      }
      password = String(contents.prefix { !$0.isNewline })
    } else {
      password = text ?? ""
    }
    let user = User(name: name, password: try PasswordHash.make(password), role: .admin)
    try user.check()
    return [user]
  }

  // MARK: Who somebody is

  public func authenticate(
    user: String, password: String, interface: String, address: String
  ) async throws -> Caller {
    let found =
      if user.isEmpty {
        try authenticate(token: password, address: address)
      } else {
        try await authenticate(user: user, password: password, address: host(of: address))
      }
    return Caller(
      user: found.user.name, role: found.user.role, databases: found.user.databases,
      rights: found.rights, interface: interface, address: address)
  }

  private func authenticate(token: String, address: String) throws(APIError) -> Member {
    let hash = APIToken.hash(of: token)
    let member = state.withLock { state in state.tokens[hash].flatMap { state.users[$0] } }
    guard let member else {
      throw APIError(.unauthenticated, "the token is unknown", engineCode: 516)
    }
    return member
  }

  /// What is known before the password is hashed.
  private enum Start {
    case known(Member)
    /// `other` is the hash to check for an unknown name, so that it takes as long as some other.
    case check(hash: String?, other: String?, generation: Int)
  }

  private func authenticate(
    user name: String, password: String, address: String
  ) async throws -> Member {
    let proof = SHA256.authenticationCode(
      of: Array(name.utf8) + [0] + Array(password.utf8), key: key)
    let start = try state.withLock { state throws(APIError) in
      try begin(&state, name, proof, address)
    }
    guard case .check(let hash, let other, let generation) = start else {
      if case .known(let member) = start { return member }
      throw Self.wrong
    }
    let isRight = await checker.verify(password, hash ?? other ?? standIn) && hash != nil
    return try state.withLock { state throws(APIError) in
      state.checking -= 1
      guard isRight, let member = state.users[name], member.user.password == hash else {
        state.throttle.noteFailure(user: name, address: address, now: .now)
        throw Self.wrong
      }
      state.throttle.noteSuccess(user: name, address: address)
      if generation == state.generation { Self.remember(proof, in: &state) }
      return member
    }
  }

  private func begin(
    _ state: inout State, _ name: String, _ proof: [UInt8], _ address: String
  ) throws(APIError) -> Start {
    let now = ContinuousClock.now
    if let end = state.verified[proof], end > now, let member = state.users[name] {
      return .known(member)
    }
    if let delay = state.throttle.delay(user: name, address: address, now: now) {
      throw APIError(
        .unauthenticated,
        "too many wrong passwords; try again in \(max(1, delay.components.seconds)) s",
        engineCode: 516)
    }
    guard state.checking < Self.checkingLimit else {
      throw APIError(.unavailable, "too many logins at once; try again")
    }
    state.checking += 1
    return .check(
      hash: state.users[name]?.user.password, other: standIn(for: name, in: state),
      generation: state.generation)
  }

  /// The hash of the same user for the same name, always: methods of hashing take their own time.
  private func standIn(for name: String, in state: State) -> String? {
    let hashes = state.users.values.sorted { $0.user.name < $1.user.name }
      .compactMap(\.user.password)
    guard !hashes.isEmpty else { return nil }
    let code = SHA256.authenticationCode(of: Array(name.utf8), key: key)
    return hashes[(Int(code[0]) << 8 | Int(code[1])) % hashes.count]
  }

  private static func remember(_ proof: [UInt8], in state: inout State) {
    if state.verified.count >= verifiedLimit {
      state.verified = state.verified.filter { $0.value > .now }
      if state.verified.count >= verifiedLimit { state.verified = [:] }
    }
    state.verified[proof] = .now + verifiedLifetime
  }

  private static let wrong = APIError(
    .unauthenticated, "there is no such user, or the password is wrong", engineCode: 516)
}

/// An address without its port, in the forms that the interfaces use.
private func host(of address: String) -> String {
  var host = address[...]
  for scheme in ["ipv4:", "ipv6:"] where host.hasPrefix(scheme) {
    host = host.dropFirst(scheme.count)
  }
  if let open = host.firstIndex(of: "["), let close = host.lastIndex(of: "]"), open < close {
    return String(host[host.index(after: open)..<close])
  }
  let parts = host.split(separator: ":", omittingEmptySubsequences: false)
  return parts.count == 2 ? String(parts[0]) : String(host)
}

/// Checks passwords one after another, off the cooperative pool: each takes the time and the memory
/// that its hash was made to take.
private actor PasswordChecker {
  private let executor = ThreadExecutor(name: "passwords")

  nonisolated var unownedExecutor: UnownedSerialExecutor {
    executor.asUnownedSerialExecutor()
  }

  func verify(_ password: String, _ hash: String) -> Bool { PasswordHash.verify(password, hash) }
}
