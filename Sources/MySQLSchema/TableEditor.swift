/// Applies changes as the server does: old names are those before the statement, places those after
/// it.
struct TableEditor {
  struct Slot {
    /// The column's place before the statement; nil for a new column.
    var oldIndex: Int?
    var column: Column
    /// The definition that the statement gives the column.
    var definition: TableChange.NewColumn?
  }

  /// The table as it was.
  private let old: TableSchema
  private(set) var schema: TableSchema
  private(set) var slots: [Slot]
  /// Whether the statement makes a unique or primary key.
  private(set) var addsUniqueKey = false
  private(set) var convertedCharset: String?
  /// The columns that get a place, in the order of the statement. Until then a moved column stays
  /// where it was, so that others may be placed after it.
  private var pending: [(slot: Slot, position: TableChange.Position?)] = []
  /// The indices by the names of the columns before the statement.
  private var oldKeys: [TableKey]
  private var newKeys: [KeyDefinition] = []
  private var newForeignKeys: [ForeignKeyDefinition] = []
  /// The primary key that the statement adds.
  private var newPrimaryKey: [TableDefinition.KeyPart]?

  init(_ schema: TableSchema) {
    old = schema
    self.schema = schema
    slots = schema.columns.enumerated().map { Slot(oldIndex: $0, column: $1) }
    oldKeys = schema.keys ?? Self.primaryKeyAlone(of: schema)
  }

  /// The indices of a table of which nothing but the primary key is known.
  private static func primaryKeyAlone(of schema: TableSchema) -> [TableKey] {
    guard !schema.primaryKey.isEmpty else { return [] }
    let parts = schema.primaryKey.map {
      // How long a prefix is, is not known either.
      TableKey.Part(
        column: schema.columns[$0].name, prefixLength: schema.primaryKeyHasPrefix ? 1 : nil)
    }
    return [TableKey(name: TableKey.primaryName, isUnique: true, parts: parts)]
  }

  mutating func apply(_ changes: [TableChange]) throws(SQLSyntaxError) {
    // The charset decides on every column that the statement defines, wherever it stands in it.
    for change in changes { try applyToTable(change) }
    for change in changes { try applyToKeys(change) }
    for change in changes { try applyToColumns(change) }
    for change in changes { try applyToDefault(change) }
    for change in pending { try place(change.slot, at: change.position) }
    try finish()
  }

  // MARK: The table

  private mutating func applyToTable(_ change: TableChange) throws(SQLSyntaxError) {
    switch change {
    case .setDefaultCharset(let charset): schema.defaultCharset = charset
    case .convertCharset(let charset):
      schema.defaultCharset = charset
      convertedCharset = charset
      for index in slots.indices { try Self.convert(&slots[index].column, to: charset) }
    case .setEngine(let engine): schema.storageEngine = engine
    case .add, .modify, .drop, .rename, .setInvisible, .setDefault, .primaryKey, .dropPrimaryKey,
      .addKey, .dropKey, .renameKey, .addForeignKey, .dropForeignKey, .dropConstraint,
      .notUnderstood:
      break
    }
  }

  /// A TEXT becomes one that holds as many characters as before.
  private static func convert(_ column: inout Column, to charset: String) throws(SQLSyntaxError) {
    if case .enumeration(let members) = column.type { try check(members, in: charset) }
    if case .set(let members) = column.type { try check(members, in: charset) }
    guard case .string(let oldCharset) = column.type else { return }
    column.type = .string(charset: charset)
    guard let capacity = column.detail?.byteCapacity, let oldCharset else { return }
    let oldWidth = Charset.characterWidths(oldCharset).upperBound
    let newWidth = Charset.characterWidths(charset).upperBound
    guard newWidth > oldWidth else { return }
    column.detail?.byteCapacity = TypeDetail.longCapacity(holding: capacity / oldWidth * newWidth)
  }

  private static func check(_ members: [String], in charset: String) throws(SQLSyntaxError) {
    guard members.allSatisfy({ Charset.holds($0, in: charset) }) else {
      throw SQLSyntaxError(reason: "members that charset \(charset) may not have", offset: 0)
    }
  }

  // MARK: Keys

  private mutating func applyToKeys(_ change: TableChange) throws(SQLSyntaxError) {
    switch change {
    case .dropPrimaryKey: oldKeys.removeAll(where: \.isPrimary)
    case .primaryKey(let parts, let ifNotExists):
      if ifNotExists, oldKeys.contains(where: \.isPrimary) { return }
      newPrimaryKey = parts
    case .addKey(let key):
      newKeys.append(key)
      if key.isUnique { addsUniqueKey = true }
    case .dropKey(let name, let ifExists):
      guard let index = try index(ofKey: name, ifExists: ifExists) else { return }
      oldKeys.remove(at: index)
    case .renameKey(let old, let new, let ifExists):
      guard let index = try index(ofKey: old, ifExists: ifExists) else { return }
      oldKeys[index].name = new
    case .addForeignKey(let key): newForeignKeys.append(key)
    case .dropForeignKey(let name):
      schema.foreignKeys.removeAll { sameName($0.name, name) }
    case .dropConstraint(let name):
      schema.foreignKeys.removeAll { sameName($0.name, name) }
      oldKeys.removeAll { $0.isUnique && sameName($0.name, name) }
    case .add, .modify, .drop, .rename, .setInvisible, .setDefault, .setDefaultCharset,
      .convertCharset, .setEngine, .notUnderstood:
      break
    }
  }

  /// Nil when indices are not known.
  private func index(ofKey name: String, ifExists: Bool) throws(SQLSyntaxError) -> Int? {
    if let index = oldKeys.firstIndex(where: { sameName($0.name, name) }) { return index }
    guard ifExists || schema.keys == nil else {
      throw SQLSyntaxError(reason: "unknown index \(name)", offset: 0)
    }
    return nil
  }

