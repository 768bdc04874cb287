import Binlog
import Testing
import WireFormat

@Suite struct EventFramerTests {
  private let file: [UInt8] =
    [0xFE, 0x62, 0x69, 0x6E] + Make.formatDescription() + Make.event(3, [])
    + Make.event(16, littleEndian(UInt64(9)))

  private func frames(_ bytes: [UInt8], chunkSize: Int) throws -> [(offset: UInt64, count: Int)] {
    var framer = EventFramer()
    var frames: [(UInt64, Int)] = []
    for start in stride(from: 0, to: bytes.count, by: chunkSize) {
      let chunk = bytes.span.bytes.extracting(start..<min(start + chunkSize, bytes.count))
      try framer.push(chunk) { event, offset in frames.append((offset, event.byteCount)) }
    }
    return frames
  }

  @Test(arguments: [1, 2, 3, 5, 13, 19, 64, 1000]) func chunks(_ size: Int) throws {
    let frames = try frames(file, chunkSize: size)
    #expect(frames.map(\.offset) == [4, 256, 275])
    #expect(frames.map(\.count) == [252, 19, 27])
  }

  @Test func everyPrefixNeedsMoreUnlessItEndsWithAnEvent() throws {
    for count in 0...file.count {
      var framer = EventFramer(file: "bin.1")
      try framer.push(file.span.bytes.extracting(first: count)) { _, _ in }
      #expect(framer.isAtEventEnd == [4, 256, 275, 302].contains(count))
      if framer.isAtEventEnd {
        try framer.finish()
        #expect(framer.offset == UInt64(count))
      } else {
        #expect(try decodeErrorCode { try framer.finish() } == .truncated)
      }
    }
  }

  @Test func readingGoesOnFromAnOffset() throws {
    var framer = EventFramer(startingAt: 256)
    var offsets: [UInt64] = []
    try framer.push(file.span.bytes.extracting(256...)) { _, offset in offsets.append(offset) }
    #expect(offsets == [256, 275])
    #expect(framer.offset == 302)
  }

  @Test func errors() throws {
    func error(_ bytes: [UInt8], limit: Int = 1000) throws -> DecodeError.Code? {
      try decodeErrorCode {
        var framer = EventFramer(maximumEventLength: limit)
        try framer.push(bytes.span.bytes) { _, _ in }
      }
    }
    #expect(try error(file) == nil)
    #expect(try error(file, limit: 251) == .limitExceeded)
    #expect(try error([0x1F, 0x8B, 0x08, 0x00]) == .malformed)
    #expect(try error([0xFD, 0x62, 0x69, 0x6E]) == .unsupported)
    var short = Array(file[..<4]) + Make.event(3, [])
    short[13] = 18
    #expect(try error(short) == .malformed)
    // The length alone is an error; nothing is allocated for it.
    short.replaceSubrange(13..<17, with: [0xFF, 0xFF, 0xFF, 0xFF])
    #expect(try error(short, limit: EventFramer.defaultMaximumEventLength) == .limitExceeded)
  }

  @Test(.enabled(if: Fixtures.areAvailable), arguments: Fixtures.binlogs)
  func fixturesInChunks(_ path: String) throws {
    let bytes = try Fixtures.bytes(path)
    let whole = try visitFile(bytes)
    for size in [1, 7, 4096] {
      let pieces = try visitFile(bytes, chunkSize: size)
      #expect(pieces.map(\.event) == whole.map(\.event))
      #expect(pieces.map(\.bytes) == whole.map(\.bytes))
    }
  }
}
