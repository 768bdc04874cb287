import ArgumentParser

/// Where a server listens, as a person writes it: `127.0.0.1:8123`, `[::1]:8123`, or `none`.
struct ListenAddress: ExpressibleByArgument, CustomStringConvertible, Hashable {
  /// A name or a numeric address; nil when nothing listens.
  let host: String?
  /// The TCP port; 0 for any that is free.
  let port: Int

  static let none = ListenAddress(host: nil, port: 0)

  init(host: String?, port: Int) {
    self.host = host
    self.port = port
  }

  init?(argument: String) {
    if argument == "none" {
      self = .none
      return
    }
    guard
      let match = argument.wholeMatch(of: /(\[[0-9A-Fa-f:.]+\]|[^:\[\]\/@\s]+):(\d{1,5})/),
      let port = Int(match.2), port < 1 << 16
    else { return nil }
    let host = match.1.hasPrefix("[") ? match.1.dropFirst().dropLast() : match.1
    self.init(host: String(host), port: port)
  }

  /// Whether only programs on this machine reach it.
  var isLoopback: Bool {
    guard let host else { return true }
    return host == "localhost" || host == "::1" || host.wholeMatch(of: /127(\.\d{1,3}){3}/) != nil
  }

  var description: String {
    guard let host else { return "none" }
    return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
  }

  var defaultValueDescription: String { description }
}

/// A number of bytes as a person writes it: `512MiB`, `4GB`, `1000000`.
struct ByteCount: ExpressibleByArgument, CustomStringConvertible, Hashable {
  let bytes: Int

  init(bytes: Int) { self.bytes = bytes }

  init?(argument: String) {
    guard
      let match = argument.uppercased().wholeMatch(of: /(\d{1,18})([KMGT]?)(I?B)?/),
      let number = Int(match.1), !match.2.isEmpty || match.3 != "IB"
    else { return nil }
    // Only what is written as a decimal unit is one.
    let factor = match.3 == "B" ? 1_000 : 1_024
    let power = "KMGT".firstIndex(of: match.2.first ?? " ").map {
      "KMGT".distance(from: "KMGT".startIndex, to: $0) + 1
    }
    var bytes = number
    for _ in 0..<(power ?? 0) {
      let (product, overflow) = bytes.multipliedReportingOverflow(by: factor)
      if overflow { return nil }
      bytes = product
    }
    self.bytes = bytes
  }

  var description: String {
    for (unit, shift) in [("GiB", 30), ("MiB", 20), ("KiB", 10)]
    where bytes != 0 && bytes & (1 << shift - 1) == 0 {
      return "\(bytes >> shift)\(unit)"
    }
    return "\(bytes)"
  }

  var defaultValueDescription: String { description }
}
