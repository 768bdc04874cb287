/// A field with the identifiers that the IPC format gives to dictionaries.
///
/// The children are those of the field's type; of a dictionary-encoded one, those of its values.
struct IPCField: Sendable {
  let field: Field
  let dictionaryID: Int64?
  let children: [IPCField]
  /// Whether the message has the values as views (`Utf8View`, `BinaryView`), which are turned into
  /// plain ones.
  let isView: Bool

  /// Whether the field or anything below it is dictionary-encoded.
  var hasDictionary: Bool { dictionaryID != nil || children.contains { $0.hasDictionary } }

  init(field: Field, dictionaryID: Int64?, children: [IPCField], isView: Bool = false) {
    self.isView = isView
    self.field = field
    self.dictionaryID = dictionaryID
    self.children = children
  }

  /// Gives each dictionary below `field` an identifier of its own.
  init(numbering field: Field, nextID: inout Int64) {
    var valueType = field.type
    var id: Int64?
    if case .dictionary(_, let values) = field.type {
      valueType = values
      id = nextID
      nextID += 1
    }
    self.init(
      field: field, dictionaryID: id,
      children: valueType.childFields.map { IPCField(numbering: $0, nextID: &nextID) })
  }
}

/// The numbers that `Schema.fbs` and `Message.fbs` give to the variants of their unions.
enum IPCHeader {
  static let schema = 1
  static let dictionaryBatch = 2
  static let recordBatch = 3
  /// `MetadataVersion.V5`.
  static let version = 4
}

/// The numbers of the `Type` union in `Schema.fbs`.
enum IPCType: Int {
  case null = 1
  case int, floatingPoint, binary, utf8, bool, decimal, date, time, timestamp
  case list = 12
  case structure, union, fixedSizeBinary
  case fixedSizeList, map, duration, largeBinary, largeUtf8, largeList
  case binaryView = 23
  case utf8View
}

/// The numbers of the `UnionMode` enumeration in `Schema.fbs`.
enum IPCUnionMode {
  static let dense = 1
}
