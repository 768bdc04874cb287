/// A statement as far as it may concern a mutable table. Which names are mutable tables is not
/// known here.
enum Statement {
  case createMutableTable(CreateMutableTable)
  case insert(InsertStatement)
  case update(UpdateStatement)
  case delete(DeleteStatement)
  case alter(AlterStatement)
  case truncate(DropStatement)
  /// `TRUNCATE DATABASE` and `TRUNCATE ALL TABLES FROM`.
  case truncateAll(database: String)
  case rename([(from: WrittenName, to: WrittenName)])
  case renameDatabases([(from: String, to: String)])
  case exchange([(WrittenName, WrittenName)])
  case drop(DropStatement)
  case detach(DropStatement)
  case attach(TableStatement)
  case optimize(TableStatement)
  case describe(TableStatement)
  case showCreate(TableStatement)
  case check(TableStatement)
  case createMaterializedView(CreateMaterializedView)
  /// Any other CREATE of a table, a view or a dictionary: its name and the one that it is made
  /// like.
  case createOther(names: [WrittenName])
  /// What the engine gets as it is.
  case other

  /// Whether it changes rows or tables.
  var isChange: Bool {
    switch self {
    case .describe, .showCreate, .check, .other: false
    default: true
    }
  }

  /// Tells what a statement is.
  ///
  /// - Throws: ``EngineError`` for what a mutable table cannot be.
  static func recognise(_ text: SQLText) throws -> Statement {
    let statement: Statement?
    switch text.word(0) {
    case "INSERT", "UPSERT", "IMPORT", "WITH": statement = InsertStatement(text).map { .insert($0) }
    case "UPDATE": statement = UpdateStatement(text).map { .update($0) }
    case "DELETE": statement = DeleteStatement(text).map { .delete($0) }
    case "ALTER": statement = AlterStatement(text).map { .alter($0) }
    case "CREATE", "REPLACE": statement = try create(text)
    case "DROP": statement = drop(text).map { .drop($0) }
    case "DETACH": statement = drop(text).map { .detach($0) }
    case "ATTACH": statement = attach(text).map { .attach($0) }
    case "TRUNCATE": statement = truncate(text)
    case "RENAME": statement = rename(text)
    case "EXCHANGE": statement = exchange(text)
    case "OPTIMIZE": statement = optimize(text).map { .optimize($0) }
    case "DESC", "DESCRIBE": statement = describe(text).map { .describe($0) }
    case "SHOW": statement = showCreate(text).map { .showCreate($0) }
    case "CHECK": statement = check(text).map { .check($0) }
    default: statement = nil
    }
    return statement ?? .other
  }

  private static func create(_ text: SQLText) throws -> Statement? {
    guard let head = CreateHead(text) else { return nil }
    if let table = try CreateMutableTable(text, head) { return .createMutableTable(table) }
    if let view = CreateMaterializedView(text, head) { return .createMaterializedView(view) }
    let like = head.likeTable(in: text)?.name
    return .createOther(names: [head.name] + (like.map { [$0] } ?? []))
  }
}
