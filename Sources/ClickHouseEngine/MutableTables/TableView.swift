import MagicCore

/// The view that shows a mutable table, as the engine has it.
struct TableView {
  var name: TableReference
  var comment: String
  /// The storage tables that it reads; nil when that is not known, for a view that is still to be made.
  var references: Set<String>?

  /// All views that read storage, by whose storage it is. Of one table there are several only when a
  /// change of names was interrupted.
  static func readAll(
    on connection: any EngineConnection
  ) async throws -> [StorageOwner: [TableView]] {
    let rows = try await connection.texts(
      """
      SELECT database, name, comment, as_select FROM system.tables \
      WHERE engine = 'View' AND position(as_select, '\(StorageName.database).') > 0 \
      AND NOT startsWith(database, \(quotedString(PastTables.databasePrefix)))
      """)
    var views: [StorageOwner: [TableView]] = [:]
    for row in rows {
      let text = SQLText(row[3])
      var references: Set<String> = []
      for index in text.tokens.indices.dropLast(2)
      where text.identifier(index) == StorageName.database
        && text.isSymbol(index + 1, ".")
      {
        references.insert(text.identifier(index + 2) ?? "")
      }
      guard let owner = references.lazy.compactMap({ StorageName($0)?.owner }).first else {
        continue
      }
      views[owner, default: []].append(
        TableView(
          name: TableReference(database: row[0], table: row[1]), comment: row[2],
          references: references))
    }
    return views
  }
}
