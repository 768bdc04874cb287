import MagicCore

/// A statement as the engine's own parser reads it, told by `EXPLAIN AST`.
///
/// Whatever is not known here is an error, so nothing of a statement is overlooked because a version
/// of the engine has more to say. Its names must have neither line breaks nor what stands after names
/// in the engine's lines: see ``SQLText/hasPlainNames``.
struct SyntaxTree: Hashable, Sendable {
  fileprivate struct Node: Hashable {
    /// Such as `TableIdentifier`.
    var kind: String
    /// What follows the kind, but for an alias: a name or a literal.
    var name: String
    var parent: Int?
    var children: [Int] = []
    /// How many children the engine says that it has.
    var childCount: Int
  }

  private let nodes: [Node]

  /// What kind of statement it is, such as `SelectWithUnionQuery`.
  var kind: String { nodes[statement].kind }
  /// The position of the statement itself, which EXPLAIN may be about.
  private let statement: Int

  /// Reads the lines that the engine gives.
  ///
  /// - Throws: ``EngineError`` when they are not what is known of them.
  init(_ lines: [String]) throws {
    var nodes: [Node] = []
    // The nodes that the next one can be within.
    var path: [Int] = []
    for line in lines {
      let bytes = Array(line.utf8)
      let depth = bytes.prefix { $0 == 0x20 }.count
      guard depth <= path.count, depth > 0 || nodes.isEmpty,
        let node = Node(bytes[depth...], in: path[..<depth].last)
      else { throw Self.unknown(line) }
      path.removeSubrange(depth...)
      if let parent = path.last { nodes[parent].children.append(nodes.count) }
      path.append(nodes.count)
      nodes.append(node)
    }
    guard !nodes.isEmpty else { throw Self.unknown("") }
    for node in nodes where node.children.count != node.childCount {
      throw Self.unknown(node.name)
    }
    var statement = 0
    if nodes[0].kind == "Explain" {
      guard let inner = nodes[0].children.first(where: { nodes[$0].kind != "Set" }) else {
        throw Self.unknown("Explain")
      }
      statement = inner
    }
    self.nodes = nodes
    self.statement = statement
    for (index, node) in nodes.enumerated()
    where Self.statements.contains(node.kind) && index != 0 && index != statement {
      throw Self.unknown(node.kind)
    }
  }

  private static func unknown(_ text: String) -> EngineError {
    EngineError(
      message: "the statement has something that only an admin may use: "
        + "\(text.isEmpty ? "nothing" : text.prefix(60))")
  }

  // MARK: What is in it

  /// The names of all tables that it reads, as `database.table` or `table`. Those that WITH defines
  /// are among them.
  var tables: [String] {
    nodes.filter { $0.kind == "TableIdentifier" }.map(\.name)
  }

  /// The names to the right of IN and of its like, which are columns or tables.
  var members: [String] {
    nodes.indices.filter { Self.isMembership(nodes[$0].name) && nodes[$0].kind == "Function" }
      .compactMap { arguments(of: $0).dropFirst().first }
      .filter { nodes[$0].kind == "Identifier" }.map { nodes[$0].name }
  }

  /// All names that stand for themselves: of columns, above all.
  var identifiers: Set<String> { Set(nodes.filter { $0.kind == "Identifier" }.map(\.name)) }

  /// The functions that it calls, operators included, and what may be a function's name for one that
  /// calls others.
  var functions: Set<String> {
    var names: Set<String> = []
    for (index, node) in nodes.enumerated() where node.kind == "Function" && !isEngine(index) {
      names.insert(node.name)
      let name = node.name.lowercased()
      guard name.hasPrefix("array") || name.hasPrefix("map") else { continue }
      names.formUnion(
        arguments(of: index).filter { nodes[$0].kind == "Identifier" }.map { nodes[$0].name })
    }
    return names
  }

  /// The functions in the place of a table.
  var tableFunctions: Set<String> {
    Set(
      nodes.filter { node in
        let parent = node.parent.map { nodes[$0].kind }
        return node.kind == "Function"
          && ["TableExpression", "InsertQuery", "CreateQuery"].contains(parent)
      }.map(\.name))
  }

