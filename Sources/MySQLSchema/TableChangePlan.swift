/// What an ALTER TABLE statement makes of a table and of the rows that are in it.
public struct TableChangePlan: Hashable, Sendable {
  /// Where the values of a column come from.
  public enum ColumnSource: Hashable, Sendable {
    /// The values of the column at this index before the statement. The copy's own values serve: at
    /// most they need a wider type or, for BINARY(n), more zero bytes at the end.
    case column(Int)
    /// The same for every row, in the form of ``ColumnDefault/literal(_:)``; nil is NULL.
    case value(text: [UInt8]?)
  }

  public enum Rows: Hashable, Sendable {
    /// The columns, as they are stored, and the key are the same.
    case unchanged
    /// For each column after the statement where its values come from.
    case converted([ColumnSource])
    /// Only the source can tell the values: the table has to be copied anew.
    case unknown(reason: String)
  }

  /// The table after the statement.
  public var schema: TableSchema
  public var rows: Rows
}

extension TableSchema {
  /// The table after an ALTER TABLE statement.
  ///
  /// - Throws: When the statement holds a change that is not understood, or that contradicts this
  ///   schema.
  public func applying(_ alteration: AlterTable) throws(SQLSyntaxError) -> TableSchema {
    try plan(alteration).schema
  }

  /// What an ALTER TABLE, CREATE INDEX or DROP INDEX statement, which succeeded at the source,
  /// makes of this table and its rows.
  ///
  /// `isStrict` says whether the session that ran it had STRICT_TRANS_TABLES or STRICT_ALL_TABLES
  /// in its `sql_mode`: NULL then never becomes another value.
  ///
  /// - Throws: When the statement holds a change that is not understood, or that contradicts this
  ///   schema.
  public func plan(_ alteration: AlterTable, isStrict: Bool = false) throws(SQLSyntaxError)
    -> TableChangePlan
  {
    guard !isSystemVersioned || alteration.changes.allSatisfy(\.leavesColumns) else {
      throw SQLSyntaxError(reason: "a change of a system-versioned table", offset: 0)
    }
    var editor = TableEditor(self)
    try editor.apply(alteration.changes)
    var schema = editor.schema
    if let newName = alteration.newName { schema.rename(to: newName) }
    let planner = RowPlanner(
      old: self, new: schema, editor: editor, isStrict: isStrict && !alteration.ignoresErrors)
    return TableChangePlan(schema: schema, rows: planner.rows(for: alteration))
  }
}

/// Decides what is known of the rows after a change.
private struct RowPlanner {
  let old: TableSchema
  let new: TableSchema
  let editor: TableEditor
  let isStrict: Bool

  private enum Source {
    case known(TableChangePlan.ColumnSource)
    case unknown(String)
  }

  func rows(for alteration: AlterTable) -> TableChangePlan.Rows {
    if alteration.changesRows { return .unknown(reason: "rows came or went with the statement") }
    if alteration.ignoresErrors, editor.addsUniqueKey {
      return .unknown(reason: "ALTER IGNORE may have removed rows")
    }
    if new.storageEngine != old.storageEngine, !keepsRows(new.storageEngine) {
      return .unknown(reason: "storage engine \(new.storageEngine ?? "")")
    }
    var sources: [TableChangePlan.ColumnSource] = []
    for slot in editor.slots {
      switch source(of: slot) {
      case .known(let source): sources.append(source)
      case .unknown(let reason): return .unknown(reason: "column \(slot.column.name): \(reason)")
      }
    }
    return isUnchanged(sources) ? .unchanged : .converted(sources)
  }

  private func keepsRows(_ engine: String?) -> Bool {
    ["innodb", "myisam", "aria", "rocksdb", "tokudb", "ndb", "ndbcluster"].contains(
      engine?.lowercased() ?? "innodb")
  }

  private func isUnchanged(_ sources: [TableChangePlan.ColumnSource]) -> Bool {
    guard new.columns.count == old.columns.count, new.primaryKey == old.primaryKey,
      new.primaryKeyHasPrefix == old.primaryKeyHasPrefix
    else { return false }
    return zip(old.columns, new.columns).enumerated().allSatisfy { index, columns in
      let (old, new) = columns
      return sources[index] == .column(index) && old.name == new.name
        && old.isNullable == new.isNullable && isStoredAlike(old.type, new.type)
    }
  }

