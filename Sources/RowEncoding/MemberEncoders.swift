import Arrow
import Binlog
import MySQLSchema
import WireFormat

/// The texts of an ENUM: the empty one, which is the server's value 0 for what is no member, then
/// the members.
struct EnumerationMembers {
  let texts: [[UInt8]]
  /// The number of the member that is itself empty, which shares the first text; nil without one.
  private let emptyMember: Int?

  init(_ members: [String]) {
    emptyMember = members.firstIndex(of: "").map { $0 + 1 }
    texts = [[]] + members.filter { !$0.isEmpty }.map { Array($0.utf8) }
  }

  var arrowType: DataType { .dictionary(texts.count) }

  /// The position in ``texts`` of the value that the server stores as `number`.
  func index(of number: Int) -> Int {
    guard let emptyMember, number >= emptyMember else { return number }
    return number == emptyMember ? 0 : number - 1
  }
}

/// ENUM, by its text.
final class EnumerationEncoder: ColumnEncoder {
  private let values: DictionaryBuilder
  private let members: EnumerationMembers
  private let memberCount: Int
  private let byteCount: Int

  init(_ column: Column, _ field: Field, _ context: ColumnContext, members: [String]) {
    self.members = EnumerationMembers(members)
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
    values.append(index: members.index(of: number))
  }
}

/// SET, as the list of its members' texts in the order of their declaration.
final class SetEncoder: ColumnEncoder {
  private let values: ListBuilder
  private let items: DictionaryBuilder
  private let memberCount: Int
  private let byteCount: Int

  init(_ column: Column, _ field: Field, _ context: ColumnContext, members: [String]) {
    items = DictionaryBuilder(values: members.map { Array($0.utf8) }, valueType: .utf8)
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
      items.append(index: rest.trailingZeroBitCount)
      rest &= rest &- 1
    }
    values.endList()
  }
}
