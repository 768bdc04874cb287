/// The tables that a file of statements, such as `mysqldump` writes, leaves behind.
public struct SchemaDump: Hashable, Sendable {
  /// A statement that was not understood.
  public struct Problem: Hashable, Sendable, CustomStringConvertible {
    /// The line on which the statement begins, from 1.
    public var line: Int
    public var reason: String

    public var description: String { "line \(line): \(reason)" }
  }

  /// The tables in the order of their creation.
  public var tables: [TableSchema]
  /// Statements about tables that were not understood; the tables that they name may differ from
  /// ``tables``.
  public var problems: [Problem]
}

/// Reads the table definitions in a dump, and skips the rest.
///
/// - Parameters:
///   - dump: The dump's bytes, UTF-8.
///   - defaultDatabase: The database of tables that come before any USE.
public func parseSchemaDump(_ dump: [UInt8], defaultDatabase: String? = nil) -> SchemaDump {
  var reader = SchemaDumpReader(dump, defaultDatabase: defaultDatabase)
  reader.readAll()
  return reader.result
}

private struct SchemaDumpReader {
  private let bytes: [UInt8]
  private var database: String?
  private var databaseCharsets: [String: String] = [:]
  private var splitter: StatementSplitter
  /// The tables with the number of their creation, which orders them.
  private var tables: [TableName: (order: Int, schema: TableSchema)] = [:]
  private var createdCount = 0
  private var problems: [SchemaDump.Problem] = []

  var result: SchemaDump {
    SchemaDump(
      tables: tables.values.sorted { $0.order < $1.order }.map(\.schema), problems: problems)
  }

  init(_ bytes: [UInt8], defaultDatabase: String?) {
    self.bytes = bytes
    database = defaultDatabase
    splitter = StatementSplitter(bytes)
  }

  mutating func readAll() {
    while let statement = splitter.next() {
      var lexer = SQLLexer(bytes, range: statement.range, mode: SQLTextMode())
      let verb = lexer.next().keyword
      guard ["ALTER", "CREATE", "DROP", "RENAME", "USE"].contains(verb) else { continue }
      if verb == "USE" {
        let name = lexer.next()
        if name.kind == .word || name.kind == .quotedName { database = lexer.text(of: name) }
        continue
      }
      let parsed = parseDDL(
        bytes, range: statement.range, defaultDatabase: database ?? "", mode: SQLTextMode())
      if let reason = apply(parsed) {
        problems.append(SchemaDump.Problem(line: statement.line, reason: reason))
      }
    }
  }

  /// Returns why the statement could not be applied, or nil.
  private mutating func apply(_ statement: DDLStatement) -> String? {
    switch statement {
    case .createTable(let create): return apply(create)
    case .dropTables(let names, isTemporary: false):
      for name in names { tables[name] = nil }
    case .renameTables(let renames):
      for rename in renames { move(rename) }
    case .alterTable(let alteration), .createIndex(let alteration), .dropIndex(let alteration):
      return apply(alteration)
    case .createDatabase(let name, let charset), .alterDatabase(let name, let charset):
      if let charset { databaseCharsets[name] = charset }
    case .dropDatabase(let name): tables = tables.filter { $0.key.database != name }
    case .unrecognized(let reason, _): return reason
    case .dropTables, .truncateTable, .noEffect, .dataChange: break
    }
    return nil
  }

  private mutating func move(_ rename: TableRename) {
    guard var table = tables.removeValue(forKey: rename.from) else { return }
    table.schema.rename(to: rename.to)
    tables[rename.to] = table
  }

  private mutating func apply(_ alteration: AlterTable) -> String? {
    guard var table = tables.removeValue(forKey: alteration.name) else {
      return "no table \(alteration.name)"
    }
    do throws(SQLSyntaxError) {
      table.schema = try table.schema.applying(alteration)
      tables[table.schema.name] = table
      return nil
    } catch {
      return error.reason
    }
  }

