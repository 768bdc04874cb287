import MagicCore

/// Lets statements at a snapshot read what names meant at its commit point.
///
/// Where a table was altered, renamed or dropped since, its name is replaced by that of a past view, in
/// the statement and in the views that it reads. What the engine's own parser makes of both texts must
/// differ in these names only.
struct PastReading {
  let tables: MutableTables
  let parser: StatementParser
  /// What is read.
  let pin: CommitPin
  /// Whether a name without a database is a temporary table's, which has no past.
  let isTemporary: @Sendable (String) async throws -> Bool

  private var past: PastTables { tables.storage.past }

  /// The statement with such names replaced; nil when there is nothing to replace.
  ///
  /// - Parameter database: of names without one.
  /// - Throws: ``EngineError`` when it names a table that the snapshot is not of, or when a name cannot
  ///   be replaced.
  func replacingNames(
    in text: SQLText, database: String, parameters: [String: String] = [:]
  ) async throws -> String? {
    try await replacing(text, database, parameters, depth: 0)?.text
  }

  /// A text with other names, the past views that it reads, and the revision that knew of them.
  private typealias Replaced = (text: String, views: [PastTables.View], revision: UInt64)

  private func replacing(
    _ text: SQLText, _ database: String, _ parameters: [String: String], depth: Int
  ) async throws -> Replaced? {
    let (known, revision) = past.views(at: pin.point.commit, lasting: pin.lasting)
    if known.isEmpty, pin.tables == nil { return nil }
    guard depth < 20 else { throw EngineError(message: "views are nested more than 20 deep") }
    let tree = try await self.tree(of: text, parameters)
    try check(tree.tableFunctions)
    var views: [TableReference: PastTables.View] = [:]
    for name in Set(tree.namesRead(in: database)) {
      if name.database == database, try await isTemporary(name.table) { continue }
      if let view = try await view(for: name, known, depth: depth) { views[name] = view }
    }
    if views.isEmpty { return nil }
    let places = views.mapValues(\.place)
    let isPlain = places.keys.allSatisfy {
      $0.database != database || !text.hasOtherMeaning(of: $0.table)
    }
    let replaced = text.replacing(text.edits(of: places, database: database))
    let after = try await self.tree(of: SQLText(replaced), parameters)
    guard isPlain, !text.mentions("additional_table_filters"),
      after.isEqual(to: tree, but: places, database: database)
    else {
      let names = places.keys.map(\.description).sorted().joined(separator: ", ")
      throw EngineError(
        message:
          "\(names): altered, renamed or dropped since the snapshot, and named here in a way "
          + "in which it cannot be read as it was; write database.table after FROM, JOIN or IN, and "
          + "use its name for nothing else")
    }
    return (replaced, Array(views.values), revision)
  }

  /// Functions in the place of tables that read no tables by their names.
  private static let harmlessFunctions: Set<String> = [
    "file", "format", "generate_series", "generaterandom", "generateseries", "input", "null",
    "numbers", "numbers_mt", "url", "values", "view", "zeros", "zeros_mt",
  ]

  private func check(_ functions: Set<String>) throws {
    for function in functions where !Self.harmlessFunctions.contains(function.lowercased()) {
      throw EngineError(
        message:
          "\(function)(…) would read tables as they are now, not as of the snapshot: some were "
          + "altered, renamed or dropped since, or the snapshot is not of all tables")
    }
  }

  private func tree(of text: SQLText, _ parameters: [String: String]) async throws -> SyntaxTree {
    try await parser.tree(of: ParserText(text, parameters: parameters).statement)
  }

