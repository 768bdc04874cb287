import Binlog
import MagicCore
import MySQLSchema
import RowEncoding

/// What a statement of the source means for the copy: the catalog after it, and what becomes of storage.
///
/// It is worked out before anything is done, so that it can be stored as an intent.
struct SchemaChange {
  enum Step {
    /// A table that begins empty.
    case create(ReplicatedTable)
    /// A table that goes on with the rows of another one.
    case convert(ReplicatedTable, from: ReplicatedTable, [TableChangePlan.ColumnSource])
    case createDatabase(String)
  }

  var catalog: Catalog
  var steps: [Step] = []
  /// Tables whose storage is not needed any more.
  private(set) var dropped: [ReplicatedTable] = []
  /// Databases that are gone with the statement.
  private(set) var droppedDatabases: [String] = []

  private let filter: TableFilter
  private let encodingOptions: EncodingOptions
  /// Whether there is a server that tables can be copied from anew.
  private let canCopy: Bool
  /// Whether the statement's session was strict, so that no value was changed to fit.
  private let isStrict: Bool
  private let start: BinlogPosition
  private let end: BinlogPosition

  /// - Parameters:
  ///   - start: where the statement begins in the binlog.
  ///   - end: where it ends.
  init(
    _ catalog: Catalog, filter: TableFilter, encodingOptions: EncodingOptions = EncodingOptions(),
    canCopy: Bool, isStrict: Bool, from start: BinlogPosition, to end: BinlogPosition
  ) {
    self.catalog = catalog
    self.filter = filter
    self.encodingOptions = encodingOptions
    self.canCopy = canCopy
    self.isStrict = isStrict
    self.start = start
    self.end = end
  }

  mutating func apply(_ statement: DDLStatement) {
    switch statement {
    case .createTable(let create): createTable(create)
    case .alterTable(let alter), .createIndex(let alter), .dropIndex(let alter): alterTable(alter)
    case .renameTables(let pairs): rename(pairs)
    case .truncateTable(let name): truncate(name)
    case .dropTables(let names, let isTemporary):
      if !isTemporary { for name in names { drop(name) } }
    case .createDatabase(let name, _):
      if filter.selects(TableName(database: name, table: "")) {
        steps.append(.createDatabase(name))
      }
    case .dropDatabase(let name):
      let tables = catalog.tables.filter { $0.name.database == name }
      for table in tables { drop(table.name) }
      if !tables.isEmpty || filter.selects(TableName(database: name, table: "")) {
        droppedDatabases.append(name)
      }
    case .unrecognized(let reason, let table?): changeInUnknownWay(table, reason)
    case .alterDatabase, .noEffect, .dataChange, .unrecognized: break
    }
  }

  // MARK: Tables as a whole

  private mutating func createTable(_ create: CreateTable) {
    guard !create.isTemporary, filter.selects(create.name) else { return }
    let known = tablesBefore(create.name)
    // The table was there.
    if create.ifNotExists, !create.orReplace, !known.isEmpty { return }
    let template = create.likeName.flatMap { tablesInEffect($0).last { !$0.isStopped } }
    for table in known { remove(table) }
    guard !isCopiedLater(create.name) else { return }
    switch create.source {
    case .definition(let schema): addCreated(schema)
    case .like(let other):
      if let template {
        addCreated(template.schema.definition(like: create.name))
      } else {
        want(create.name, "it was created LIKE \(other), which is not replicated")
      }
    case .select: want(create.name, "it was created from a SELECT without a full definition")
    }
  }

  private mutating func addCreated(_ schema: TableSchema) {
    if let reason = schema.reasonNotToReplicate(encodingOptions) {
      catalog.add(schema, state: .stopped(reason: reason, at: end))
    } else if schema.needsDatabaseCharset, canCopy {
      // Only the source knows the charset that its database gives to columns.
      catalog.addWanted(schema.name)
    } else {
      steps.append(.create(catalog.add(schema, state: .live, copyPosition: end)))
    }
  }

