import MagicCore

extension TableWrite {
  /// What right the write takes, and what it is called in the query log.
  var inspection: StatementInspection {
    var isDeclaration = whenExisting == .replace
    if case .create = whenMissing { isDeclaration = true }
    return StatementInspection(
      kind: isDeclaration ? .declare : .write, verb: action.rawValue.uppercased(),
      targets: [.init(database: table.database, table: table.table)],
      pattern: "\(action.rawValue.uppercased()) \(table)")
  }
}
