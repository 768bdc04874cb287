import Testing
import WireFormat

@Suite struct ByteReaderTests {
  @Test func readsIntegersOfEveryWidth() throws {
    let bytes: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8, 9]
    var reader = ByteReader(bytes.span.bytes)
    #expect(try reader.read(UInt8.self) == 1)
    #expect(try reader.readUInt(byteCount: 3) == 0x040302)
    #expect(try reader.readBigEndianUInt(byteCount: 3) == 0x050607)
    #expect(try reader.readBigEndian(UInt16.self) == 0x0809)
    let isAtEnd = reader.isAtEnd
    #expect(isAtEnd)
  }

  @Test func leavesTheCursorWhenBytesAreMissing() throws {
    let bytes: [UInt8] = [0xFC, 1]
    var reader = ByteReader(bytes.span.bytes)
    do {
      _ = try reader.readLengthEncodedInteger()
      Issue.record("no error")
    } catch {
      #expect(error.code == .truncated)
      #expect(error.offset == 1)
    }
    let offset = reader.offset
    #expect(offset == 0)
  }

  @Test func computesTheStandardCheckValue() {
    let bytes = Array("123456789".utf8)
    #expect(crc32(bytes.span.bytes) == 0xCBF4_3926)
  }

  @Test func refusesCountsAboveALimit() throws {
    for (limit, bytes) in [
      (-1, [0]), (1, [2]), (.max, [0xFE] + [UInt8](repeating: 0xFF, count: 8)),
    ] {
      let input: [UInt8] = bytes
      var reader = ByteReader(input.span.bytes)
      do {
        _ = try reader.readLengthEncodedCount(atMost: limit, "count")
        Issue.record("no error for \(limit)")
      } catch {
        #expect(error.code == .limitExceeded)
      }
    }
  }
}
