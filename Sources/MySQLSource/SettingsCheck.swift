import MySQLSchema

/// A setting that the server must have so that its binlog tells everything.
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

  /// Whether a value, or nil for a variable that the server does not have, is good.
  func accepts(_ value: String?) -> Bool {
    switch self {
    // Only MySQL has partial updates of JSON; a server without the variable writes whole values.
    case .rowValueOptions: (value ?? "").isEmpty
    case .logBin: value == "ON" || value == "1"
    case .format, .rowImage, .rowMetadata: value?.uppercased() == wanted
    }
  }

  /// What to tell the user when the server has another value.
  func error(found: String?, isMariaDB: Bool) -> SourceError {
    let message =
      found.map { "the source's \(rawValue) is \($0), not \(wanted.isEmpty ? "empty" : wanted)" }
      ?? "the source has no \(rawValue)"
    let fix =
      switch self {
      case .logBin:
        "add log_bin=mysql-bin and a server_id to my.cnf below [mysqld] and restart the server"
      case .rowMetadata where found == nil: "it needs MariaDB 10.5 or MySQL 8.0 or later"
      case .format, .rowImage, .rowMetadata, .rowValueOptions:
        "run SET GLOBAL \(rawValue) = '\(wanted)'; and add \(rawValue)=\(wanted) to my.cnf below [mysqld]"
      }
    return SourceError(.settings, message, advice: fix)
  }
}

extension SourceConnection {
  /// Checks that the binlog holds every change in full and that the user may read it.
  ///
  /// - Throws: ``SourceError`` with code `settings` or `permission` for the first thing that is missing, with the
  ///   statement that mends it.
  public func checkSettings() throws(SourceError) {
    let values = try variables(Setting.allCases.map(\.rawValue))
    for setting in Setting.allCases where !setting.accepts(values[setting.rawValue]) {
      throw setting.error(found: values[setting.rawValue], isMariaDB: isMariaDB)
    }
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
    try checkReplicationPrivilege()
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
        .permission, "\(url.user) may not read the binlog of \(url.address)",
        advice: "run GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO that user")
    }
  }
}
