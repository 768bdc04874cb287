import MagicCore

/// What a mutable table's rows look like: its visible columns and the key that identifies a row.
struct TableShape: Hashable, Sendable {
  struct Column: Hashable, Sendable {
    var name: String
    /// As ClickHouse prints it.
    var type: String
    /// Whether the key's expressions use it.
    var isInKey: Bool
  }

  /// The visible columns in their order.
  var columns: [Column]
  /// The expressions of the sorting key, as ClickHouse prints them.
  var key: [String]
  /// Their types.
  var keyTypes: [String]

  /// Whether rows are identified by ``HiddenColumn/row``, and by nothing that users see.
  var isKeyless: Bool { key == [HiddenColumn.row] || hasContents }

  /// Whether rows are sorted by a hash of their values before that.
  var hasContents: Bool { key == HiddenColumn.identifying }

  /// The visible columns' names, quoted and separated by commas.
  var columnList: String { columns.map { quotedIdentifier($0.name) }.joined(separator: ", ") }

  /// ``columnList`` and the column that identifies a row, in a table without key.
  var storedColumnList: String { isKeyless ? "\(columnList), \(keyList)" : columnList }

  /// The columns that the key's expressions use, quoted and separated by commas.
  var keyColumnList: String {
    isKeyless
      ? keyList
      : columns.filter(\.isInKey).map { quotedIdentifier($0.name) }.joined(separator: ", ")
  }

  /// The values for ``storedColumnList`` of a row in a stage whose version is called `version`.
  func storedValues(version: String) -> String {
    guard isKeyless else { return columnList }
    return "\(columnList), if(\(HiddenColumn.row) = 0, \(version), \(HiddenColumn.row))"
  }

  /// The value of ``HiddenColumn/contents``: rows have the same one when they have the same values,
  /// bit for bit.
  var contents: String {
    // The hash of a null would be null.
    let values = columns.map { column in
      let name = quotedIdentifier(column.name)
      guard let plain = Self.withoutNull(column.type) else { return name }
      let missing = "defaultValueOfTypeName(\(quotedString(plain)))"
      return "isNull(\(name)), ifNull(\(name), \(missing))"
    }
    return "reinterpretAsUInt128(sipHash128(\(values.joined(separator: ", "))))"
  }

  /// The key's expressions as a `SELECT` or `BY` list.
  var keyList: String { key.joined(separator: ", ") }

  /// The key as a list of values of which none is null, for comparisons: `IN` never finds a null.
  var comparedKeyList: String {
    zip(key, keyTypes).map { expression, type in
      guard let plain = Self.withoutNull(type) else { return expression }
      let missing = "defaultValueOfTypeName(\(quotedString(plain)))"
      return "isNull(\(expression)), ifNull(\(expression), \(missing))"
    }.joined(separator: ", ")
  }

  /// The key as one value, for `IN`.
  var comparedKey: String {
    key.count == 1 && Self.withoutNull(keyTypes[0]) == nil ? key[0] : "(\(comparedKeyList))"
  }

  /// The type of the values that are not null; nil when all are.
  private static func withoutNull(_ type: String) -> String? {
    for prefix in ["Nullable(", "LowCardinality(Nullable("] where type.hasPrefix(prefix) {
      return String(type.dropFirst(prefix.count).dropLast(prefix.filter { $0 == "(" }.count))
    }
    return nil
  }
}

extension TableShape {
  /// Reads a storage table's shape from the engine.
  ///
  /// - Throws: ``EngineError`` when there is no such table.
  static func read(
    _ name: StorageName, on connection: any EngineConnection
  ) async throws -> TableShape {
    let columns = try await connection.texts(
      """
      SELECT name, type, if(is_in_sorting_key, '1', '0') FROM system.columns \
      WHERE \(name.isNamed(by: "table")) \
      AND name NOT IN (\(HiddenColumn.stored.map(quotedString).joined(separator: ", "))) \
      ORDER BY position
      """
    ).map { Column(name: $0[0], type: $0[1], isInKey: $0[2] == "1") }
    let keys = try await connection.texts(
      "SELECT sorting_key FROM system.tables WHERE \(name.isNamed(by: "name"))")
    guard let key = keys.first?.first, !columns.isEmpty else {
      throw EngineError(message: "the storage table \(name) is missing")
    }
    return TableShape(
      columns: columns, key: splitAtCommas(key),
      keyTypes: try await keyTypes(of: key, in: name, on: connection))
  }

  /// The types of key expressions.
  static func keyTypes(
    of key: String, in name: StorageName, on connection: any EngineConnection
  ) async throws -> [String] {
    if key.isEmpty { return [] }
    return try await connection.texts("DESCRIBE TABLE (SELECT \(key) FROM \(name))").map { $0[1] }
  }
}

/// The parts of a list of expressions.
func splitAtCommas(_ list: String) -> [String] {
  let text = SQLText(list)
  return text.split(text.tokens.indices, depth: 0).map { text.text($0) }
}
