/// One of the changes that an ALTER TABLE statement makes to columns, key and charset.
enum TableChange: Hashable, Sendable {
  enum Position: Hashable, Sendable {
    case first
    case after(String)
  }

  typealias NewColumn = TableDefinition.ColumnDefinition

  case add(NewColumn, Position?, ifNotExists: Bool)
  /// Gives the column of this name another definition, and perhaps another name and place.
  case modify(String, NewColumn, Position?, ifExists: Bool)
  case drop(String, ifExists: Bool)
  case rename(String, String, ifExists: Bool)
  case setInvisible(String, Bool)
  case primaryKey([TableDefinition.KeyPart])
  case dropPrimaryKey
  case setDefaultCharset(String)
  case convertCharset(String)
  case setEngine(String)
  case notUnderstood(String)
}

extension TableSchema {
  /// The table after an ALTER TABLE statement.
  ///
  /// - Throws: When the statement holds a change that is not understood, or that contradicts this schema.
  public func applying(_ alteration: AlterTable) throws(SQLSyntaxError) -> TableSchema {
    guard !isSystemVersioned || alteration.changes.isEmpty else {
      throw SQLSyntaxError(reason: "a change of a system-versioned table", offset: 0)
    }
    var editor = TableEditor(self)
    try editor.apply(alteration.changes)
    var schema = editor.schema
    schema.name = alteration.newName ?? name
    return schema
  }
}

/// Applies changes as the server does: old names are those before the statement, places those after
/// it.
private struct TableEditor {
  private struct Slot {
    /// The column's name before the statement; nil for a new column.
    var oldName: String?
    var column: Column
  }

  private var base: TableSchema
  private var slots: [Slot]
  /// The new columns and moved ones, in the order of the statement.
  private var pending: [(slot: Slot, position: TableChange.Position?)] = []
  /// The columns of the key that the table has, by their names before the statement.
  private var oldKey: [String]
  /// The key that the statement adds.
  private var newKey: [TableDefinition.KeyPart]?

  init(_ schema: TableSchema) {
    base = schema
    slots = schema.columns.map { Slot(oldName: $0.name, column: $0) }
    oldKey = schema.primaryKey.map { schema.columns[$0].name }
  }

  var schema: TableSchema { base }

  mutating func apply(_ changes: [TableChange]) throws(SQLSyntaxError) {
    // The charset decides on every column that the statement defines, wherever it stands in it.
    for change in changes { applyToTable(change) }
    for change in changes { try applyToColumns(change) }
    for change in pending { try place(change.slot, at: change.position) }
    try finish()
  }

  // MARK: The table

  private mutating func applyToTable(_ change: TableChange) {
    switch change {
    case .setDefaultCharset(let charset): base.defaultCharset = charset
    case .convertCharset(let charset):
      base.defaultCharset = charset
      for index in slots.indices {
        if case .string = slots[index].column.type {
          slots[index].column.type = .string(charset: charset)
        }
      }
    case .setEngine(let engine): base.storageEngine = engine
    case .dropPrimaryKey:
      oldKey = []
      base.primaryKeyHasPrefix = false
    case .primaryKey(let parts): newKey = parts
    case .add, .modify, .drop, .rename, .setInvisible, .notUnderstood: break
    }
  }

  // MARK: Columns

  private mutating func applyToColumns(_ change: TableChange) throws(SQLSyntaxError) {
    switch change {
    case .add(let definition, let position, let ifNotExists):
      if ifNotExists, slots.contains(where: { same($0.column.name, definition.name) }) { return }
      pending.append((Slot(oldName: nil, column: try column(definition)), position))
    case .modify(let name, let definition, let position, let ifExists):
      guard let index = try index(ofOld: name, ifExists: ifExists) else { return }
      slots[index].column = try column(definition)
      guard let position else { return }
      pending.append((slots.remove(at: index), position))
    case .drop(let name, let ifExists):
      guard let index = try index(ofOld: name, ifExists: ifExists) else { return }
      slots.remove(at: index)
    case .rename(let old, let new, let ifExists):
      guard let index = try index(ofOld: old, ifExists: ifExists) else { return }
      slots[index].column.name = new
    case .setInvisible(let name, let isInvisible):
      slots[try unwrap(index(ofOld: name, ifExists: false), name)].column.isInvisible = isInvisible
    case .notUnderstood(let what):
      throw SQLSyntaxError(reason: "unknown change of a table: \(what)", offset: 0)
    case .primaryKey, .dropPrimaryKey, .setDefaultCharset, .convertCharset, .setEngine: break
    }
  }

  private mutating func column(_ definition: TableChange.NewColumn) throws(SQLSyntaxError)
    -> Column
  {
    if definition.isPrimaryKey { newKey = [TableDefinition.KeyPart(name: definition.name)] }
    return try definition.column(defaultCharset: base.defaultCharset)
  }

  private mutating func place(_ slot: Slot, at position: TableChange.Position?)
    throws(SQLSyntaxError)
  {
    switch position {
    case nil: slots.append(slot)
    case .first: slots.insert(slot, at: 0)
    case .after(let name):
      let index = try unwrap(slots.firstIndex { same($0.column.name, name) }, name)
      slots.insert(slot, at: index + 1)
    }
  }

  private func index(ofOld name: String, ifExists: Bool) throws(SQLSyntaxError) -> Int? {
    let index = slots.firstIndex { $0.oldName.map { same($0, name) } == true }
    return ifExists ? index : try unwrap(index, name)
  }

  // MARK: The result

  private mutating func finish() throws(SQLSyntaxError) {
    base.columns = slots.map(\.column)
    var names: Set<String> = []
    for column in base.columns where !names.insert(column.name.lowercased()).inserted {
      throw SQLSyntaxError(reason: "column \(column.name) is declared twice", offset: 0)
    }
    guard !base.columns.isEmpty else {
      throw SQLSyntaxError(reason: "a table without columns", offset: 0)
    }
    if let newKey {
      base.primaryKey = try newKey.map { (part) throws(SQLSyntaxError) in
        try unwrap(base.columnIndex(part.name), part.name)
      }
      base.primaryKeyHasPrefix = newKey.contains(where: \.hasPrefix)
    } else {
      // A dropped column leaves the key.
      base.primaryKey = oldKey.compactMap { name in slots.firstIndex { $0.oldName == name } }
      if base.primaryKey.isEmpty { base.primaryKeyHasPrefix = false }
    }
    for index in base.primaryKey { base.columns[index].isNullable = false }
  }

  private func unwrap(_ index: Int?, _ column: String) throws(SQLSyntaxError) -> Int {
    guard let index else {
      throw SQLSyntaxError(reason: "unknown column \(column)", offset: 0)
    }
    return index
  }
}

private func same(_ left: String, _ right: String) -> Bool {
  left == right || left.lowercased() == right.lowercased()
}