  /// The engines of what it declares.
  var engines: Set<String> {
    Set(nodes.indices.filter(isEngine).map { nodes[$0].name })
  }

  private func isEngine(_ index: Int) -> Bool {
    guard nodes[index].kind == "Function", let parent = nodes[index].parent else { return false }
    // Without an engine, the first is the key's.
    return nodes[parent].kind == "Storage definition" && nodes[parent].children.first == index
      && nodes[index].name.first?.isUppercase == true
  }

  /// Every call of a function whose first argument is the name of a dictionary or a table: the
  /// function, and that argument when it is a string.
  var namingCalls: [(function: String, name: String?)] {
    nodes.indices.filter { nodes[$0].kind == "Function" && Self.takesName(nodes[$0].name) }.map {
      let first = arguments(of: $0).first.map { nodes[$0] }
      guard let first, first.kind == "Literal" else { return (nodes[$0].name, nil) }
      let literal = SQLText(first.name)
      return (nodes[$0].name, literal.tokens.count == 1 ? literal.string(0) : nil)
    }
  }

  /// The strings among a call's arguments when all are strings.
  func strings(ofCallsOf function: String) -> [[String]?] {
    nodes.indices.filter {
      nodes[$0].kind == "Function" && nodes[$0].name.lowercased() == function
    }.map { call in
      let strings = arguments(of: call).map { argument -> String? in
        let literal = SQLText(nodes[argument].name)
        guard nodes[argument].kind == "Literal", literal.tokens.count == 1 else { return nil }
        return literal.string(0)
      }
      return strings.contains(nil) ? nil : strings.compactMap(\.self)
    }
  }

  /// What the statement itself says it is about: databases, tables, indices.
  var subjects: Set<String> {
    Set(
      nodes[statement].children.map { nodes[$0] }
        .filter { $0.kind == "Identifier" || $0.kind == "TableIdentifier" }.map(\.name))
  }

  /// Whether it writes its result into a file, or reads rows from one.
  var namesFile: Bool {
    ["SelectWithUnionQuery", "InsertQuery"].contains(kind)
      && nodes[statement].children.contains { nodes[$0].kind == "Literal" }
  }

  /// How many clauses there can be whose contents are not shown: those of settings.
  var settingsCounts: ClosedRange<Int> {
    let clauses = nodes.filter {
      $0.kind == "Set" && $0.parent.map { nodes[$0].kind } != "Explain"
    }
    // An INSERT shows those of its query again, or its own.
    let isRepeated =
      kind == "InsertQuery" && clauses.contains { $0.parent == statement }
      && clauses.contains { $0.parent != statement }
    return clauses.count - (isRepeated ? 1 : 0)...clauses.count
  }

  /// Whether something happens to rows when they are old, of which not all is shown.
  var hasTimeToLive: Bool { nodes.contains { $0.kind == "TTLElement" } }

  /// Whether it declares a materialized view whose rows go into a table that is not shown.
  var hasHiddenTarget: Bool { nodes.contains { $0.kind == "ViewTargets" && $0.children.isEmpty } }

  /// Whether an ALTER does nothing but what is known here.
  var altersAsKnown: Bool {
    nodes.allSatisfy { $0.kind != "AlterCommand" || Self.commands.contains($0.name) }
  }

  /// How many APPLY there are, whose functions are not shown.
  var transformerCount: Int { nodes.filter { $0.kind == "ColumnsApplyTransformer" }.count }

  // MARK: Names of tables

  /// The tables that it may read. A name with dots may be divided at any of them.
  ///
  /// - Parameter database: of names without one.
  func namesRead(in database: String) -> [TableReference] {
    (tables + members).flatMap { name -> [TableReference] in
      let bytes = Array(name.utf8)
      let dots = bytes.indices.filter { bytes[$0] == UInt8(ascii: ".") }
      let whole = TableReference(database: database, table: name)
      return [whole]
        + dots.map { dot in
          TableReference(
            database: String(decoding: bytes[..<dot], as: UTF8.self),
            table: String(decoding: bytes[(dot + 1)...], as: UTF8.self))
        }
    }
  }

