import Testing
import WireFormat

@testable import Binlog

@Test("An empty GTID list, which MariaDB pads, is decoded whole")
func emptyGTIDList() throws {
  let body: [UInt8] = [0, 0, 0, 0, 0, 0]
  var reader = ByteReader(body.span.bytes)
  let list = try MariaDBGTID.decodeList(from: &reader)
  let isAtEnd = reader.isAtEnd
  #expect(list.isEmpty)
  #expect(isAtEnd)
}