  /// The past view that a name stands for; nil when what has the name now is to be read.
  private func view(
    for name: TableReference, _ known: [TableReference: PastTables.View], depth: Int
  ) async throws -> PastTables.View? {
    // It may have ended before the statement entered; what has the name now is of another time.
    if let kept = pin.lasting, pin.tables?.contains(name) ?? false, known[name]?.lasting != kept {
      throw EngineError(message: "the snapshot has ended")
    }
    if let view = known[name], view.definition == nil {
      try check(view.tables)
      return view
    }
    if tables.table(name) != nil {
      try check([name])
      return nil
    }
    let found = try await tables.storage.withConnection { connection in
      try await connection.texts(
        """
        SELECT engine, as_select FROM system.tables \
        WHERE database = \(quotedString(name.database)) AND name = \(quotedString(name.table))
        """)
    }
    guard let engine = found.first?[0], let select = found.first?[1] else { return nil }
    if Self.enginesThatReadOthers.contains(engine) {
      throw EngineError(
        message:
          "\(name), of the engine \(engine), would read tables as they are now, not as of the "
          + "snapshot")
    }
    guard engine == "View" else { return nil }
    // A view is read as it is defined now.
    if let view = known[name], view.definition == select {
      try check(view.tables)
      return view
    }
    guard
      let replaced = try await replacing(SQLText(select), name.database, [:], depth: depth + 1)
    else { return nil }
    // At another commit point other tables may be read by past views.
    let commit = pin.point.commit
    return try await tables.storage.withConnection { connection in
      try await past.add(
        name, of: nil, definition: select, reaching: Set(replaced.views.flatMap(\.tables)),
        for: commit..<commit + 1, forKept: pin.lasting,
        holding: Set(replaced.views.flatMap(\.storage)), select: replaced.text,
        madeAt: replaced.revision, registry: tables.storage.registry, on: connection)
    }
  }

  private static let enginesThatReadOthers: Set<String> = [
    "Alias", "Buffer", "Distributed", "Loop", "Merge", "WindowView",
  ]

  private func check(_ names: Set<TableReference>) throws {
    guard let known = pin.tables, let name = names.subtracting(known).first else { return }
    throw EngineError(code: 60, message: "the snapshot is not of \(name)")
  }
}

extension SQLText {
  /// Where names stand for which others are to be read.
  fileprivate func edits(
    of places: [TableReference: TableReference], database: String
  ) -> [(range: Range<Int>, text: String)] {
    var edits: [(range: Range<Int>, text: String)] = []
    for index in tokens.indices where !isSymbol(index - 1, ".") {
      guard let first = identifier(index) else { continue }
      if isSymbol(index + 1, "."), let second = identifier(index + 2) {
        let name = TableReference(database: first, table: second)
        if let place = places[name] { edits.append((byteRange(index..<index + 3), place.quoted)) }
      } else if let place = places[TableReference(database: database, table: first)],
        !isSymbol(index + 1, "."), isTable(index)
      {
        edits.append((byteRange(index..<index + 1), place.quoted))
      }
    }
    return edits
  }

  /// Whether a name without a database stands, somewhere, for something else than the table: it may be
  /// given by WITH, WINDOW or AS.
  fileprivate func hasOtherMeaning(of name: String) -> Bool {
    tokens.indices.contains { index in
      identifier(index) == name && !isSymbol(index - 1, ".") && !isSymbol(index + 1, ".")
        && !isTable(index)
    }
  }

  /// Whether a name stands where a table does.
  private func isTable(_ index: Int) -> Bool {
    if ["FROM", "JOIN", "IN", "TABLE", "DESCRIBE", "DESC"].contains(word(index - 1)) {
      return true
    }
    guard isSymbol(index - 1, ",") else { return false }
    // A list of tables begins with FROM.
    for earlier in (0..<index - 1).reversed() where depth(earlier) <= depth(index) {
      if depth(earlier) < depth(index) { return false }
      switch word(earlier) {
      case "FROM": return true
      case "SELECT", "WHERE", "BY", "ON", "USING", "WITH", "PREWHERE", "HAVING", "WINDOW", "LIMIT":
        return false
      default: continue
      }
    }
    return false
  }
}
