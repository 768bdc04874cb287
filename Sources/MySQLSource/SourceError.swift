/// Why the source database cannot be used, with what to do about it.
public struct SourceError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The kind of failure; callers switch on this.
  public enum Code: String, Sendable {
    /// The URL or an option of the connection is wrong.
    case configuration
    /// User name or password refused.
    case authentication
    /// Nobody answers at that host, port or socket, or TLS could not be agreed on.
    case unreachable
    /// The server is not set up for replication.
    case settings
    /// The binlog does not reach back to the wanted position any more, or the position is not in it.
    case purged
    /// The source lacks transactions that the copy has; it may be a replica that still gets them.
    case behind
    /// The source has other transactions where the copy has some that the source lacks: it cannot go on from
    /// there.
    case diverged
    /// A table's declaration cannot be used.
    case schema
    /// A table is not, or not any more, what the caller takes it for.
    case schemaChanged
    /// The server answered in a way that this client does not understand.
    case `protocol`
    /// A binlog file cannot be read.
    case file
    /// An established connection broke; connecting again may help.
    case lostConnection
    /// The source could not do it in time, because others had locked what it takes; trying again may help.
    case busy
    /// The user lacks a privilege.
    case permission
    /// The server refused a statement.
    case sql
    /// The caller closed the connection or used it while a result was being read.
    case closed
  }

  /// The kind of failure.
  public var code: Code
  /// What failed, on one line.
  public var message: String
  /// The server's or the client library's error number, when there is one.
  public var number: Int?
  /// What the server or the client library said, when it said something.
  public var serverMessage: String?
  /// What to do, on one line.
  public var advice: String?

  public init(
    _ code: Code, _ message: String, number: Int? = nil, serverMessage: String? = nil,
    advice: String? = nil
  ) {
    self.code = code
    self.message = message
    self.number = number
    self.serverMessage = serverMessage
    self.advice = advice
  }

  public var description: String {
    var text = message
    if let serverMessage {
      text += ": \(serverMessage)"
      if let number { text += " (\(number))" }
    }
    if let advice { text += "; \(advice)" }
    return text.replacing("\n", with: " ")
  }
}

extension SourceError {
  /// The error for a number and message of the server or the client library.
  ///
  /// - Parameter action: what was being done, such as `connecting to db:3306`.
  static func server(_ number: Int, _ message: String, _ action: String) -> SourceError {
    let (code, advice): (Code, String?) =
      switch number {
      case 1045, 1698, 1524, 2059, 2061, 1862, 1820:
        (.authentication, "check the user name and the password in the source URL")
      case 1130:
        (.authentication, "the server does not let this host connect: create the user for it")
      case 1040, 1203, 1226:
        (
          .unreachable,
          "the server has no free connection: raise max_connections or try again later"
        )
      case 2001, 2002, 2003, 2004, 2005:
        (.unreachable, "check host and port in the source URL and that the server runs")
      case 2026: (.unreachable, "check ssl-mode, ssl-ca, ssl-cert and ssl-key in the source URL")
      case 1044, 1142, 1143, 1227, 1370, 1141:
        (.permission, "grant the privilege to the user of the source URL")
      case 1236, 1220:
        (.purged, "make a new copy, or keep the binlog longer (binlog_expire_logs_seconds)")
      case 2006, 2013, 2055, 1053, 1927, 3169, 4031, 1159, 1160, 1161, 1158, 1317:
        (.lostConnection, nil)
      case 1205: (.busy, nil)
      case 2000, 2012, 2014, 2020, 2027: (.protocol, nil)
      default: (.sql, nil)
      }
    return SourceError(code, action, number: number, serverMessage: message, advice: advice)
  }

  /// Whether trying again later may help.
  public var isTransient: Bool {
    [.lostConnection, .unreachable, .behind, .busy].contains(code)
  }
}
