import Arrow
import MagicCore

/// Replicated tables that are made of others.
extension MutableTables {
  /// Where the key stays as it is, files are linked and altered, so that only the columns are written
  /// that change. Otherwise all rows are written anew.
  public func create(
    _ definition: TableDefinition, from old: TableDefinition, columns: [Int?],
    defaults: RecordBatch
  ) async throws {
    try Self.check(definition)
    guard definition.id != old.id else {
      throw EngineError(message: "\(definition.name) cannot be made of itself")
    }
    let source = try replicated(old)
    let owner = Self.owner(definition.id)
    try await dropStorage(of: owner)
    let copy = storage.stageName(of: owner)
    do {
      try await source.copyAll(to: copy)
      let reshaping = try Reshaping(
        definition, columns: columns, defaults: defaults, old: await source.shape)
      let settled = StorageName(
        owner, .settled(generation: firstGeneration(of: owner), from: 0))
      let table = try await storage.withConnection { connection in
        if reshaping.keepsOrder {
          try await connection.execute("SET alter_sync = 2, mutations_sync = 2")
          let computed = try await connection.texts(
            "SELECT name FROM system.columns WHERE \(copy.isNamed(by: "table")) "
              + "AND default_kind = 'DEFAULT'")
          for statement in reshaping.alterations(of: copy, computed: Set(computed.map { $0[0] })) {
            try await connection.execute(statement)
          }
          try await connection.execute("RENAME TABLE \(copy) TO \(settled)")
        } else {
          let stage = storage.stageName(of: owner)
          do {
            try await connection.execute(try Self.settledStatement(stage, definition))
            try await connection.execute(reshaping.insertion(into: stage, from: copy))
            try await connection.execute("RENAME TABLE \(stage) TO \(settled)")
          } catch {
            await storage.discard(stage)
            throw error
          }
        }
        return try await MutableTable.make(owner, settled, storage: storage, on: connection)
      }
      await add(table)
    } catch {
      await storage.discard(copy)
      throw error
    }
    await storage.discard(copy)
  }
}

extension MutableTable {
  /// Copies all published rows, settled, into a table of their own.
  fileprivate func copyAll(to copy: StorageName) async throws {
    try await settling.withLatch {
      try await latch.withLatch {
        if isRemoved { throw EngineError(code: 60, message: "the table was dropped meanwhile") }
        try await waitForCommits()
        try await storage.withConnection { connection in
          try await copySettled(
            to: copy, settling: current.youngs.filter { $0.rows > 0 }, on: connection)
        }
      }
    }
  }
}

/// How the rows of a table become those of another one.
struct Reshaping {
  private struct Column {
    var name: String
    var type: String
    /// The column whose values it takes; nil for a new one.
    var old: TableShape.Column?
    /// The value of a new one, as an expression of its type.
    var value: String?
  }

  private let columns: [Column]
  private let old: TableShape
  private let key: [String]
  /// Whether the rows can stay where they are.
  let keepsOrder: Bool

  /// - Parameter columns: see ``ChangeSink/create(_:from:columns:defaults:)``.
  /// - Throws: ``EngineError`` when these do not describe the table.
  init(
    _ definition: TableDefinition, columns positions: [Int?], defaults: RecordBatch,
    old: TableShape
  ) throws {
    let fields = definition.schema.fields
    guard positions.count == fields.count,
      positions.allSatisfy({ $0.map(old.columns.indices.contains) ?? true })
    else { throw EngineError(message: "\(definition.name): columns of another table") }
    let isComplete = defaults.rowCount == 1 && defaults.columns.count == fields.count
    var columns: [Column] = []
    for (index, field) in fields.enumerated() {
      var column = Column(
        name: field.name, type: try ColumnTypes.clickHouseType(of: field),
        old: positions[index].map { old.columns[$0] })
      if column.old == nil {
        guard isComplete else {
          throw EngineError(
            message: "\(definition.name): column \(field.name) is new, without a value")
        }
        column.value = try Self.value(defaults.columns[index], field, column.type)
      }
      columns.append(column)
    }
    self.columns = columns
    self.old = old
    key = definition.primaryKey.map { quotedIdentifier(fields[$0].name) }
    keepsOrder = Self.keepsOrder(
      columns, positions, definition.primaryKey.map { columns[$0] }, old)
  }

  private static func keepsOrder(
    _ columns: [Column], _ positions: [Int?], _ key: [Column], _ old: TableShape
  ) -> Bool {
    let taken = positions.compactMap(\.self)
    // The engine takes names with dots for parts of nested structures, which it does not rename.
    let changed =
      columns.filter { $0.name != $0.old?.name }.flatMap { [$0.name, $0.old?.name ?? ""] }
      + old.columns.indices.filter { !taken.contains($0) }.map { old.columns[$0].name }
    if changed.contains(where: { $0.contains(".") }) { return false }
    guard Set(taken).count == taken.count,
      columns.allSatisfy({ convertsInPlace($0.old?.type ?? $0.type, to: $0.type) })
    else { return false }
    if key.isEmpty {
      // The hash of a row's values stays, too.
      return old.hasContents && taken == Array(old.columns.indices)
        && taken.count == columns.count && columns.allSatisfy { $0.type == $0.old?.type }
    }
    return key.map { quotedIdentifier($0.name) } == old.key.map(Self.requoted)
      && key.allSatisfy { $0.name == $0.old?.name && $0.type == $0.old?.type }
  }

