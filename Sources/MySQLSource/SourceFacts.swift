import Binlog

/// How the source writes its binlog, for those who look after it.
public struct SourceFacts: Hashable, Sendable, Codable {
  /// The version as the server states it.
  public var version: String
  public var isMariaDB: Bool
  public var serverID: UInt32
  /// `ROW`, `MIXED` or `STATEMENT`; this and the next three are nil where the server has no such variable.
  public var binlogFormat: String?
  /// `FULL`, `MINIMAL`, …
  public var rowImage: String?
  /// `FULL`, `MINIMAL`, `NO_LOG`.
  public var rowMetadata: String?
  /// MySQL: empty or `PARTIAL_JSON`.
  public var rowValueOptions: String?
  /// MySQL's `gtid_mode`: `ON`, `OFF` and what lies between; nil on MariaDB, which always has GTIDs.
  public var gtidMode: String?
  /// MariaDB's `gtid_strict_mode`; nil on MySQL.
  public var isGTIDStrict: Bool?
  /// Whether the server writes what it replicates from another into its own binlog.
  public var logsReplicaUpdates: Bool
  /// After how many seconds the server may remove binlog files; nil when it does not by itself.
  public var binlogExpireSeconds: UInt64?
  /// See ``SourceServer/lowerCaseTableNames``.
  public var lowerCaseTableNames: Int

  /// - Parameter values: global variables by name.
  init(version: String, isMariaDB: Bool, values: [String: String]) {
    func isOn(_ name: String) -> Bool? { values[name].map { $0 == "ON" || $0 == "1" } }
    self.version = version
    self.isMariaDB = isMariaDB
    serverID = values["server_id"].flatMap(UInt32.init) ?? 0
    binlogFormat = values[Setting.format.rawValue]
    rowImage = values[Setting.rowImage.rawValue]
    rowMetadata = values[Setting.rowMetadata.rawValue]
    rowValueOptions = values[Setting.rowValueOptions.rawValue]
    gtidMode = values["gtid_mode"]
    isGTIDStrict = isOn("gtid_strict_mode")
    logsReplicaUpdates = SourceConnection.logsUpdatesNames.contains { isOn($0) == true }
    lowerCaseTableNames = values["lower_case_table_names"].flatMap { Int($0) } ?? 0
    if isOn("binlog_expire_logs_auto_purge") != false {
      let seconds = values["binlog_expire_logs_seconds"].flatMap { UInt64($0) } ?? 0
      // MariaDB has fractions of days.
      let days = values["expire_logs_days"].flatMap { Double($0) } ?? 0
      let limit = seconds > 0 ? seconds : UInt64(exactly: (days * 86400).rounded()) ?? 0
      binlogExpireSeconds = limit > 0 ? limit : nil
    }
  }

  static let variables =
    Setting.allCases.map(\.rawValue) + SourceConnection.logsUpdatesNames + [
      "server_id", "gtid_mode", "gtid_strict_mode", "lower_case_table_names",
      "binlog_expire_logs_auto_purge", "binlog_expire_logs_seconds", "expire_logs_days",
    ]
}

extension SourceConnection {
  /// Asks the server how it writes its binlog, by one statement that looks at no table.
  public func facts() throws(SourceError) -> SourceFacts {
    SourceFacts(
      version: serverVersion, isMariaDB: isMariaDB, values: try variables(SourceFacts.variables))
  }

  /// How many bytes of binlog lie between two places, in whichever files; `end` is the end of the
  /// binlog when nil.
  ///
  /// The server answers from its list of files and their sizes, without reading them; it holds the lock of that
  /// list meanwhile, so this is for once in some seconds and not for every transaction.
  ///
  /// - Returns: 0 when `end` does not lie behind `start`.
  /// - Throws: ``SourceError`` with code `purged` when `start` is not in the server's binlog, or not any more.
  public func binlogBytes(from start: BinlogPosition, to end: BinlogPosition? = nil)
    throws(SourceError) -> UInt64
  {
    var files: [(name: String, size: UInt64)] = []
    for row in try query("SHOW BINARY LOGS") where row.count >= 2 {
      guard let name = row[0], let size = row[1].flatMap({ UInt64(Self.text($0)) }) else {
        continue
      }
      files.append((Self.text(name), size))
    }
    guard let first = files.firstIndex(where: { $0.name == start.file }),
      start.offset <= files[first].size
    else {
      throw SourceError(
        .purged, "\(start) is not in the source's binlog: it was purged or reset",
        advice: "make a new copy, or keep the binlog longer (binlog_expire_logs_seconds)")
    }
    if let end, end < start { return 0 }
    var bytes: UInt64 = 0
    for (index, file) in files[first...].enumerated() {
      let isLast = file.name == end?.file
      let upTo = isLast ? end?.offset ?? file.size : file.size
      let from = index == 0 ? start.offset : 0
      bytes += upTo > from ? upTo - from : 0
      if isLast { break }
    }
    return bytes
  }
}