  /// Whether it is the same statement as another one but for the names of some tables.
  ///
  /// - Parameters:
  ///   - places: the names in this one, by those in the other one.
  ///   - database: of names without one.
  func isEqual(
    to other: SyntaxTree, but places: [TableReference: TableReference], database: String
  ) -> Bool {
    guard nodes.count == other.nodes.count else { return false }
    let others = Set(other.members)
    func place(_ name: String) -> String? {
      places.first {
        let isShort = $0.key.database == database && $0.key.table == name
        return isShort || $0.key.joined == name
      }?.value.joined
    }
    func column(_ name: String) -> String? {
      places.lazy.compactMap { table, place -> String? in
        let prefix = table.joined + "."
        return name.hasPrefix(prefix) ? place.joined + "." + name.dropFirst(prefix.count) : nil
      }.first
    }
    return zip(nodes, other.nodes).allSatisfy { node, other in
      guard node.kind == other.kind, node.parent == other.parent else { return false }
      let isTable =
        other.kind == "TableIdentifier" || other.kind == "Identifier" && others.contains(other.name)
      if isTable, let name = place(other.name) { return node.name == name }
      return node.name == other.name || node.name == column(other.name)
        || node.name == place(other.name)
    }
  }

  private func arguments(of function: Int) -> [Int] {
    nodes[function].children.first.map { nodes[$0].children } ?? []
  }

  private static func isMembership(_ function: String) -> Bool {
    membershipFunctions.contains(function.lowercased())
  }

  private static let membershipFunctions: Set<String> = Set(
    ["in", "notin", "nullin", "notnullin"].flatMap {
      [$0, "global\($0)", "\($0)ignoreset", "global\($0)ignoreset"]
    })

  /// Whether a function's first argument is a dictionary's or a table's name.
  static func takesName(_ function: String) -> Bool {
    let name = function.lowercased()
    return ["dict", "joinget", "naivebayesclassifier"].contains { name.hasPrefix($0) }
      || name == "hascolumnintable"
  }

  // MARK: Kinds

  /// Whole statements.
  private static let statements: Set<String> = [
    "ASTTransactionControl", "AlterQuery", "CheckQuery", "CreateIndexQuery", "CreateQuery",
    "DeleteQuery", "DescribeQuery", "DropIndexQuery", "DropQuery", "ExistsDatabaseQuery",
    "ExistsDictionaryQuery", "ExistsTableQuery", "ExistsViewQuery", "Explain", "InsertQuery",
    "KillQueryQuery", "OptimizeQuery", "Rename", "ShowColumns", "ShowCreateDatabaseQuery",
    "ShowCreateDictionaryQuery", "ShowCreateTableQuery", "ShowCreateViewQuery", "ShowEngineQuery",
    "ShowFunctions", "ShowIndexes", "ShowSetting", "ShowTables", "TruncateQuery", "UpdateQuery",
    "UseQuery",
  ]

  /// Parts of statements. The rest of a line after the kind is a name.
  private static let parts: Set<String> = [
    "ASTObjectTypeArgument", "ASTStreamSettings", "AlterCommand", "ArrayJoin", "Assignment",
    "Asterisk", "Collation", "ColumnDeclaration", "ColumnsApplyTransformer",
    "ColumnsExceptTransformer",
    "ColumnsListMatcher", "ColumnsRegexpMatcher", "ColumnsReplaceTransformer",
    "ColumnsReplaceTransformer::Replacement", "ColumnsTransformerList", "Constraint", "DataType",
    "EnumDataType", "ExpressionList", "Function", "Identifier", "Index", "InterpolateElement",
    "Literal", "NameTypePair", "ObjectTypedPath", "OrderByElement", "Partition", "Partition_ID",
    "Projection", "ProjectionSelectQuery", "QualifiedAsterisk", "QualifiedColumnsListMatcher",
    "QualifiedColumnsRegexpMatcher", "SampleRatio", "SelectIntersectExceptQuery", "SelectQuery",
    "SelectWithUnionQuery", "Set", "Stat", "StorageOrderByElement", "Subquery", "TTLElement",
    "TableExpression", "TableIdentifier", "TableJoin", "TablesInSelectQuery",
    "TablesInSelectQueryElement", "TimeInterval", "TupleDataType", "ViewTargets",
    "WindowDefinition", "WindowListElement", "WithElement",
  ]

