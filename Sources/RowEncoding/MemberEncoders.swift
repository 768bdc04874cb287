import Arrow
import Binlog
import MySQLSchema
import WireFormat

/// The different texts of the members of an ENUM or SET. Several members may have the same one, such as
/// those of characters that the column's charset lacks.
struct MemberTexts {
  private(set) var texts: [[UInt8]] = []
  /// For each member the position of its text.
  private(set) var positions: [Int] = []

  init(_ members: [String]) {
    var known: [String: Int] = [:]
    for member in members {
      if let position = known[member] {
        positions.append(position)
      } else {
        known[member] = texts.count
        positions.append(texts.count)
        texts.append(Array(member.utf8))
      }
    }
  }

  /// The texts of an ENUM by the numbers that the server stores: 0 is the empty one, of what is no member.
  static func numbered(_ members: [String]) -> MemberTexts { MemberTexts([""] + members) }

  var arrowType: DataType { .dictionary(texts.count) }
}

/// ENUM, by its text.
final class EnumerationEncoder: ColumnEncoder {
  private let values: DictionaryBuilder
  private let members: MemberTexts
  private let memberCount: Int
  private let byteCount: Int

  init(_ column: Column, _ field: Field, _ context: ColumnContext, members: [String]) {
    self.members = .numbered(members)
    values = DictionaryBuilder(values: self.members.texts, valueType: .utf8)
    memberCount = members.count
    byteCount = memberCount > 255 ? 2 : 1
    super.init(column, field, values, context)
  }

  override func accept(_ wire: WireColumnType) -> Bool {
    wire == .enumeration(byteCount: byteCount)
  }

  override func decode(_ reader: inout ByteReader) throws(DecodeError) {
    let start = reader.offset
    let number =
      byteCount == 1 ? Int(try reader.read(UInt8.self)) : Int(try reader.read(UInt16.self))
    try append(number, at: start)
  }

  override func appendText(_ cell: UnsafeRawBufferPointer) throws(DecodeError) {
    try append(Int(parseInteger(cell, byteCount: 2, isSigned: false)), at: 0)
  }

  private func append(_ number: Int, at offset: Int) throws(DecodeError) {
    guard number <= memberCount else {
      throw DecodeError(.malformed, "number of an ENUM member", at: offset)
    }
    values.append(index: members.positions[number])
  }
}

/// SET, as the list of its members' texts in the order of their declaration.
final class SetEncoder: ColumnEncoder {
  private let values: ListBuilder
  private let items: DictionaryBuilder
  private let positions: [Int]
  private let memberCount: Int
  private let byteCount: Int

  init(_ column: Column, _ field: Field, _ context: ColumnContext, members: [String]) {
    let texts = MemberTexts(members)
    positions = texts.positions
    items = DictionaryBuilder(values: texts.texts, valueType: .utf8)
    values = ListBuilder(item: ColumnType.item(items.type), child: items)
    memberCount = members.count
    // The server stores 1, 2, 3, 4 or 8 bytes.
    byteCount = memberCount > 32 ? 8 : max((memberCount + 7) / 8, 1)
    super.init(column, field, values, context)
  }

  override func accept(_ wire: WireColumnType) -> Bool { wire == .set(byteCount: byteCount) }

  override func decode(_ reader: inout ByteReader) throws(DecodeError) {
    let start = reader.offset
    try append(reader.readUInt(byteCount: byteCount), at: start)
  }

  override func appendText(_ cell: UnsafeRawBufferPointer) throws(DecodeError) {
    try append(parseInteger(cell, byteCount: 8, isSigned: false), at: 0)
  }

  private func append(_ mask: UInt64, at offset: Int) throws(DecodeError) {
    guard memberCount >= 64 || mask >> UInt64(memberCount) == 0 else {
      throw DecodeError(.malformed, "members of a SET", at: offset)
    }
    var rest = mask
    while rest != 0 {
      items.append(index: positions[rest.trailingZeroBitCount])
      rest &= rest &- 1
    }
    values.endList()
  }
}
