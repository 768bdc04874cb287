import MagicCore

/// One way to read a table, for the commit points from `from` on.
struct Branch: Hashable, Sendable {
  var settled: StorageName
  var from: UInt64
  /// Young tables whose rows are not in `settled`, or not surely.
  var youngs: [StorageName]
}

/// The SQL that reads a mutable table. Pure: the same table in the same state gives the same text.
struct MutableView: Hashable, Sendable {
  var shape: TableShape
  /// Oldest first; each one holds until the next begins.
  var branches: [Branch]

  /// The commit point that the statement sees. The statement path sets it for every statement;
  /// what the engine runs by itself (refreshes, dictionaries) sees the last published one.
  static let commitPoint =
    "if(getSetting('\(commitPointSetting)') = 0, \(lastPublished), "
    + "getSetting('\(commitPointSetting)'))"
  /// An error until the tables are recovered: the engine may start a refresh before that.
  private static let lastPublished =
    "joinGet('\(publishedTable)', 'commit', toUInt8(1)) "
    + "+ throwIf(joinGet('\(publishedTable)', 'commit', toUInt8(1)) = 0, '\(notOpen)')"
  static let notOpen = "the tables are not open"
  /// An integer setting that nothing else here uses carries the commit point into views: it costs
  /// nothing, and is a constant when a statement is planned.
  static let commitPointSetting = "hdfs_replication"
  /// Holds the last published commit point, in memory.
  static let publishedTable = "\(StorageName.database).published"

  /// The SELECT of living rows, newest versions only.
  var livingRows: String { livingRows(columns: shape.columnList) }

  /// The same with the column that identifies a row of a table without key.
  var identifiedRows: String { livingRows(columns: shape.storedColumnList) }

  private func livingRows(columns: String) -> String {
    union { branch in
      let living = "SELECT \(columns) FROM \(branch.settled)"
      if branch.youngs.isEmpty { return [(living, nil)] }
      let young = Self.rows(
        of: branch.youngs, "\(shape.storedColumnList), \(Self.hidden)", upTo: Self.commitPoint)
      let keys = Self.rows(
        of: branch.youngs, shape.comparedKeyList, upTo: Self.commitPoint)
      return [
        (living, "\(shape.comparedKey) NOT IN (\(keys))"),
        (
          "SELECT \(columns) FROM (\(newest(of: young)))",
          "\(HiddenColumn.deleteMark) = 0"
        ),
      ]
    }
  }

  /// The SELECT of all stored rows with the hidden columns `version` and `mark`.
  var storedRows: String {
    let columns =
      "\(shape.storedColumnList), \(HiddenColumn.version), \(HiddenColumn.deleteMark)"
    return union { branch in
      // Rows that are being settled are in both.
      let young = Self.rows(
        of: branch.youngs, "\(shape.comparedKeyList), \(HiddenColumn.version)",
        upTo: Self.commitPoint)
      let once = "(\(shape.comparedKeyList), \(HiddenColumn.version)) NOT IN (\(young))"
      return [
        ("SELECT \(columns) FROM \(branch.settled)", branch.youngs.isEmpty ? nil : once)
      ]
        + branch.youngs.map { young in
          ("SELECT \(columns) FROM \(young)", "\(HiddenColumn.commit) <= \(Self.commitPoint)")
        }
    }
  }

  /// The newest version of every key among `rows`, a SELECT with all hidden columns.
  func newest(of rows: String) -> String {
    "SELECT * FROM (\(rows)) ORDER BY \(HiddenColumn.version) DESC, \(HiddenColumn.commit) DESC "
      + "LIMIT 1 BY \(shape.keyList)"
  }

  /// Rows of young tables up to a commit.
  static func rows(of youngs: [StorageName], _ columns: String, upTo commit: String) -> String {
    youngs.map { "SELECT \(columns) FROM \($0) WHERE \(HiddenColumn.commit) <= \(commit)" }
      .joined(separator: " UNION ALL ")
  }

  static let hidden =
    "\(HiddenColumn.version), \(HiddenColumn.deleteMark), \(HiddenColumn.commit)"

  /// The parts of every branch, each limited to the commit points that it is for.
  private func union(_ parts: (Branch) -> [(select: String, condition: String?)]) -> String {
    var selects: [String] = []
    for (index, branch) in branches.enumerated() {
      var limits: [String] = []
      if index > 0 { limits.append("\(Self.commitPoint) >= \(branch.from)") }
      if index + 1 < branches.count {
        limits.append("\(Self.commitPoint) < \(branches[index + 1].from)")
      }
      for part in parts(branch) {
        let conditions = limits + (part.condition.map { [$0] } ?? [])
        let condition = conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ")
        selects.append(part.select + condition)
      }
    }
    return selects.joined(separator: " UNION ALL ")
  }
}
