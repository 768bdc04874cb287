/// An index of a table at the source.
public struct TableKey: Hashable, Sendable, Codable {
  public struct Part: Hashable, Sendable, Codable {
    /// The column's name; nil for an expression.
    public var column: String?
    /// How many characters or bytes of the column are in the index; nil for all.
    public var prefixLength: Int?

    public var hasPrefix: Bool { prefixLength != nil }

    public init(column: String?, prefixLength: Int? = nil) {
      self.column = column
      self.prefixLength = prefixLength
    }

    /// A prefix as long as the column, or of a type that has none, is the whole column.
    init(column: Column, prefixLength: Int?) {
      let capacity =
        switch column.type {
        case .string, .bytes, .json:
          column.detail.map { $0.characterCapacity ?? $0.byteCapacity ?? .max } ?? .max
        case .binary(let length): length
        case .geometry: Int.max
        case .integer, .float, .double, .decimal, .bit, .date, .datetime, .timestamp, .time, .year,
          .enumeration, .set, .inet4, .inet6, .uuid, .vector:
          0
        }
      self.init(
        column: column.name, prefixLength: prefixLength.flatMap { $0 < capacity ? $0 : nil })
    }
  }

  /// The name of every primary key.
  public static let primaryName = "PRIMARY"

  public var name: String
  public var isUnique: Bool
  public var parts: [Part]
  /// What USING says, in capital letters; nil when nothing was said, or it was never read.
  public var type: String?

  public init(name: String, isUnique: Bool, parts: [Part], type: String? = nil) {
    self.name = name
    self.isUnique = isUnique
    self.parts = parts
    self.type = type
  }

  public var isPrimary: Bool { name == Self.primaryName }

  /// Whether the first parts of `other` are the whole columns of this index.
  fileprivate func isCovered(by other: TableKey) -> Bool {
    parts.count <= other.parts.count
      && zip(parts, other.parts).allSatisfy { part, covering in
        part.column != nil && part.column == covering.column && !covering.hasPrefix
      }
  }
}

/// An index as a statement declares it, before it has a name of its own.
struct KeyDefinition: Hashable, Sendable {
  var name: String?
  var isUnique = false
  var parts: [TableDefinition.KeyPart]
  /// What USING says, in capital letters.
  var type: String?
  var ifNotExists = false
  /// Made for a foreign key, unless another index begins with its columns.
  var isImplied = false
}

// MARK: - The key by which rows are known

extension TableSchema {
  /// The most bytes of an index in which the server compares whole values; it keeps a hash of
  /// longer ones.
  private static let indexByteLimit = 3072

  /// Puts ``keys`` into the server's order and chooses ``primaryKey`` among them.
  mutating func chooseKey() {
    guard var keys else { return }
    // The places break ties: the sort of the standard library need not keep the order.
    let ranks = keys.map { rank(of: $0) }
    keys = keys.indices.sorted { (ranks[$0], $0) < (ranks[$1], $1) }.map { keys[$0] }
    self.keys = keys
    primaryKey = []
    primaryKeyHasPrefix = false
    primaryKeyIsUniqueKey = false
    if let primary = keys.first(where: \.isPrimary), !hasFloatingPoint(primary) {
      primaryKey = primary.parts.compactMap { $0.column.flatMap(columnIndex) }
      primaryKeyHasPrefix = primary.parts.contains(where: \.hasPrefix)
    } else if let unique = keys.first(where: identifiesRows) {
      primaryKey = unique.parts.compactMap { $0.column.flatMap(columnIndex) }
      primaryKeyIsUniqueKey = true
    }
  }

  /// Whether a key tells the rows at the server that has floating-point numbers, so that it is not
  /// the ``primaryKey`` here.
  public var hasFloatingPointKey: Bool {
    keys?.contains { $0.isUnique && !mayBeNull($0) && hasFloatingPoint($0) } ?? false
  }

  /// The columns of the primary key cannot be NULL, whether it serves as the key or not.
  mutating func applyPrimaryKeyNullability() {
    for part in keys?.first(where: \.isPrimary)?.parts ?? [] {
      guard let index = part.column.flatMap(columnIndex) else { continue }
      columns[index].isNullable = false
      if columns[index].default == .null { columns[index].default = .none }
    }
  }

  /// The server's order: the primary key, unique keys without NULLs, those with whole columns
  /// first, other unique keys, those that are kept as hashes, the rest.
  private func rank(of key: TableKey) -> Int {
    if key.isPrimary { return 0 }
    guard key.isUnique else { return 6 }
    if isHashed(key) { return 5 }
    return (mayBeNull(key) ? 3 : 1) + (key.parts.contains(where: \.hasPrefix) ? 1 : 0)
  }

  private func columns(of key: TableKey) -> [Column?] {
    key.parts.map { part in part.column.flatMap(columnIndex).map { columns[$0] } }
  }

  private func mayBeNull(_ key: TableKey) -> Bool {
    columns(of: key).contains { $0?.isNullable ?? true }
  }

  /// A value that is read back in other digits would be another key.
  private func hasFloatingPoint(_ key: TableKey) -> Bool {
    columns(of: key).contains { $0?.type == .float || $0?.type == .double }
  }

  /// How many columns MariaDB may add at the end of the table's row images that no statement sees: the
  /// hashes of the values of unique keys that are too long for an index, or were declared USING HASH, which
  /// the next ALTER TABLE forgets. Nil when the keys are not known.
  public var hashColumnCount: Int? {
    keys.map { keys in keys.count { $0.isUnique && isHashed($0) } }
  }

