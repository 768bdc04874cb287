/// A named column, or a named child of a nested type.
public struct Field: Hashable, Sendable, Codable {
  /// The metadata key that names the extension type of a field.
  public static let extensionNameKey = "ARROW:extension:name"
  /// The metadata key that holds the parameters of the extension type.
  public static let extensionMetadataKey = "ARROW:extension:metadata"

  public var name: String
  public var type: DataType
  /// Whether values may be null.
  public var isNullable: Bool
  public var metadata: [String: String]

  public init(
    name: String, type: DataType, isNullable: Bool = true, metadata: [String: String] = [:]
  ) {
    self.name = name
    self.type = type
    self.isNullable = isNullable
    self.metadata = metadata
  }

  /// The name of the extension type (`arrow.uuid`, `magic.ipv6`, …), if the field has one.
  public var extensionName: String? { metadata[Self.extensionNameKey] }
}

/// The columns of record batches.
public struct Schema: Hashable, Sendable, Codable {
  public var fields: [Field]
  public var metadata: [String: String]

  public init(fields: [Field], metadata: [String: String] = [:]) {
    self.fields = fields
    self.metadata = metadata
  }

  /// The position of the first field called `name`.
  public func index(of name: String) -> Int? { fields.firstIndex { $0.name == name } }
}