  /// The table is copied anew, whatever became of it.
  private mutating func changeInUnknownWay(_ name: TableName, _ reason: String) {
    let reason = "the statement is not understood: \(reason)"
    let tables = tablesBefore(name)
    for table in tables where !table.isStopped && table.hasStorage {
      copyAnew(table, as: name, reason)
    }
    if tables.isEmpty { want(name, reason) }
  }

  private mutating func truncate(_ name: TableName) {
    let tables = tablesInEffect(name).filter { !$0.isStopped }
    guard let schema = tables.last?.schema else { return }
    for table in tables { remove(table) }
    steps.append(.create(catalog.add(schema, state: .live, copyPosition: end)))
  }

  private mutating func drop(_ name: TableName) {
    for table in tablesBefore(name) { remove(table) }
  }

  private mutating func remove(_ table: ReplicatedTable) {
    catalog.remove(id: table.id)
    if table.hasStorage { dropped.append(table) }
  }

  /// Lets the table be copied from the source as it is there by now.
  private mutating func want(_ name: TableName, _ reason: String) {
    guard filter.selects(name), !isCopiedLater(name) else { return }
    if canCopy {
      catalog.addWanted(name)
    } else {
      catalog.add(
        TableSchema(name: name, columns: [], primaryKey: []),
        state: .stopped(reason: reason, at: end))
    }
  }

  // MARK: Names

  private mutating func rename(_ pairs: [TableRename]) {
    // The statement is one step: what matters is which name each table has in the end.
    var targets: [(from: TableName, to: TableName)] = []
    for pair in pairs {
      if let index = targets.lastIndex(where: { $0.to == pair.from }) {
        targets[index].to = pair.to
      } else {
        targets.append((pair.from, pair.to))
      }
    }
    let moving = targets.map { tablesBefore($0.from) }
    let movingIDs = Set(moving.flatMap { $0.map(\.id) })
    var wanted: [(name: TableName, reason: String)] = []
    for (target, tables) in zip(targets, moving) where target.from != target.to {
      for table in tablesBefore(target.to) where !movingIDs.contains(table.id) { remove(table) }
      if !move(tables, to: target.to) {
        wanted.append((target.to, "it was renamed from \(target.from), which is not replicated"))
      }
    }
    // All tables have their new names by now, or are gone.
    for (name, reason) in wanted { want(name, reason) }
  }

  /// Gives tables another name.
  ///
  /// - Returns: false when the table of that name has to be copied: nothing is known of it, or it was being
  ///   copied under its old name, which can have given another table's rows.
  private mutating func move(_ tables: [ReplicatedTable], to name: TableName) -> Bool {
    var isKnown = !tables.isEmpty
    for var table in tables {
      if !filter.selects(name) {
        remove(table)
      } else if table.isStopped || isWhole(table) {
        // The copy that was to replace it has become that of another table.
        if table.isStopped, isCopiedLater(table.name) { isKnown = false }
        table.schema.rename(to: name)
        catalog.update(table)
      } else {
        remove(table)
        isKnown = false
      }
    }
    return isKnown
  }

  // MARK: Declarations

  private mutating func alterTable(_ alter: AlterTable) {
    let tables = tablesBefore(alter.name)
    let following = tables.filter { !$0.isStopped && $0.hasStorage }
    for table in following { change(table, alter) }
    if let other = alter.otherTable {
      // Partitions and tables change places, or become one another.
      let concerned = tablesInEffect(other).filter { !$0.isStopped }
      for table in concerned { copyAnew(table, as: other, "its rows were exchanged") }
      if concerned.isEmpty { want(other, "it was made of a partition of \(alter.name)") }
    }
    guard let newName = alter.newName else { return }
    let others = tables.filter { table in !following.contains { $0.id == table.id } }
    if !others.isEmpty || following.isEmpty, !move(others, to: newName) {
      want(newName, "it was renamed from \(alter.name), which is not replicated")
    }
  }