  private func isHashed(_ key: TableKey) -> Bool {
    guard !key.isPrimary else { return false }
    let hasHashes = ["memory", "heap"].contains(storageEngine?.lowercased())
    if key.type == "HASH", !hasHashes { return true }
    var byteCount = 0
    for (column, part) in zip(columns(of: key), key.parts) {
      guard let column else { continue }
      switch column.type {
      case .string(let charset):
        guard let detail = column.detail else { continue }
        guard let capacity = part.prefixLength ?? detail.characterCapacity else { return true }
        byteCount +=
          min(capacity, Self.indexByteLimit + 1)
          * (charset.map { Charset.characterWidths($0).upperBound } ?? 4)
      case .bytes:
        guard let detail = column.detail else { continue }
        guard
          let capacity = part.prefixLength
            ?? detail.byteCapacity.flatMap({ TypeDetail.longCapacities.contains($0) ? nil : $0 })
        else { return true }
        byteCount += min(capacity, Self.indexByteLimit + 1)
      case .json, .geometry, .vector:
        guard let capacity = part.prefixLength else { return true }
        byteCount += capacity
      case .binary(let length): byteCount += part.prefixLength ?? length
      case .integer, .float, .double, .decimal, .bit, .date, .datetime, .timestamp, .time, .year,
        .enumeration, .set, .inet4, .inet6, .uuid:
        byteCount += 8
      }
    }
    return byteCount > Self.indexByteLimit
  }

  /// Whether InnoDB would order a table without a primary key by this one.
  private func identifiesRows(_ key: TableKey) -> Bool {
    key.isUnique && !mayBeNull(key) && !key.parts.contains(where: \.hasPrefix)
      && !hasFloatingPoint(key) && !isHashed(key)
  }
}

// MARK: - Adding keys

extension TableSchema {
  /// Adds indices in the order of the statement, under the names that the server would give them.
  ///
  /// - Throws: For an index of an unknown column, and for more indices than any server allows.
  mutating func addKeys(_ definitions: [KeyDefinition]) throws(SQLSyntaxError) {
    guard var keys else { return }
    guard keys.count + definitions.count <= 256 else {
      throw SQLSyntaxError(reason: "more than 256 indices", offset: 0)
    }
    var added: [(definition: KeyDefinition, key: TableKey)] = []
    for definition in definitions {
      let parts = try definition.parts.map { (part) throws(SQLSyntaxError) in try keyPart(part) }
      let key = TableKey(
        name: definition.name ?? "", isUnique: definition.isUnique, parts: parts,
        type: definition.type)
      let wanted = definition.name ?? parts.first?.column ?? ""
      if definition.ifNotExists, keys.contains(where: { sameName($0.name, wanted) }) { continue }
      added.append((definition, key))
    }
    // An index for a foreign key goes when another serves it.
    keys.removeAll { key in
      isImplied(key) && added.contains { !$0.definition.isImplied && key.isCovered(by: $0.key) }
    }
    for (index, new) in added.enumerated() {
      if new.definition.isImplied {
        let isServed =
          keys.contains { new.key.isCovered(by: $0) }
          || added[(index + 1)...].contains {
            !$0.definition.isImplied && new.key.isCovered(by: $0.key)
          }
        if isServed { continue }
      }
      var key = new.key
      if key.name.isEmpty { key.name = Self.newName(for: key, among: keys) }
      if keys.contains(where: { sameName($0.name, key.name) }) {
        throw SQLSyntaxError(reason: "a second index \(key.name)", offset: 0)
      }
      keys.append(key)
    }
    self.keys = keys
  }

  func keyPart(_ part: TableDefinition.KeyPart) throws(SQLSyntaxError) -> TableKey.Part {
    guard !part.isExpression else { return TableKey.Part(column: nil) }
    guard !part.isPeriod else {
      throw SQLSyntaxError(reason: "an index over the period \(part.name)", offset: 0)
    }
    guard let index = columnIndex(part.name) else {
      throw SQLSyntaxError(reason: "unknown column \(part.name)", offset: 0)
    }
    return TableKey.Part(column: columns[index], prefixLength: part.prefixLength)
  }

  /// Whether the server made this index for a foreign key. SHOW CREATE TABLE does not tell.
  private func isImplied(_ key: TableKey) -> Bool {
    !key.isUnique
      && foreignKeys.contains { foreignKey in
        key.parts.map(\.column) == foreignKey.columns
          && (sameName(key.name, foreignKey.name)
            || sameName(key.name, foreignKey.columns.first ?? ""))
      }
  }

  /// The first column's name, with a number from 2 on when it is taken.
  private static func newName(for key: TableKey, among keys: [TableKey]) -> String {
    let base = key.parts.first.map { $0.column ?? "functional_index" } ?? ""
    let taken = Set(keys.map { $0.name.lowercased() } + [TableKey.primaryName.lowercased()])
    var name = base
    var number = 2
    while taken.contains(name.lowercased()) {
      name = "\(base)_\(number)"
      number += 1
    }
    return name
  }
}

/// Whether two names of columns or indices are the same to the server.
func sameName(_ left: String, _ right: String) -> Bool {
  left == right || left.lowercased() == right.lowercased()
}
