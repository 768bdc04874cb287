import MagicCore

/// Divides a table into key ranges by what the engine keeps in its primary index, so no rows are
/// read.
///
/// Whatever the bounds are, every row lies in one range: the key's expressions have a value for every
/// row, null and NaN included, and a bound is written the same in both ranges that it divides.
struct KeyRanges {
  /// One of the first expressions of the key.
  private struct Part {
    /// The expression as SQL, without nulls and NaN.
    let key: String
    /// The same over the columns of the index.
    let indexed: String
    /// An expression for the text of a literal.
    let literal: String
    /// Makes SQL of that text.
    let sql: @Sendable (String) -> String
  }

  /// The engine's code when a column of the key is called like one of the index's own.
  private static let nameIsTaken = 44

  /// The tables whose indices are read.
  let sources: [TableReference]
  /// The key's expressions, as SQL.
  let key: [String]

  /// The ranges; one without bounds when the key does not divide the rows.
  func ranges(into count: Int, on connection: any EngineConnection) async throws -> [KeyRange] {
    var parts: [Part] = []
    var best = [KeyRange()]
    for (expression, column) in zip(key, try await indexColumns(on: connection)) {
      guard let part = Self.part(expression, column) else { break }
      parts.append(part)
      let ranges = try await ranges(by: parts, into: count, on: connection)
      let total = ranges.reduce(0) { $0 + $1.rowCount }
      let largest = ranges.map(\.rowCount).max() ?? 0
      if parts.count == 1 || largest < best.map(\.rowCount).max() ?? 0 { best = ranges }
      // More of the key makes conditions longer.
      if largest <= 2 * max(total / count, 1) { break }
    }
    return best
  }

  private func indexColumns(on connection: any EngineConnection) async throws -> [TableColumn] {
    guard let source = sources.first else { return [] }
    do {
      return try await connection.texts("DESCRIBE TABLE \(index(source))").dropFirst(3)
        .map { TableColumn(name: $0[0], type: $0[1]) }
    } catch let error as EngineError where error.code == Self.nameIsTaken {
      return []
    }
  }

  private func index(_ table: TableReference) -> String {
    "mergeTreeIndex(\(quotedString(table.database)), \(quotedString(table.table)))"
  }

  private func ranges(
    by parts: [Part], into count: Int, on connection: any EngineConnection
  ) async throws -> [KeyRange] {
    let keys = parts.indices.map { "k\($0)" }.joined(separator: ", ")
    let marks = sources.map { source in
      let columns = parts.enumerated().map { "\($1.indexed) AS k\($0)" }.joined(separator: ", ")
      return "SELECT \(columns), rows_in_granule FROM \(index(source))"
    }.joined(separator: " UNION ALL ")
    let literals = parts.enumerated().map { index, part in
      "argMin(\(part.literal.replacing("?", with: "k\(index)")), (\(keys)))"
    }.joined(separator: ", ")
    let rows = try await connection.texts(
      """
      SELECT toString(sum(r)), \(literals) FROM (SELECT \(keys), r, \
      sum(r) OVER (ORDER BY \(keys) ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - r AS before, \
      sum(r) OVER () AS total FROM (SELECT \(keys), sum(rows_in_granule) AS r FROM (\(marks)) \
      GROUP BY \(keys) HAVING r > 0)) \
      GROUP BY toUInt64(toUInt128(before) * \(count) / total) AS part ORDER BY part
      """)
    let expressions = parts.map(\.key)
    let bounds = rows.dropFirst().map { row in
      zip(parts, row.dropFirst()).map { $0.sql($1) }
    }
    guard !bounds.isEmpty else {
      return [KeyRange(rowCount: rows.first.flatMap { Int($0[0]) } ?? 0)]
    }
    return rows.enumerated().map { index, row in
      KeyRange(
        key: expressions, lower: index == 0 ? nil : bounds[index - 1],
        upper: index == bounds.count ? nil : bounds[index], rowCount: Int(row[0]) ?? 0)
    }
  }

  // MARK: Types