  /// A column's name in a sorting key, which the engine quotes only where it must.
  private static func requoted(_ expression: String) -> String {
    SQLText(expression).identifier(0).map(quotedIdentifier) ?? expression
  }

  /// The engine cuts zero bytes off when it makes a text of a `FixedString`.
  private static func convertsInPlace(_ old: String, to new: String) -> Bool {
    !old.contains("FixedString") || old == new || new.contains("FixedString")
  }

  private static func value(
    _ column: ArrayData, _ field: Field, _ type: String
  ) throws -> String {
    // So a null list is stored.
    if column.isNull(at: 0), type.hasPrefix("Array(") {
      return "CAST([NULL], \(quotedString(type)))"
    }
    var exact = field
    exact.type = column.type
    let literal = try SQLLiteral(column, at: 0, exact).text
    return "CAST(\(literal), \(quotedString(type)))"
  }

  // MARK: Rows that stay

  /// The statements that give a copy of the old table its new columns.
  ///
  /// - Parameter computed: the columns of the copy whose values the engine computes for rows that are
  ///   older than they are.
  func alterations(of copy: StorageName, computed: Set<String>) -> [String] {
    let prefix = unusedPrefix
    var (away, back, stored, plain, typed) = (
      [String](), [String](), [String](), [String](), [String]()
    )
    for (index, column) in columns.enumerated() {
      guard let old = column.old else { continue }
      let (name, between) = (quotedIdentifier(column.name), "\(prefix)\(index)")
      if old.name != column.name {
        away.append("RENAME COLUMN \(quotedIdentifier(old.name)) TO \(between)")
        back.append("RENAME COLUMN \(between) TO \(name)")
      }
      if old.type != column.type {
        typed.append("MODIFY COLUMN \(name) \(column.type)")
        if computed.contains(old.name) {
          stored.append("MATERIALIZE COLUMN \(quotedIdentifier(old.name))")
          plain.append("MODIFY COLUMN \(quotedIdentifier(old.name)) REMOVE DEFAULT")
        }
      }
    }
    let kept = Set(columns.compactMap { $0.old?.name })
    let dropped = old.columns.filter { !kept.contains($0.name) }.map {
      "DROP COLUMN \(quotedIdentifier($0.name))"
    }
    return [stored, plain, away, dropped, back, typed, placements].filter { !$0.isEmpty }.map {
      "ALTER TABLE \(copy) \($0.joined(separator: ", "))"
    }
  }

  /// What no column's name begins with.
  private var unusedPrefix: String {
    let names = old.columns.map(\.name) + columns.map(\.name)
    var prefix = "_magic_renamed_"
    while names.contains(where: { $0.hasPrefix(prefix) }) { prefix += "_" }
    return prefix
  }

  /// Adds the new columns, and puts all in their places.
  private var placements: [String] {
    let names = Dictionary(
      columns.compactMap { column in column.old.map { ($0.name, column.name) } }
    ) { first, _ in first }
    var order = old.columns.compactMap { names[$0.name] }
    var actions: [String] = []
    for (index, column) in columns.enumerated() {
      let place =
        index == 0 ? "FIRST" : "AFTER \(quotedIdentifier(columns[index - 1].name))"
      let name = quotedIdentifier(column.name)
      if let value = column.value {
        actions.append("ADD COLUMN \(name) \(column.type) DEFAULT \(value) \(place)")
        order.insert(column.name, at: index)
      } else if order[index] != column.name {
        actions.append("MODIFY COLUMN \(name) \(column.type) \(place)")
        order.removeAll { $0 == column.name }
        order.insert(column.name, at: index)
      }
    }
    return actions
  }

  // MARK: Rows that are written anew

  /// The statement that fills an empty table.
  func insertion(into table: StorageName, from copy: StorageName) -> String {
    let values = columns.map { column in
      "\(column.value ?? Self.converted(column.old, to: column.type)) AS \(quotedIdentifier(column.name))"
    }
    let row =
      old.hasContents
      ? HiddenColumn.row
      : "toUInt64(\(MutableTable.firstCopiedRow) + _part_starting_offset + _part_offset)"
    let inner = values + ["\(HiddenColumn.version) AS _magic_version", "\(row) AS _magic_row"]
    let visible = columns.map { quotedIdentifier($0.name) }
    var names = visible + [HiddenColumn.version, HiddenColumn.deleteMark]
    var outer = visible + ["_magic_version", "0"]
    if key.isEmpty {
      let shape = TableShape(
        columns: columns.map { TableShape.Column(name: $0.name, type: $0.type, isInKey: false) },
        key: HiddenColumn.identifying, keyTypes: ["UInt128", "UInt64"])
      names += HiddenColumn.identifying
      outer += [shape.contents, "_magic_row"]
    }
    return """
      INSERT INTO \(table) (\(names.joined(separator: ", "))) \
      SELECT \(outer.joined(separator: ", ")) \
      FROM (SELECT \(inner.joined(separator: ", ")) FROM \(copy) AS _magic_old)
      """
  }

  private static func converted(_ column: TableShape.Column?, to type: String) -> String {
    guard let column else { return "NULL" }
    let name = "_magic_old.\(quotedIdentifier(column.name))"
    if column.type == type { return name }
    let value = convertsInPlace(column.type, to: type) ? name : "concat(\(name), '')"
    return "CAST(\(value), \(quotedString(type)))"
  }
}
