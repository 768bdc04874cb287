import Foundation

/// Where an etcd cluster is: `etcd://[USER:PASSWORD@]HOST:PORT[,HOST:PORT…][/PREFIX]`, `etcds://` with TLS.
public struct EtcdAddress: Hashable, Sendable {
  /// The members, of which any that answers is asked.
  public var endpoints: [Endpoint]
  /// Whether connections are encrypted.
  public var usesTLS: Bool
  public var user: String?
  public var password: String?
  /// What all keys begin with.
  public var prefix: String

  /// One member.
  public struct Endpoint: Hashable, Sendable {
    public var host: String
    public var port: Int

    /// Whether it is an address of IPv4, not a name.
    var isAddress: Bool {
      host.wholeMatch(of: /\d{1,3}(\.\d{1,3}){3}/) != nil
    }
  }

  /// Reads an address.
  public init?(_ text: String) {
    guard let match = text.wholeMatch(of: /(etcds?):\/\/(?:([^:@\/]+):([^@\/]*)@)?([^@\/]+)(\/.*)?/)
    else { return nil }
    usesTLS = match.1 == "etcds"
    user = match.2.flatMap { String($0).removingPercentEncoding }
    password = match.3.flatMap { String($0).removingPercentEncoding }
    endpoints = []
    for part in match.4.split(separator: ",", omittingEmptySubsequences: false) {
      guard let one = part.wholeMatch(of: /(\[[0-9A-Fa-f:.]+\]|[^:\[\]\s]+):(\d{1,5})/),
        let port = Int(one.2), port < 1 << 16
      else { return nil }
      endpoints.append(
        Endpoint(host: String(one.1.drop { $0 == "[" }.prefix { $0 != "]" }), port: port))
    }
    let path = match.5.map { String($0.dropFirst()) } ?? ""
    prefix = path.isEmpty ? "magic/latches" : path
  }
}
