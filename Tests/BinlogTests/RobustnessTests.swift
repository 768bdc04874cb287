import Binlog
import Testing
import WireFormat

/// Broken files give a `DecodeError`, or the events before the place, and never end the process.
@Suite(.enabled(if: Fixtures.areAvailable)) struct RobustnessTests {
  static let truncated = [
    "osheroff/mysql-bin.compressed", "zalora/mysql-bin.07",
    "rust-us/5.7/33_35_gtid_prev_gtid/log.bin",
    "blackbeam/binlog_transaction_with_GTID_TAG.000001",
  ]

  @Test(arguments: truncated) func everyPrefixOfAFile(_ path: String) throws {
    let bytes = try Fixtures.bytes(path)
    let ends = Set(try decodeFile(bytes).map(\.end)).union([4])
    for count in 0..<bytes.count {
      let isAtEventEnd = ends.contains(UInt64(count))
      #expect(
        try decodeErrorCode { _ = try decodeFile(Array(bytes[..<count])) }
          == (isAtEventEnd ? nil : .truncated))
    }
  }

  /// Each event is cut at each of its bytes, with a length and a checksum that fit the rest.
  @Test(arguments: truncated) func everyPrefixOfEachEvent(_ path: String) throws {
    let events = try split(try Fixtures.bytes(path))
    let format = try #require(try decodeFormat(events))
    for index in events.indices.dropFirst() {
      let body = events[index].dropLast(format.checksum == .crc32 ? 4 : 0)
      for count in 19..<body.count {
        var cut = events
        cut[index] = seal(Array(body.prefix(count)), format.checksum)
        _ = try decodeErrorCode { _ = try decodeWithRows(cut) }
      }
    }
  }

  @Test(arguments: Fixtures.binlogs) func mutatedEvents(_ path: String) throws {
    let events = try split(try Fixtures.bytes(path))
    let format = try #require(try decodeFormat(events))
    var generator = SeededGenerator(seed: UInt64(events.count))
    // Long files take fewer rounds, so that each takes about as long.
    let rounds = max(20, 12_000 / events.count / 4)
    for _ in 0..<rounds {
      var mutated = events
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        let index = Int.random(in: 0..<events.count, using: &generator)
        var body = Array(events[index].dropLast(format.checksum == .crc32 ? 4 : 0))
        let offset = Int.random(in: 4..<body.count, using: &generator)
        body[offset] =
          Bool.random(using: &generator)
          ? UInt8.random(in: 0...255, using: &generator)
          : [0, 1, 0x7F, 0x80, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF].randomElement(using: &generator) ?? 0
        mutated[index] = seal(body, format.checksum)
      }
      _ = try decodeErrorCode { _ = try decodeWithRows(mutated) }
    }
  }

  @Test(arguments: Fixtures.binlogs) func mutatedFiles(_ path: String) throws {
    let bytes = try Fixtures.bytes(path)
    var generator = SeededGenerator(seed: UInt64(bytes.count))
    for _ in 0..<max(20, 400_000 / max(bytes.count, 1000)) {
      var mutated = bytes
      let start = Int.random(in: 0..<bytes.count, using: &generator)
      switch Int.random(in: 0..<3, using: &generator) {
      case 0: mutated[start] ^= 1 << UInt8.random(in: 0...7, using: &generator)
      case 1: mutated.removeSubrange(start..<min(start + 9, bytes.count))
      default: mutated.insert(contentsOf: bytes[start..<min(start + 9, bytes.count)], at: start)
      }
      _ = try decodeErrorCode { _ = try decodeFile(mutated) }
    }
  }

  private func split(_ file: [UInt8]) throws -> [[UInt8]] {
    var framer = EventFramer()
    var events: [[UInt8]] = []
    try framer.push(file.span.bytes) { event, _ in
      events.append(event.withUnsafeBytes { [UInt8]($0) })
    }
    return events
  }

  private func decodeFormat(_ events: [[UInt8]]) throws -> FormatDescription? {
    guard case .formatDescription(let format) = try decodeEvents([events[0]])[0].event.body else {
      return nil
    }
    return format
  }

  /// Gives a changed event the length and the checksum that belong to it.
  private func seal(_ content: [UInt8], _ checksum: ChecksumAlgorithm) -> [UInt8] {
    var event = content
    let length = UInt32(content.count + (checksum == .crc32 ? 4 : 0))
    event.replaceSubrange(9..<13, with: littleEndian(length))
    return checksum == .crc32 ? event + littleEndian(crc32(event.span.bytes)) : event
  }

  /// Decodes events and walks over the cells of their rows.
  private func decodeWithRows(_ events: [[UInt8]]) throws {
    for visited in try decodeEvents(events) {
      if case .rows(let rows) = visited.event.body { _ = try countRows(rows, visited.bytes) }
    }
  }
}
