/// On whose behalf something is done.
public struct Caller: Hashable, Sendable {
  /// What somebody may do; each may do what those before it may.
  public enum Role: String, Hashable, Sendable, Codable, Comparable, CaseIterable {
    /// Reads.
    case reader
    /// Changes rows and tables.
    case writer
    /// Does everything.
    case admin

    /// Whether the one may do less than the other.
    public static func < (one: Role, other: Role) -> Bool { one.rank < other.rank }

    private var rank: Int {
      switch self {
      case .reader: 0
      case .writer: 1
      case .admin: 2
      }
    }
  }

  /// Whose something is. What was begun before a user's rights changed is nobody's.
  struct Owner: Hashable, Sendable, Codable {
    var user: String
    var rights: Int

    /// Whose it is in a process that begins later.
    var atStart: Owner { Owner(user: user, rights: min(rights, UserDirectory.firstRights)) }
  }

  /// Whose that is which the caller begins.
  var owner: Owner { Owner(user: user, rights: rights) }

  /// The user's name.
  public var user: String
  /// What the user may do.
  public var role: Role
  /// The databases that the user may see, as patterns with `*`; nil for all.
  public var databases: [String]?
  /// Which of the user's rights these are: another number after every change. 0 for who is no user of a
  /// directory.
  public var rights: Int
  /// Through which interface the request came: `http`, `flight`, `socket`, `adbc`.
  public var interface: String
  /// From where, for logs.
  public var address: String

  /// Makes a caller.
  public init(
    user: String, role: Role, databases: [String]? = nil, rights: Int = 0, interface: String,
    address: String = ""
  ) {
    self.user = user
    self.role = role
    self.databases = databases
    self.rights = rights
    self.interface = interface
    self.address = address
  }
}

/// Tells who somebody is.
public protocol Authenticator: Sendable {
  /// Whether anybody may come in without saying who they are, as an administrator.
  var isOpen: Bool { get }

  /// The user of that name and password; slow on purpose, so answers are kept for a while.
  ///
  /// - Throws: ``APIError`` of kind `unauthenticated`.
  func authenticate(
    user: String, password: String, interface: String, address: String
  ) async throws -> Caller
}
