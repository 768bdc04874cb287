/// Names of binlog files as their server knows them.
enum BinlogFileName {
  /// The name without folder and `.gz`.
  static func logical(_ path: String) -> String {
    let last = path.split(separator: "/").last.map(String.init) ?? path
    return last.hasSuffix(".gz") ? String(last.dropLast(3)) : last
  }

  /// The name without the number at its end.
  static func base(_ name: String) -> String {
    name.split(separator: ".").dropLast().joined(separator: ".")
  }

  /// The number that a server's binlog files end with.
  static func number(_ name: String) -> UInt64? {
    guard name.contains(".") else { return nil }
    return name.split(separator: ".").last.flatMap { UInt64($0) }
  }
}
