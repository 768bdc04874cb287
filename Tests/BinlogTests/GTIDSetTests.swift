import Binlog
import Foundation
import Testing
import WireFormat

private let first = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
private let second = "4e11fa47-71ca-11e1-9e33-c80aa9429562"

@Suite struct GTIDSetTests {
  private func gtid(_ uuid: String, _ number: Int64, tag: String = "") throws -> GTID {
    GTID(source: GTIDSource(uuid: try ServerUUID(uuid), tag: tag), number: number)
  }

  @Test(arguments: [
    ("", ""), ("\(first):1", "\(first):1"), ("\(first):1-5", "\(first):1-5"),
    ("\(first):5:1-3", "\(first):1-3:5"), ("\(first):1-3:4", "\(first):1-4"),
    ("\(first):1-9:3-4:8-12", "\(first):1-12"),
    (" \(second):7,\n \(first.uppercased()) : 2 - 3 ", "\(first):2-3,\(second):7"),
    ("\(first.replacingOccurrences(of: "-", with: "")):1", "\(first):1"),
    ("\(first):1-3:domain_a:4:9,\(first):Tag2:1", "\(first):1-3:domain_a:4:9:tag2:1"),
    ("\(first):1,\(first):2,", "\(first):1-2"),
  ]) func text(_ text: String, _ canonical: String) throws {
    let set = try GTIDSet(text)
    #expect(set.description == canonical)
    #expect(try GTIDSet(canonical) == set)
    #expect(try GTIDSet(decoding: set.encoded().span.bytes) == set)
    #expect(try JSONDecoder().decode(GTIDSet.self, from: JSONEncoder().encode(set)) == set)
  }

  @Test(arguments: [
    "x", first, "\(first):", "\(first):0", "\(first):5-3", "\(first):1-", "\(first):-1",
    "\(first):1-2-3", "\(first):9223372036854775807", "\(first):99999999999999999999",
    "\(first.dropLast()):1", "3e11fa4771ca-11e1-9e33-c80aa9429562-:1", "\(first):1tag:2",
    "ze11fa47-71ca-11e1-9e33-c80aa9429562:1", "\(first):\(String(repeating: "t", count: 33)):1",
  ]) func malformed(_ text: String) throws {
    #expect(try decodeErrorCode { _ = try GTIDSet(text) } == .malformed)
  }

  @Test func membership() throws {
    let set = try GTIDSet("\(first):1-5:9:tag:2,\(second):1")
    for (number, expected) in [(1, true), (5, true), (6, false), (9, true), (10, false)] {
      #expect(set.contains(try gtid(first, Int64(number))) == expected)
    }
    #expect(set.contains(try gtid(first, 2, tag: "tag")))
    #expect(!set.contains(try gtid(first, 1, tag: "tag")))
    #expect(set.contains(try GTIDSet("\(first):2-3:9")))
    #expect(!set.contains(try GTIDSet("\(first):5-9")))
    #expect(!set.contains(try GTIDSet("\(second):1-2")))
    #expect(set.contains(GTIDSet()))
    #expect(GTIDSet().isEmpty)
  }

  @Test func union() throws {
    var set = try GTIDSet("\(first):1-5:20-30")
    set.formUnion(try GTIDSet("\(first):4-19,\(second):2"))
    set.insert(try gtid(second, 1))
    set.insert(try gtid(second, 4, tag: "t"))
    #expect(set.description == "\(first):1-30,\(second):1-2:t:4")
  }

  @Test func insertionOrderDoesNotMatter() throws {
    var generator = SeededGenerator(seed: 7)
    for _ in 0..<50 {
      var numbers = (0..<60).map { _ in Int64.random(in: 1...80, using: &generator) }
      var set = GTIDSet()
      for number in numbers { set.insert(try gtid(first, number)) }
      numbers.sort()
      var sorted = GTIDSet()
      for number in numbers { sorted.insert(try gtid(first, number)) }
      #expect(set == sorted)
      for number in Int64(1)...80 {
        #expect(set.contains(try gtid(first, number)) == numbers.contains(number))
      }
    }
  }

  @Test func binary() throws {
    let untagged = try GTIDSet("\(first):1-3")
    #expect(
      untagged.encoded()
        == littleEndian(UInt64(1)) + littleEndian(try ServerUUID(first).high.byteSwapped)
        + littleEndian(try ServerUUID(first).low.byteSwapped) + littleEndian(UInt64(1))
        + littleEndian(UInt64(1)) + littleEndian(UInt64(4)))
    let tagged = try GTIDSet("\(first):1:ab:2").encoded()
    #expect(tagged[..<8] == [1, 2, 0, 0, 0, 0, 0, 1])
    // Every strict prefix is an error.
    for count in 0..<tagged.count {
      #expect(throws: DecodeError.self) {
        try GTIDSet(decoding: tagged.span.bytes.extracting(first: count))
      }
    }
    #expect(
      try decodeErrorCode { _ = try GTIDSet(decoding: (tagged + [0]).span.bytes) }
        == .trailingBytes)
    let endless = littleEndian(UInt64(0x00FF_FFFF_FFFF_FFFF))
    #expect(
      try decodeErrorCode { _ = try GTIDSet(decoding: endless.span.bytes) } == .truncated)
    let laterFormat = littleEndian(UInt64(9 << 56))
    #expect(
      try decodeErrorCode { _ = try GTIDSet(decoding: laterFormat.span.bytes) } == .unsupported)
  }
}

@Suite struct MariaDBGTIDTests {
  @Test func text() throws {
    let gtid = try MariaDBGTID("0-3704-2815")
    #expect(gtid == MariaDBGTID(domain: 0, server: 3704, sequence: 2815))
    #expect(gtid.description == "0-3704-2815")
  }

  @Test(arguments: ["", "1-2", "1-2-3-4", "a-2-3", "1--3", "+1-2-3", "4294967296-1-1", "1-2-3 "])
  func malformed(_ text: String) throws {
    #expect(try decodeErrorCode { _ = try MariaDBGTID(text) } == .malformed)
  }

  @Test func position() throws {
    var position = try MariaDBGTIDPosition(" 7-1-5,0-2-9 ")
    #expect(position.description == "0-2-9,7-1-5")
    #expect(position.contains(try MariaDBGTID("7-3-5")))
    #expect(!position.contains(try MariaDBGTID("7-1-6")))
    #expect(!position.contains(try MariaDBGTID("8-1-1")))
    position.advance(to: try MariaDBGTID("8-1-1"))
    #expect(position.description == "0-2-9,7-1-5,8-1-1")
    #expect(
      try JSONDecoder().decode(MariaDBGTIDPosition.self, from: JSONEncoder().encode(position))
        == position)
    #expect(try MariaDBGTIDPosition("") == MariaDBGTIDPosition())
    // A list names each server of a domain; the position is after the latest.
    let list = [try MariaDBGTID("0-1-9"), try MariaDBGTID("0-2-4"), try MariaDBGTID("1-1-1")]
    #expect(MariaDBGTIDPosition(after: list).description == "0-1-9,1-1-1")
    #expect(try decodeErrorCode { _ = try MariaDBGTIDPosition("0-1-1,0-2-2") } == .malformed)
  }
}