  /// - Returns: nil for a type whose values are not divided.
  private static func part(_ expression: String, _ column: TableColumn) -> Part? {
    let type = TypeText(column.type)
    guard let (literal, sql) = literal(of: type) else { return nil }
    func total(_ expression: String) -> String {
      var result = expression
      if type.isNullable {
        result = "ifNull(\(result), defaultValueOfTypeName(\(quotedString(type.text))))"
      }
      if type.name.hasPrefix("Float") { result = "if(isNaN(\(result)), 0, \(result))" }
      return result
    }
    return Part(
      key: total(expression), indexed: total(quotedIdentifier(column.name)), literal: literal,
      sql: sql)
  }

  /// An expression for a literal's text, in which `?` is the value, and how SQL writes it.
  private static func literal(
    of type: TypeText
  ) -> (text: String, sql: @Sendable (String) -> String)? {
    let target = quotedString(type.text)
    switch type.name {
    case "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64":
      return ("toString(?)", { $0 })
    case "Int128", "Int256", "UInt128", "UInt256", "Float32", "Float64", "Bool", "Decimal", "UUID",
      "IPv4", "IPv6", "Date", "Date32", "Enum8", "Enum16":
      return ("toString(?)", { "CAST(\(quotedString($0)), \(target))" })
    case "String": return ("hex(?)", { text(ofHex: $0) })
    case "FixedString": return ("hex(?)", { "CAST(unhex('\($0)'), \(target))" })
    case "DateTime":
      return ("toString(toUnixTimestamp(?))", { "CAST(\($0), \(target))" })
    case "DateTime64":
      // Its text would not tell the two hours apart that a clock shows twice.
      let decimal = quotedString("Decimal(38, \(type.number(0) ?? 3))")
      return (
        "toString(CAST(?, \(decimal)))",
        { "CAST(CAST(\(quotedString($0)), \(decimal)), \(target))" }
      )
    default: return nil
    }
  }

  private static func text(ofHex hex: String) -> String {
    let digits = Array(hex.utf8)
    let bytes = stride(from: 0, to: digits.count - 1, by: 2).compactMap {
      UInt8(String(decoding: digits[$0...($0 + 1)], as: UTF8.self), radix: 16)
    }
    let isPlain = bytes.allSatisfy { (0x20...0x7E).contains($0) }
    return isPlain ? quotedString(String(decoding: bytes, as: UTF8.self)) : "unhex('\(hex)')"
  }
}

extension MutableTable {
  /// The tables that a reader of a commit point reads.
  func storage(at commit: UInt64) -> [StorageName] {
    (generations.last { $0.from <= commit } ?? generations[0]).storageNames
  }
}

extension StatementPath {
  public func split(
    _ name: TableReference, into count: Int, at commitPoint: CommitPin?
  ) async throws -> [KeyRange] {
    guard count > 0 else {
      throw EngineError(message: "a table is divided into 1 part or more, not \(count)")
    }
    // What the pin reads is not dropped meanwhile.
    let pin = commitPoint ?? self.pin()
    let ranges = try await tables.storage.withConnection { connection in
      guard let ranges = try await keyRanges(of: name, at: pin, on: connection) else {
        return [KeyRange()]
      }
      return try await ranges.ranges(into: count, on: connection)
    }
    withExtendedLifetime(pin) {}
    return ranges
  }

  /// - Returns: nil for what has no primary index.
  private func keyRanges(
    of name: TableReference, at pin: CommitPin, on connection: any EngineConnection
  ) async throws -> KeyRanges? {
    // What was altered or dropped since is not divided.
    if let view = tables.storage.past.views(at: pin.point.commit, lasting: pin.lasting).views[name]
    {
      guard view.owner?.kind == .kept, let kept = view.storage.first else { return nil }
      return KeyRanges(
        sources: [kept.reference], key: try await TableShape.read(kept, on: connection).key)
    }
    if let table = tables.table(name) {
      return KeyRanges(
        sources: await table.storage(at: pin.point.commit).map(\.reference),
        key: await table.shape.key)
    }
    let rows = try await connection.texts(
      """
      SELECT engine, primary_key FROM system.tables WHERE \
      database = \(quotedString(name.database)) AND name = \(quotedString(name.table))
      """)
    guard let row = rows.first else {
      throw EngineError(code: 60, message: "there is no table \(name)")
    }
    guard row[0].hasSuffix("MergeTree"), !row[1].isEmpty else { return nil }
    return KeyRanges(sources: [name], key: splitAtCommas(row[1]))
  }
}
