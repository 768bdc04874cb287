import Foundation

/// Where a source database is and how to connect to it:
/// `mysql://user:password@host:port,host:port,…/?option=value&…`.
///
/// Several hosts are servers with the same data, replicas of one another, in the order in which they are
/// wanted. A connection goes to one of them: ``at(_:)`` gives the URL of that one, and everything that connects
/// takes the first of a URL's hosts.
///
/// Options: `ssl-mode` (``SSLMode``), `ssl-ca`, `ssl-cert`, `ssl-key` (files in PEM form), `socket` (path of a
/// Unix socket, used instead of host and port). User, password and values are percent-decoded; an IPv6 host
/// stands in brackets.
public struct SourceURL: Hashable, Sendable, CustomStringConvertible, CustomReflectable {
  /// How far TLS is insisted on; the raw values are those of the `ssl-mode` option.
  ///
  /// With `ssl-ca` the certificate must come from that authority in every mode that uses TLS.
  public enum SSLMode: String, Hashable, Sendable, CaseIterable {
    /// Never TLS.
    case disabled
    /// TLS when the server offers it; without `ssl-ca` its certificate is not checked.
    case preferred
    /// TLS always; without `ssl-ca` the certificate is not checked.
    case required
    /// TLS, and the certificate must come from `ssl-ca`, which has to be given.
    case verifyCA = "verify-ca"
    /// TLS, and the certificate must be for the host and come from `ssl-ca` or, without it, from an
    /// authority that the system trusts.
    case verifyIdentity = "verify-identity"
  }

  /// The address of one server.
  public struct Host: Hashable, Sendable, CustomStringConvertible {
    /// A name, or an address, that of IPv6 without brackets.
    public var host: String
    public var port: Int

    public init(host: String, port: Int = 3306) {
      self.host = host
      self.port = port
    }

    /// `host:port`, with an IPv6 address in brackets.
    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
  }

  /// The servers, in the order in which they are wanted; at least one, whose name is empty when there is only
  /// a socket.
  public private(set) var hosts: [Host]
  /// The name of the first server.
  public var host: String { hosts[0].host }
  /// The port of the first server.
  public var port: Int { hosts[0].port }
  public var user: String
  public var password: String?
  public var socket: String?
  public var sslMode: SSLMode
  public var sslCA: String?
  public var sslCertificate: String?
  public var sslKey: String?

