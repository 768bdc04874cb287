import MagicCore

/// The engine's own databases, and what people who are no admins may read of them.
enum SystemTables {
  static let database = "system"
  static let informationSchema = "information_schema"

  /// Whether a database is the engine's, and the same for everybody.
  static func belongsToEngine(_ database: String) -> Bool {
    database == Self.database || isInformationSchema(database)
  }

  /// Whether a database is for admins only: the storage of mutable tables, and the service's own
  /// tables, in which all statements are.
  static func isHidden(_ database: String) -> Bool {
    database == "_magic" || database.hasPrefix("_magic_past_") || database == "magic"
  }

  private static func isInformationSchema(_ database: String) -> Bool {
    database == informationSchema || database == informationSchema.uppercased()
  }

  /// Whether a table of `system` may be read: it tells about the engine itself, or about tables, of
  /// which those are shown that the caller may see.
  static func isReadable(_ table: String) -> Bool {
    general.contains(table) || metadata[table] != nil
  }

  /// Whether a table tells about tables.
  static func isMetadata(database: String, table: String?) -> Bool {
    if isInformationSchema(database) { return true }
    return database == Self.database && table.flatMap { metadata[$0] } != nil
  }

  private static let general: Set<String> = [
    "aggregate_function_combinators", "codecs", "collations",
    "contributors", "current_roles", "data_skipping_index_types", "data_type_families",
    "database_engines", "dictionary_layouts", "dictionary_sources", "documentation",
    "enabled_roles", "formats", "functions", "keywords", "licenses",
    "merge_tree_settings", "numbers", "numbers_mt", "one", "primes", "settings",
    "settings_changes", "table_engines", "table_functions", "time_zones", "tokenizers", "unicode",
    "zeros", "zeros_mt",
  ]

  /// The tables that tell about tables, and the column that has the database.
  private static let metadata: [String: String] = [
    "columns": "database", "constraints": "database", "data_skipping_indices": "database",
    "databases": "name", "dictionaries": "database", "parts": "database",
    "parts_columns": "database", "projections": "database", "tables": "database",
    "view_refreshes": "database",
  ]

  /// The value of `additional_table_filters` that shows a caller his own databases only.
  static func filters(for caller: Caller) -> String {
    let entries = metadata.sorted { $0.key < $1.key }.map { table, column in
      "\(quotedString("system.\(table)")): \(quotedString(condition(on: column, for: caller)))"
    }
    return "{\(entries.joined(separator: ", "))}"
  }

  private static func condition(on column: String, for caller: Caller) -> String {
    let isShown =
      "\(column) NOT IN ('_magic', 'magic') AND NOT startsWith(\(column), '_magic_past_')"
    guard let databases = caller.databases else { return isShown }
    let own = [database, informationSchema, informationSchema.uppercased()]
    let patterns = databases.map { "\(column) LIKE \(quotedString(likePattern($0)))" }
    let names = own.map { "\(column) = \(quotedString($0))" }
    return "(\((names + patterns).joined(separator: " OR "))) AND \(isShown)"
  }

  /// A pattern of LIKE that matches what a pattern with `*` does.
  private static func likePattern(_ pattern: String) -> String {
    var result = ""
    for character in pattern {
      switch character {
      case "*": result += "%"
      case "%", "_", "\\": result += "\\\(character)"
      default: result.append(character)
      }
    }
    return result
  }
}
