import Binlog
import Testing
import WireFormat

private let server = "3e11fa47-71ca-11e1-9e33-c80aa9429562"

@Suite struct SourceGTIDsTests {
  @Test(arguments: [
    ("0-1-7", "0-1-7", true), ("0-1-7", "0-2-6", true), ("0-1-7", "0-1-8", false),
    ("0-1-7,5-1-2", "5-9-2", true), ("0-1-7", "5-1-1", false), ("0-1-7", "", true),
    ("", "0-1-1", false), ("\(server):1-9", "\(server):3-9", true),
    ("\(server):1-9", "\(server):9-10", false), ("\(server):1-9", "0-1-1", false),
    ("0-1-7", "\(server):1", false),
  ]) func contains(_ own: String, _ others: String, _ isTrue: Bool) throws {
    #expect(try SourceGTIDs(own).contains(SourceGTIDs(others)) == isTrue)
  }

  @Test func transactionsAreAdded() throws {
    var gtids = try SourceGTIDs("")
    gtids.insert(.mariadb(MariaDBGTID(domain: 0, server: 1, sequence: 7)))
    gtids.insert(.mariadb(MariaDBGTID(domain: 2, server: 1, sequence: 3)))
    gtids.insert(.mariadb(MariaDBGTID(domain: 0, server: 4, sequence: 8)))
    #expect(gtids.description == "0-4-8,2-1-3")
    let source = GTIDSource(uuid: try ServerUUID(server))
    gtids.insert(.mysql(GTID(source: source, number: 1)))
    gtids.insert(.mysql(GTID(source: source, number: 2)))
    gtids.insert(.mysql(GTID(source: source, number: 4)))
    #expect(gtids.description == "\(server):1-2:4")
    #expect(SourceGTID.mysql(GTID(source: source, number: 4)).description == "\(server):4")
  }

  @Test(arguments: ["yesterday", "0-1", "\(server):1-", "0-1-1,0-2-2"])
  func otherTextsAreRefused(_ text: String) {
    #expect(throws: DecodeError.self) { try SourceGTIDs(text) }
  }
}