  /// Parses a URL.
  ///
  /// A password in the URL wins over one in `passwordFile` (its first line), which wins over the environment
  /// variable `MAGIC_SOURCE_PASSWORD`.
  ///
  /// - Throws: ``SourceError`` with code `configuration`, which says what is wrong and never shows the password.
  public init(
    _ text: String, passwordFile: String? = nil,
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws(SourceError) {
    guard let (scheme, rest) = text.split(atFirst: "://") else {
      throw Self.wrong("it does not begin with mysql://")
    }
    guard ["mysql", "mariadb"].contains(scheme.lowercased()) else {
      throw Self.wrong("its scheme is not mysql or mariadb")
    }
    let (beforeQuery, query) = rest.split(atFirst: "?") ?? (rest, "")
    // An unencoded slash may stand in the password, so the authority is cut at the last @ first.
    let (credentials, afterCredentials) = beforeQuery.split(atLast: "@") ?? ("", beforeQuery)
    let (address, path) = afterCredentials.split(atFirst: "/") ?? (afterCredentials, "")
    guard path.isEmpty else {
      throw Self.wrong(
        "a database after the port has no meaning here; choose tables with --include")
    }

    let (userText, passwordText) =
      credentials.split(atFirst: ":").map { ($0, Optional($1)) } ?? (credentials, nil)
    user = try Self.decode(userText, "user")
    password = try passwordText.map { text throws(SourceError) in try Self.decode(text, "password")
    }
    hosts = try Self.parseHosts(address)
    sslMode = .preferred
    try parseOptions(query)

    guard !user.isEmpty else { throw Self.wrong("it names no user") }
    guard hosts.count == 1 || socket == nil else {
      throw Self.wrong("a socket is of one server, but it names several")
    }
    guard !host.isEmpty || socket != nil else { throw Self.wrong("it names no host") }
    guard sslMode != .verifyCA || sslCA != nil else {
      throw Self.wrong("ssl-mode=verify-ca needs ssl-ca, the file of the authority's certificate")
    }
    if password == nil {
      password = try passwordFile.map(Self.readPassword) ?? environment["MAGIC_SOURCE_PASSWORD"]
    }
  }

  private mutating func parseOptions(_ query: Substring) throws(SourceError) {
    for option in query.split(separator: "&") {
      guard let (name, encoded) = option.split(atFirst: "=") else {
        throw Self.wrong("the option \(option) has no value")
      }
      let value = try Self.decode(encoded, String(name))
      switch name {
      case "ssl-mode":
        guard let mode = SSLMode(rawValue: value.lowercased().replacing("_", with: "-")) else {
          let names = SSLMode.allCases.map(\.rawValue).joined(separator: ", ")
          throw Self.wrong("ssl-mode is one of \(names)")
        }
        sslMode = mode
      case "ssl-ca": sslCA = value
      case "ssl-cert": sslCertificate = value
      case "ssl-key": sslKey = value
      case "socket": socket = value
      default:
        throw Self.wrong(
          "the option \(name) is unknown; known: ssl-mode, ssl-ca, ssl-cert, ssl-key, socket")
      }
    }
  }

  /// The same URL with one of its servers, or another, only.
  public func at(_ host: Host) -> SourceURL {
    var url = self
    url.hosts = [host]
    return url
  }

  private static func parseHosts(_ text: Substring) throws(SourceError) -> [Host] {
    var hosts: [Host] = []
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    for part in parts {
      let host = try parseHost(part)
      guard parts.count == 1 || !host.host.isEmpty else {
        throw wrong("one of its hosts has no name")
      }
      guard !hosts.contains(where: { $0.isSame(as: host) }) else {
        throw wrong("it names \(host) twice")
      }
      hosts.append(host)
    }
    return hosts
  }

  /// Reads `host:port`, `[v6]:port` or a host alone.
  private static func parseHost(_ text: Substring) throws(SourceError) -> Host {
    var host = text
    var portText: Substring?
    if text.first == "[" {
      guard let (inside, after) = text.dropFirst().split(atFirst: "]") else {
        throw wrong("the bracket of the IPv6 address is not closed")
      }
      host = inside
      guard after.isEmpty || after.first == ":" else {
        throw wrong("something other than a port follows the IPv6 address")
      }
      portText = after.isEmpty ? nil : after.dropFirst()
    } else if let (name, number) = text.split(atFirst: ":") {
      guard !number.contains(":") else {
        throw wrong("an IPv6 host stands in brackets: [::1]:3306")
      }
      host = name
      portText = number
    }
    guard let portText else { return Host(host: try decode(host, "host")) }
    guard let port = UInt16(portText), port > 0 else {
      throw wrong("the port is not a number from 1 to 65535")
    }
    return Host(host: try decode(host, "host"), port: Int(port))
  }

  private static func decode(_ text: Substring, _ part: String) throws(SourceError) -> String {
    guard let decoded = String(text).removingPercentEncoding else {
      throw wrong("the \(part) is not correctly percent-encoded: write % as %25")
    }
    return decoded
  }

  private static func readPassword(_ path: String) throws(SourceError) -> String {
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
      throw SourceError(.configuration, "the password file \(path) cannot be read")
    }
    return text.split(separator: "\n", omittingEmptySubsequences: false).first.map(String.init)
      ?? ""
  }

  private static func wrong(_ reason: String) -> SourceError {
    SourceError(
      .configuration, "the source URL is wrong: \(reason)",
      advice: "its form is mysql://user:password@host:port/")
  }

  /// The servers' addresses without the user: `host:port`, with commas between several, or the socket's path.
  public var address: String {
    socket ?? hosts.map(\.description).joined(separator: ",")
  }

  /// The address that is connected to.
  var firstAddress: String { socket ?? hosts[0].description }

  /// The URL without the password.
  public var description: String { "mysql://\(user)@\(address)/" }
  /// Keeps the password out of debugger output and dumps.
  public var customMirror: Mirror { Mirror(self, children: ["url": description]) }
}

extension SourceURL.Host {
  /// Names of hosts are the same in either case.
  fileprivate func isSame(as other: SourceURL.Host) -> Bool {
    port == other.port && host.lowercased() == other.host.lowercased()
  }
}

extension Substring {
  fileprivate func split(atFirst separator: String) -> (Substring, Substring)? {
    range(of: separator).map { (self[..<$0.lowerBound], self[$0.upperBound...]) }
  }

  fileprivate func split(atLast separator: String) -> (Substring, Substring)? {
    range(of: separator, options: .backwards).map {
      (self[..<$0.lowerBound], self[$0.upperBound...])
    }
  }
}

extension String {
  fileprivate func split(atFirst separator: String) -> (Substring, Substring)? {
    Substring(self).split(atFirst: separator)
  }
}
