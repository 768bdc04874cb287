import MagicAPI

/// Keeps pages of other servers from using this one through somebody's browser.
struct BrowserCheck: Sendable {
  /// The origin whose pages may, or `*`; nil for none.
  let allowedOrigin: String?
  /// Whether everybody who reaches the server is an administrator.
  let isOpen: Bool

  /// - Throws: ``APIError`` of kind `forbidden` for a request that such a page has made.
  func check(_ request: Request) throws(APIError) {
    let host = request.header("Host") ?? ""
    if let origin = request.header("Origin"), allowedOrigin != "*", origin != allowedOrigin,
      origin != "http://\(host)", origin != "https://\(host)"
    {
      throw APIError(
        .forbidden,
        "a page of \(origin) may not use this server; magic serve --allow-origin \(origin) lets it")
    }
    // A name of somebody else's that leads here makes both look alike.
    if isOpen, isBrowser(request), !isLocal(host), allowedOrigin == nil {
      throw APIError(
        .forbidden,
        "a server without users is for browsers on this machine: use http://localhost, or give it "
          + "users (magic serve --users), not the name \(host)")
    }
  }

  private func isBrowser(_ request: Request) -> Bool {
    request.header("Origin") != nil || request.header("User-Agent")?.hasPrefix("Mozilla/") == true
  }

  /// Whether a Host header is an address, or the name of this machine for itself.
  private func isLocal(_ host: String) -> Bool {
    if host.hasPrefix("[") { return true }
    let name = host.prefix { $0 != ":" }.lowercased()
    return name == "localhost" || name.hasSuffix(".localhost")
      || name.allSatisfy { $0.isASCII && $0.isNumber || $0 == "." }
  }
}