  /// What an ALTER may do.
  private static let commands: Set<String> = [
    "ADD_COLUMN", "ADD_CONSTRAINT", "ADD_INDEX", "ADD_PROJECTION", "ADD_STATISTICS",
    "APPLY_DELETED_MASK", "APPLY_PATCHES", "ATTACH_PARTITION", "COMMENT_COLUMN", "DELETE",
    "DROP_COLUMN", "DROP_CONSTRAINT", "DROP_DETACHED_PARTITION", "DROP_INDEX", "DROP_PARTITION",
    "DROP_PROJECTION", "DROP_STATISTICS", "FORGET_PARTITION", "MATERIALIZE_COLUMN",
    "MATERIALIZE_INDEX", "MATERIALIZE_PROJECTION", "MATERIALIZE_STATISTICS", "MATERIALIZE_TTL",
    "MODIFY_COLUMN", "MODIFY_COMMENT", "MODIFY_ORDER_BY", "MODIFY_QUERY", "MODIFY_REFRESH",
    "MODIFY_SAMPLE_BY", "MODIFY_SETTING", "MODIFY_STATISTICS", "MODIFY_TTL", "MOVE_PARTITION",
    "REMOVE_SAMPLE_BY", "REMOVE_TTL", "RENAME_COLUMN", "REPLACE_PARTITION", "RESET_SETTING",
    "UPDATE",
  ]

  /// Parts whose kind is more than one word.
  private static let phrases = [
    "Columns definition", "Refresh strategy definition", "Storage definition", "View SQL Security",
  ]

  /// The kind that a line begins with, without the space in front of it.
  fileprivate static func kind(of line: ArraySlice<UInt8>) -> String? {
    if let phrase = phrases.first(where: { line.starts(with: $0.utf8) }) { return phrase }
    let word = String(decoding: line.prefix { $0 != 0x20 }, as: UTF8.self)
    return statements.contains(word) || parts.contains(word) ? word : nil
  }
}

extension SyntaxTree.Node {
  /// Reads a line without the space in front of it; nil when it is of no known kind.
  fileprivate init?(_ line: ArraySlice<UInt8>, in parent: Int?) {
    var line = line
    let childCount = Self.takeChildCount(from: &line)
    guard let kind = SyntaxTree.kind(of: line) else { return nil }
    var name = line.dropFirst(kind.utf8.count).drop { $0 == 0x20 }
    if let alias = name.firstRange(of: Array(" (alias ".utf8)) { name = name[..<alias.lowerBound] }
    self.init(
      kind: kind, name: String(decoding: name, as: UTF8.self), parent: parent,
      childCount: childCount)
  }

  /// Takes ` (children N)` from the end of a line; without it there are none.
  private static func takeChildCount(from line: inout ArraySlice<UInt8>) -> Int {
    guard line.last == UInt8(ascii: ")") else { return 0 }
    let digits = line.dropLast().reversed().prefix {
      (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
    }
    let head = line.dropLast(1 + digits.count)
    let opening = Array(" (children ".utf8)
    guard !digits.isEmpty, head.suffix(opening.count).elementsEqual(opening),
      let count = Int(String(decoding: digits.reversed(), as: UTF8.self))
    else { return 0 }
    line = head.dropLast(opening.count)
    return count
  }
}

extension TableReference {
  /// The name as the engine's parser tells it.
  fileprivate var joined: String { "\(database).\(table)" }
}