  /// Whatever its charset, the copy keeps text in UTF-8.
  private func isStoredAlike(_ old: ColumnType, _ new: ColumnType) -> Bool {
    if case .string = old, case .string = new { return true }
    return old == new
  }

  private func source(of slot: TableEditor.Slot) -> Source {
    guard let index = slot.oldIndex else { return sourceOfNew(slot) }
    let oldColumn = old.columns[index]
    if slot.definition != nil, slot.column.isGenerated || oldColumn.isGenerated {
      return .unknown("its expression may have changed")
    }
    if oldColumn.isGenerated, baseChanges {
      return .unknown("it is generated from columns that changed")
    }
    // Zeros get numbers when a column becomes an AUTO_INCREMENT.
    if slot.column.isAutoIncrement, !oldColumn.isAutoIncrement {
      return .unknown("it became an AUTO_INCREMENT")
    }
    let mayRefuseNull = !slot.column.isNullable || slot.definition?.isImplicitTimestamp == true
    if oldColumn.isNullable, mayRefuseNull, !isStrict || becomesNow(slot.column) {
      return .unknown("NULLs may have become another value")
    }
    if slot.definition == nil, editor.convertedCharset == nil { return .known(.column(index)) }
    let conversion = ColumnConversion(old: oldColumn, new: slot.column, isStrict: isStrict)
    return conversion.reasonNotToKeep.map(Source.unknown) ?? .known(.column(index))
  }

  /// Instead of NULL a TIMESTAMP takes the time of the statement, strict or not.
  private func becomesNow(_ column: Column) -> Bool {
    if case .timestamp = column.type { true } else { false }
  }

  private func sourceOfNew(_ slot: TableEditor.Slot) -> Source {
    let column = slot.column
    if column.isGenerated { return .unknown("it is generated") }
    if column.isAutoIncrement { return .unknown("it is an AUTO_INCREMENT") }
    if slot.definition?.isImplicitTimestamp == true {
      return .unknown("its default depends on explicit_defaults_for_timestamp")
    }
    switch column.default {
    case .literal(let text): return .known(.value(text: text))
    case .expression: return .unknown("its default is an expression")
    case .null where column.isNullable: return .known(.value(text: nil))
    case .null, .none:
      guard let text = column.type.implicitValue else {
        return .unknown("servers differ in the value of a \(column.type) without a default")
      }
      return .known(.value(text: text))
    }
  }

  /// Whether a column that is not generated may print its values otherwise than before.
  private var baseChanges: Bool {
    editor.convertedCharset != nil
      || editor.slots.contains { slot in
        guard slot.definition != nil, let index = slot.oldIndex else { return false }
        return slot.column.type != old.columns[index].type || !slot.column.type.determinesText
      }
  }
}

extension ColumnType {
  /// What the server puts into a NOT NULL column without a default, for rows that are there when the
  /// column is added and for rows that are inserted without it, in the form of
  /// ``ColumnDefault/literal(_:)``; nil where MySQL and MariaDB differ.
  public var implicitValue: [UInt8]? {
    switch self {
    case .integer, .float, .double, .set: Array("0".utf8)
    case .decimal(_, let scale):
      Array("0".utf8) + (scale > 0 ? [UInt8(ascii: ".")] : [])
        + [UInt8](repeating: UInt8(ascii: "0"), count: scale)
    case .bit(let width): [UInt8](repeating: 0, count: (width + 7) / 8)
    case .date: Array("0000-00-00".utf8)
    case .datetime(let digits), .timestamp(let digits):
      Array(TemporalText.zeroDatetime(digits).utf8)
    case .time(let digits): Array(("00:00:00" + TemporalText.zeroFraction(digits)).utf8)
    case .year: Array("0000".utf8)
    case .string, .bytes: []
    case .binary(let length): [UInt8](repeating: 0, count: length)
    case .enumeration: Array("1".utf8)
    case .inet4: Array("0.0.0.0".utf8)
    case .inet6: Array("::".utf8)
    case .uuid: Array("00000000-0000-0000-0000-000000000000".utf8)
    case .json, .geometry, .vector: nil
    }
  }

  /// Whether two columns of this type print the same value in the same way.
  fileprivate var determinesText: Bool {
    switch self {
    case .bit, .date, .datetime, .timestamp, .time, .binary, .enumeration, .set, .inet4, .inet6,
      .uuid, .bytes:
      true
    // ZEROFILL, decimals and CHAR's spaces are not in the type.
    case .integer, .float, .double, .decimal, .year, .string, .json, .geometry, .vector: false
    }
  }
}
