import MySQLSchema

/// A setting of the source with which replication works, though not at its best.
public struct SourceWarning: Hashable, Sendable, Codable, CustomStringConvertible {
  /// The variable's name.
  public var setting: String
  /// Its value, empty when the source has no such variable.
  public var value: String
  /// What it means for replication, on one line.
  public var message: String
  /// What to do, on one line.
  public var advice: String

  public init(setting: String, value: String, message: String, advice: String) {
    self.setting = setting
    self.value = value
    self.message = message
    self.advice = advice
  }

  public var description: String { "\(message); \(advice)" }
}

/// A setting that decides what the binlog tells.
enum Setting: String, CaseIterable {
  case logBin = "log_bin"
  case format = "binlog_format"
  case rowImage = "binlog_row_image"
  case rowMetadata = "binlog_row_metadata"
  case rowValueOptions = "binlog_row_value_options"

  var wanted: String {
    switch self {
    case .logBin: "ON"
    case .format: "ROW"
    case .rowImage, .rowMetadata: "FULL"
    case .rowValueOptions: ""
    }
  }

  /// Whether a value, or nil for a variable that the server does not have, is the best.
  private func isBest(_ value: String?) -> Bool {
    switch self {
    case .logBin: value == "ON" || value == "1"
    // Servers without the variable write rows, if they write any, and whole ones.
    case .format, .rowImage, .rowValueOptions: value.map { $0.uppercased() == wanted } ?? true
    case .rowMetadata: value?.uppercased() == wanted
    }
  }

  /// Looks at a value, or nil for a variable that the server does not have.
  ///
  /// - Returns: a warning about a value with which replication works, nil about the best.
  /// - Throws: ``SourceError`` with code `settings` for a value with which it does not.
  func check(_ value: String?) throws(SourceError) -> SourceWarning? {
    guard !isBest(value) else { return nil }
    let consequence: String
    switch self {
    case .logBin, .format: throw error(found: value)
    case .rowImage:
      consequence =
        "changes come without the columns that they leave as they are, "
        + "which are then read from the copy"
    case .rowMetadata:
      consequence = "names and signs of columns come from the tables' declarations alone"
    case .rowValueOptions:
      consequence = "changes of JSON come in parts, which are then applied to the copy's value"
    }
    let found = value.map { "is \($0)" } ?? "does not exist"
    return SourceWarning(
      setting: rawValue, value: value ?? "",
      message: "the source's \(rawValue) \(found): \(consequence)",
      advice: value == nil ? "MariaDB 10.5 and MySQL 8.0 have it" : remedy)
  }

  /// What to tell the user when the server has a value with which replication does not work.
  func error(found: String?) -> SourceError {
    let message =
      found.map { "the source's \(rawValue) is \($0), not \(wanted)" }
      ?? "the source has no \(rawValue)"
    return SourceError(.settings, message, advice: remedy)
  }

  private var remedy: String {
    switch self {
    case .logBin:
      "add log_bin=mysql-bin and a server_id to my.cnf below [mysqld] and restart the server"
    case .format, .rowImage, .rowMetadata, .rowValueOptions:
      "run SET GLOBAL \(rawValue) = '\(wanted)'; and add \(rawValue)=\(wanted) to my.cnf below [mysqld]"
    }
  }
}

extension SourceConnection {
  /// Checks that the binlog holds every change and that the user may read it, by four statements that look at
  /// no table.
  ///
  /// - Returns: what could be better.
  /// - Throws: ``SourceError`` with code `settings` or `permission` for the first thing that is missing, with the
  ///   statement that mends it.
  @discardableResult
  public func checkSettings() throws(SourceError) -> [SourceWarning] {
    let values = try variables(Setting.allCases.map(\.rawValue) + Self.logsUpdatesNames)
    var warnings: [SourceWarning] = []
    for setting in Setting.allCases {
      if let warning = try setting.check(values[setting.rawValue]) { warnings.append(warning) }
    }
    try checkThatNothingIsLeftOut(values)
    try checkReplicationPrivilege()
    return warnings
  }

  /// The variable that has a replica write what it replicates, by its old name and its new one.
  static let logsUpdatesNames = ["log_slave_updates", "log_replica_updates"]

  private func checkThatNothingIsLeftOut(_ values: [String: String]) throws(SourceError) {
    let status = try binlogStatus()
    let systemSchemas = TableFilter.systemDatabases
    let ignored = status.ignored.split(separator: ",").filter {
      !systemSchemas.contains(String($0).lowercased())
    }
    guard status.only.isEmpty, ignored.isEmpty else {
      throw SourceError(
        .settings, "the source leaves databases out of its binlog (binlog_do_db, binlog_ignore_db)",
        advice: "remove these options from my.cnf and restart the server")
    }
    if let name = Self.logsUpdatesNames.first(where: { Self.isOff(values[$0]) }), try isReplica() {
      throw SourceError(
        .settings,
        "the source is a replica that leaves what it replicates out of its binlog (\(name) is OFF)",
        advice: "add \(name)=ON to my.cnf below [mysqld] and restart the server, "
          + "or name its primary as the source")
    }
  }

  private static func isOff(_ value: String?) -> Bool { value == "OFF" || value == "0" }

  /// Whether the server replicates from another; false also when the user may not know.
  private func isReplica() throws(SourceError) -> Bool {
    for statement in isMariaDB
      ? ["SHOW ALL SLAVES STATUS"] : ["SHOW REPLICA STATUS", "SHOW SLAVE STATUS"]
    {
      do throws(SourceError) {
        return try !query(statement).isEmpty
      } catch {
        // MySQL has had the first form since 8.0.22 and has had only that since 8.4.
        guard error.code == .permission || error.number == 1064 else { throw error }
      }
    }
    return false
  }

  private func checkReplicationPrivilege() throws(SourceError) {
    let grants = try query("SHOW GRANTS").compactMap { row in
      row.first?.map { Self.text($0).uppercased() }
    }
    let suffices = grants.contains { grant in
      // A role may hold the privilege without being spelled out here; then opening the binlog tells.
      guard let target = grant.firstRange(of: " ON ") else { return true }
      guard grant[target.upperBound...].hasPrefix("*.* ") else { return false }
      return ["ALL PRIVILEGES", "REPLICATION SLAVE", "REPLICATION REPLICA"].contains {
        grant[..<target.lowerBound].contains($0)
      }
    }
    if !suffices {
      throw SourceError(
        .permission, "\(url.user) may not read the binlog of \(url.firstAddress)",
        advice: "run GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO that user")
    }
  }
}