  // MARK: Columns

  private mutating func applyToColumns(_ change: TableChange) throws(SQLSyntaxError) {
    switch change {
    case .add(let definition, let position, let ifNotExists):
      if ifNotExists, slots.contains(where: { sameName($0.column.name, definition.name) }) {
        return
      }
      pending.append((try slot(nil, definition), position))
    case .modify(let name, let definition, let position, let ifExists):
      guard let index = try index(ofOld: name, ifExists: ifExists) else { return }
      slots[index] = try slot(slots[index].oldIndex, definition)
      if let position { pending.append((slots[index], position)) }
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
    case .setDefault, .primaryKey, .dropPrimaryKey, .addKey, .dropKey, .renameKey,
      .addForeignKey, .dropForeignKey, .dropConstraint, .setDefaultCharset, .convertCharset,
      .setEngine:
      break
    }
  }

  /// A default that is set wins over the one of a definition in the same statement.
  private mutating func applyToDefault(_ change: TableChange) throws(SQLSyntaxError) {
    guard case .setDefault(let name, let clause, let ifExists) = change,
      let index = try index(ofOld: name, ifExists: ifExists)
    else { return }
    let column = slots[index].column
    let value = clause.normalized(for: column.type, column.detail ?? TypeDetail())
    slots[index].column.default = value == .none && column.isNullable ? .null : value
  }

  private mutating func slot(_ oldIndex: Int?, _ definition: TableChange.NewColumn)
    throws(SQLSyntaxError) -> Slot
  {
    if definition.isPrimaryKey { newPrimaryKey = [TableDefinition.KeyPart(name: definition.name)] }
    return Slot(
      oldIndex: oldIndex, column: try definition.column(defaultCharset: schema.defaultCharset),
      definition: definition)
  }

  private mutating func place(_ slot: Slot, at position: TableChange.Position?)
    throws(SQLSyntaxError)
  {
    var slot = slot
    if let oldIndex = slot.oldIndex,
      let place = slots.firstIndex(where: { $0.oldIndex == oldIndex })
    {
      slot = slots.remove(at: place)
    }
    switch position {
    case nil: slots.append(slot)
    case .first: slots.insert(slot, at: 0)
    case .after(let name):
      let index = try unwrap(slots.firstIndex { sameName($0.column.name, name) }, name)
      slots.insert(slot, at: index + 1)
    }
  }

  private func index(ofOld name: String, ifExists: Bool) throws(SQLSyntaxError) -> Int? {
    let index = slots.firstIndex { slot in
      slot.oldIndex.map { sameName(old.columns[$0].name, name) } == true
    }
    return ifExists ? index : try unwrap(index, name)
  }

  // MARK: The result

  private mutating func finish() throws(SQLSyntaxError) {
    schema.columns = slots.map(\.column)
    var names: Set<String> = []
    for column in schema.columns where !names.insert(column.name.lowercased()).inserted {
      throw SQLSyntaxError(reason: "column \(column.name) is declared twice", offset: 0)
    }
    guard !schema.columns.isEmpty else {
      throw SQLSyntaxError(reason: "a table without columns", offset: 0)
    }
    schema.keys = remainingKeys
    renameForeignKeyColumns()
    try finishKeys()
    // Slots tell what became of the columns, whose NULLs the key may have taken.
    for index in slots.indices { slots[index].column = schema.columns[index] }
  }

  private mutating func finishKeys() throws(SQLSyntaxError) {
    if let newPrimaryKey {
      addsUniqueKey = true
      let parts = try newPrimaryKey.map { (part) throws(SQLSyntaxError) in
        try schema.keyPart(part)
      }
      let key = TableKey(name: TableKey.primaryName, isUnique: true, parts: parts)
      schema.keys?.removeAll(where: \.isPrimary)
      schema.keys?.insert(key, at: 0)
    }
    schema.applyPrimaryKeyNullability()
    try schema.addForeignKeys(newForeignKeys)
    let isKnown = old.keys != nil
    if isKnown { try schema.addKeys(newKeys) }
    schema.chooseKey()
    // Without the other indices none of them can be told to be the first.
    if !isKnown { schema.keys = nil }
  }

  /// The indices that were there, with the names that columns have now; a dropped column leaves its
  /// indices.
  private var remainingKeys: [TableKey] {
    let columns = Dictionary(
      slots.compactMap { slot in slot.oldIndex.map { (old.columns[$0].name, slot.column) } },
      uniquingKeysWith: { first, _ in first })
    return oldKeys.compactMap { key in
      var key = key
      key.parts = key.parts.compactMap { part in
        guard let name = part.column else { return part }
        return columns[name].map { TableKey.Part(column: $0, prefixLength: part.prefixLength) }
      }
      return key.parts.isEmpty ? nil : key
    }
  }

  /// The columns that are still there, by their names before the statement.
  private var newNames: [String: String] {
    Dictionary(
      slots.compactMap { slot in
        slot.oldIndex.map { (old.columns[$0].name, slot.column.name) }
      }, uniquingKeysWith: { first, _ in first })
  }

  private mutating func renameForeignKeyColumns() {
    guard !schema.foreignKeys.isEmpty else { return }
    let names = newNames
    for index in schema.foreignKeys.indices {
      schema.foreignKeys[index].columns = schema.foreignKeys[index].columns.map { names[$0] ?? $0 }
    }
  }

  private func unwrap(_ index: Int?, _ column: String) throws(SQLSyntaxError) -> Int {
    guard let index else {
      throw SQLSyntaxError(reason: "unknown column \(column)", offset: 0)
    }
    return index
  }
}