  private mutating func apply(_ create: CreateTable) -> String? {
    guard !create.isTemporary, !(create.ifNotExists && tables[create.name] != nil) else {
      return nil
    }
    guard !create.name.database.isEmpty else { return "no database for table \(create.name.table)" }
    var schema: TableSchema
    switch create.source {
    case .definition(let definition):
      let charset = databaseCharsets[create.name.database]
      schema = charset.map(definition.withDefaultCharset) ?? definition
    case .like(let name):
      guard let original = tables[name] else { return "no table \(name)" }
      schema = original.schema.definition(like: create.name)
    case .select: return "the columns of \(create.name) come from a query"
    }
    createdCount += 1
    tables[create.name] = (order: createdCount, schema: schema)
    return nil
  }
}

/// Finds where statements begin and end, without reading what is in them.
private struct StatementSplitter {
  private let bytes: [UInt8]
  private var position = 0
  private var line = 1
  private var delimiter = [UInt8(ascii: ";")]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// The next statement that ends in `;`. Those that another DELIMITER ends are routines and
  /// triggers.
  mutating func next() -> (range: Range<Int>, line: Int)? {
    while true {
      skipSpace()
      guard position < bytes.count else { return nil }
      if takeDelimiterCommand() { continue }
      let start = position
      let firstLine = line
      let end = skipStatement()
      if delimiter == [UInt8(ascii: ";")] { return (start..<end, firstLine) }
    }
  }

  private mutating func skipSpace() {
    while position < bytes.count, bytes[position] <= 0x20 { step() }
  }

  private mutating func step() {
    if bytes[position] == 0x0A { line += 1 }
    position += 1
  }

  /// DELIMITER x, a command of the client, alone on its line.
  private mutating func takeDelimiterCommand() -> Bool {
    let command = Array("DELIMITER ".utf8)
    let word = bytes[position...].prefix(command.count)
    guard word.elementsEqual(command, by: { $0 == $1 || $0 == $1 | 0x20 }) else { return false }
    let argument = bytes[(position + command.count)...].prefix { $0 != 0x0A }
    delimiter = Array(argument.filter { $0 > 0x20 })
    if delimiter.isEmpty { delimiter = [UInt8(ascii: ";")] }
    position = argument.endIndex
    return true
  }

  /// Moves past the delimiter and returns where the statement before it ends.
  private mutating func skipStatement() -> Int {
    while position < bytes.count {
      switch bytes[position] {
      case delimiter[0] where bytes[position...].starts(with: delimiter):
        let end = position
        position += delimiter.count
        return end
      case UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "`"): skipQuoted()
      case UInt8(ascii: "#"): skipLine()
      case UInt8(ascii: "-"): skipDashes()
      case UInt8(ascii: "/"): skipSlash()
      default: step()
      }
    }
    return position
  }

  private mutating func skipQuoted() {
    let quote = bytes[position]
    step()
    while position < bytes.count {
      let current = bytes[position]
      step()
      if current == quote { return }
      if current == UInt8(ascii: "\\"), quote != UInt8(ascii: "`"), position < bytes.count {
        step()
      }
    }
  }

  private mutating func skipLine() {
    while position < bytes.count, bytes[position] != 0x0A { position += 1 }
  }

  private mutating func skipDashes() {
    let isComment =
      position + 2 < bytes.count && bytes[position + 1] == UInt8(ascii: "-")
      && bytes[position + 2] <= 0x20
    if isComment { skipLine() } else { position += 1 }
  }

  /// Moves past a comment, but only past the opening of an executable one.
  private mutating func skipSlash() {
    position += 1
    guard position < bytes.count, bytes[position] == UInt8(ascii: "*") else { return }
    position += 1
    let following = bytes[position...].prefix(2)
    if following.first == UInt8(ascii: "!") || following.elementsEqual("M!".utf8) { return }
    while position < bytes.count {
      let isEnd = bytes[position] == UInt8(ascii: "/") && bytes[position - 1] == UInt8(ascii: "*")
      step()
      if isEnd { return }
    }
  }
}
