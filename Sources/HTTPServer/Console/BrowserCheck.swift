import MagicAPI
import NIOHTTP1

/// Keeps pages of other servers from using this one through somebody's browser.
struct BrowserCheck: Sendable {
  /// The origin whose pages may; nil for none.
  let allowedOrigin: String?
  /// Whether everybody who reaches the server is an administrator.
  let isOpen: Bool

  /// - Throws: `APIError` of kind `forbidden` for a request that such a page has made.
  func check(_ request: Request) throws(APIError) {
    let host = request.header("Host") ?? ""
    // A name of somebody else's that leads here makes their pages look like ours.
    if isOpen, !isLocal(host) {
      throw APIError(
        .forbidden,
        "a server without users answers to localhost and addresses only, not to \(host): give it "
          + "users (magic serve --users), or call it by its address")
    }
    if let origin = request.header("Origin") {
      guard origin == allowedOrigin || origin == "http://\(host)" || origin == "https://\(host)"
      else {
        throw APIError(
          .forbidden,
          "a page of \(origin) may not use this server, which is called \(host) here: "
            + "--allow-origin names the origin whose pages may, and a proxy must leave the header "
            + "Host as it is")
      }
    } else if let site = request.header("Sec-Fetch-Site"), site != "same-origin", site != "none",
      !isLink(request)
    {
      // Scripts and pictures of a page come without an origin (Fetch Metadata Request Headers).
      throw APIError(.forbidden, "a page of another server may not use this one")
    }
  }

  /// Whether somebody followed a link to the console.
  private func isLink(_ request: Request) -> Bool {
    request.header("Sec-Fetch-Mode") == "navigate" && request.head.method == .GET
      && request.path == "/" && request.parameters.isEmpty
  }

  /// Whether a Host header is an address, or the name of this machine for itself; or is missing, which
  /// it is in no browser's request.
  private func isLocal(_ host: String) -> Bool {
    if host.isEmpty || host.hasPrefix("[") { return true }
    let name = host.prefix { $0 != ":" }.lowercased()
    return name == "localhost" || name.hasSuffix(".localhost")
      || name.allSatisfy { $0.isASCII && $0.isNumber || $0 == "." }
  }
}

extension HTTPHeaders {
  /// Adds what tells browsers whose pages may have the response.
  mutating func addBrowserRules(allowedOrigin: String?) {
    replaceOrAdd(name: "X-Content-Type-Options", value: "nosniff")
    add(name: "Cross-Origin-Resource-Policy", value: "same-origin")
    guard let allowedOrigin else { return }
    add(name: "Access-Control-Allow-Origin", value: allowedOrigin)
    add(
      name: "Access-Control-Expose-Headers",
      value: "X-ClickHouse-Exception-Code, X-ClickHouse-Exception-Tag, X-ClickHouse-Format, "
        + "X-ClickHouse-Query-Id, X-ClickHouse-Summary, X-Magic-Commit-Point, X-Magic-GTID")
  }
}