  private mutating func change(_ table: ReplicatedTable, _ alter: AlterTable) {
    let plan: TableChangePlan
    do {
      plan = try table.schema.plan(alter, isStrict: isStrict)
    } catch {
      return copyAnew(table, as: alter.newName ?? table.name, "\(error)")
    }
    let name = plan.schema.name
    guard filter.selects(name) else { return remove(table) }
    if let reason = plan.schema.reasonNotToReplicate(encodingOptions) {
      return stop(table, as: name, reason)
    }
    if plan.schema.needsDatabaseCharset, !table.schema.needsDatabaseCharset, canCopy {
      return copyAnew(table, as: alter.newName ?? table.name, "only the source knows its charset")
    }
    switch plan.rows {
    case .unchanged where isWhole(table) || table.name == name:
      var changed = table
      changed.schema = plan.schema
      catalog.update(changed)
    case .converted(let columns) where Self.isPadding(columns, table.schema, plan.schema):
      copyAnew(table, as: alter.newName ?? table.name, "values of a BINARY column are padded")
    case .converted where Self.mayLackKeys(table.schema, plan.schema):
      copyAnew(
        table, as: alter.newName ?? table.name, "dates become part of the key, which cannot be NULL"
      )
    case .converted(let columns) where isWhole(table):
      remove(table)
      let converted = catalog.add(plan.schema, state: .live, copyPosition: end)
      steps.append(.convert(converted, from: table, columns))
    case .unchanged, .converted: copyAnew(table, as: alter.newName ?? table.name, "")
    case .unknown(let reason): copyAnew(table, as: alter.newName ?? table.name, reason)
    }
  }

  /// Whether a column becomes part of the key that the copy may hold NULLs of, in place of zero dates.
  private static func mayLackKeys(_ old: TableSchema, _ new: TableSchema) -> Bool {
    let oldKey = Set(old.primaryKey.map { old.columns[$0].name })
    return new.primaryKey.contains { index in
      switch new.columns[index].type {
      case .date, .datetime, .timestamp: !oldKey.contains(new.columns[index].name)
      default: false
      }
    }
  }

  /// Whether a BINARY column gets longer, whose values the copy holds with their padding.
  private static func isPadding(
    _ columns: [TableChangePlan.ColumnSource], _ old: TableSchema, _ new: TableSchema
  ) -> Bool {
    zip(columns, new.columns).contains { source, column in
      guard case .column(let index) = source, case .binary = column.type else { return false }
      return old.columns[index].type != column.type
    }
  }

  /// The copy shows the table as it was before until it is copied anew.
  private mutating func copyAnew(_ table: ReplicatedTable, as name: TableName, _ reason: String) {
    guard filter.selects(name) else { return remove(table) }
    if isWhole(table) {
      stop(
        table, as: name,
        "the change at \(start): \(reason)\(canCopy ? "; the table is copied anew" : "")")
    } else {
      remove(table)
    }
    if canCopy { want(name, reason) }
  }

  /// Stops a table before the statement, which may rename it.
  private mutating func stop(_ table: ReplicatedTable, as name: TableName, _ reason: String) {
    var stopped = table
    if stopped.stop(reason, at: start, shownAt: start) { dropped.append(table) }
    stopped.schema.rename(to: name)
    catalog.update(stopped)
  }

  // MARK: What a statement concerns

  /// What the catalog has of a table that the statement concerns: all but what was copied after the statement.
  private func tablesBefore(_ name: TableName) -> [ReplicatedTable] {
    catalog.tables.filter { $0.name == name && ($0.copyPosition ?? start) <= start }
  }

  /// Those that hold the table as it was when the statement ran, or are on the way there.
  private func tablesInEffect(_ name: TableName) -> [ReplicatedTable] {
    tablesBefore(name).filter(\.hasStorage)
  }

  private func isCopiedLater(_ name: TableName) -> Bool {
    catalog.tables.contains { $0.name == name && ($0.copyPosition ?? start) > start }
  }

  /// Whether the table holds exactly what it held at the source when the statement ran.
  private func isWhole(_ table: ReplicatedTable) -> Bool { table.isVisible(at: start) }
}

extension CreateTable {
  /// The table whose columns it gets.
  fileprivate var likeName: TableName? {
    if case .like(let name) = source { name } else { nil }
  }
}

extension TableSchema {
  /// Whether it was declared without the charset of columns, which is that of their database.
  fileprivate var needsDatabaseCharset: Bool {
    hasUnknownMembers || columns.contains { $0.type == .string(charset: nil) }
  }
}
