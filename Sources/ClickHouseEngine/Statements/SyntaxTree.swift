import MagicCore

/// A statement as the engine's own parser reads it, told by `EXPLAIN AST`.
///
/// Whatever is not known here is an error, so nothing of a statement is overlooked because a version
/// of the engine has more to say.
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
  /// Whether it is one that EXPLAIN is about.
  var isExplained: Bool { statement != 0 }

  /// The position of the statement itself, which EXPLAIN may be about.
  private let statement: Int

  /// Reads the lines that the engine gives.
  ///
  /// - Throws: ``EngineError`` when they are not what is known of them.
  init(_ lines: some Sequence<Substring>) throws {
    var nodes: [Node] = []
    // The nodes that the next one can be within.
    var path: [Int] = []
    for line in lines {
      let text = line.drop { $0 == " " }
      let depth = line.utf8.count - text.utf8.count
      guard depth <= path.count, depth > 0 || nodes.isEmpty,
        let node = Node(text, in: path[..<depth].last)
      else { throw Self.unknown(text) }
      path.removeSubrange(depth...)
      if let parent = path.last { nodes[parent].children.append(nodes.count) }
      path.append(nodes.count)
      nodes.append(node)
    }
    guard !nodes.isEmpty else { throw Self.unknown("") }
    // A name with a line break in it could pretend to be nodes.
    for node in nodes where node.children.count != node.childCount {
      throw Self.unknown(node.name[...])
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
      throw Self.unknown(node.kind[...])
    }
  }

  private static func unknown(_ text: Substring) -> EngineError {
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

  /// How many clauses there are whose contents are not shown: those of settings.
  var settingsCount: Int {
    let clauses = nodes.filter {
      $0.kind == "Set" && $0.parent.map { nodes[$0].kind } != "Explain"
    }
    // An INSERT shows those of its query again.
    let isRepeated =
      kind == "InsertQuery" && clauses.contains { $0.parent == statement }
      && clauses.contains { $0.parent != statement }
    return clauses.count - (isRepeated ? 1 : 0)
  }

  /// How many APPLY there are, whose functions are not shown.
  var transformerCount: Int { nodes.filter { $0.kind == "ColumnsApplyTransformer" }.count }

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
    "Asterisk", "ColumnDeclaration", "ColumnsApplyTransformer", "ColumnsExceptTransformer",
    "ColumnsListMatcher", "ColumnsRegexpMatcher", "ColumnsReplaceTransformer",
    "ColumnsReplaceTransformer::Replacement", "ColumnsTransformerList", "Constraint", "DataType",
    "EnumDataType", "ExpressionList", "Function", "Identifier", "Index", "InterpolateElement",
    "Literal", "NameTypePair", "ObjectTypedPath", "OrderByElement", "Partition", "Partition_ID",
    "Projection", "ProjectionSelectQuery", "QualifiedAsterisk", "QualifiedColumnsListMatcher",
    "QualifiedColumnsRegexpMatcher", "SampleRatio", "SelectIntersectExceptQuery", "SelectQuery",
    "SelectWithUnionQuery", "Set", "StorageOrderByElement", "Subquery", "TTLElement",
    "TableExpression", "TableIdentifier", "TableJoin", "TablesInSelectQuery",
    "TablesInSelectQueryElement", "TimeInterval", "TupleDataType", "ViewTargets",
    "WindowDefinition", "WindowListElement", "WithElement",
  ]

  /// Parts whose kind is more than one word.
  private static let phrases = [
    "Columns definition", "Refresh strategy definition", "Storage definition", "View SQL Security",
  ]

  fileprivate static func kind(of text: Substring) -> Substring? {
    if let phrase = phrases.first(where: { text.hasPrefix($0) }) {
      return text.prefix(phrase.count)
    }
    let word = text.prefix { $0 != " " }
    return statements.contains(String(word)) || parts.contains(String(word)) ? word : nil
  }
}

extension SyntaxTree.Node {
  /// Reads a line without the space in front of it; nil when it is of no known kind.
  fileprivate init?(_ line: Substring, in parent: Int?) {
    var text = line
    var childCount = 0
    if let match = text.firstMatch(of: /\ \(children (\d+)\)$/) {
      guard let count = Int(match.1) else { return nil }
      childCount = count
      text = text[..<match.range.lowerBound]
    }
    guard let kind = SyntaxTree.kind(of: text) else { return nil }
    var name = text[kind.endIndex...].drop { $0 == " " }
    if let alias = name.firstRange(of: " (alias ") { name = name[..<alias.lowerBound] }
    self.init(
      kind: String(kind), name: String(name), parent: parent, childCount: childCount)
  }
}
