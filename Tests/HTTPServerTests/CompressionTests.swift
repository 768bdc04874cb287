import Compression
import Foundation
import Testing

@testable import HTTPServer

@Suite struct CompressionTests {
  private static func sample(_ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 3) }
  }

  /// Values of the `clickhouse-cityhash` package.
  @Test(arguments: [
    (0, "3df09dfc64c09a2b", "3cb540c392e51e29"), (1, "39379490ccb55d55", "2af2b13064cd571f"),
    (4, "2321e75aee8d6c41", "cea6b327f605358d"), (8, "b6ad7c9a5953432f", "9f0e02109921888c"),
    (9, "5601ccf1e058519a", "f8512fca28333fef"), (16, "21e79cab7f9c2b79", "a35615c235313f7a"),
    (17, "0cd5bb13faea6e4c", "32bf719178f6bbfe"), (32, "67cfab8404eec7e9", "80cd3c27f5bd61ee"),
    (33, "94bbf1d5b6ddb61", "10572bd58efa7aaf"), (127, "1f1c2a3c62829942", "5d5820604b01deea"),
    (128, "11d00b10d6694d31", "108fb9e5b83fdff4"), (144, "d639167b9b85767d", "07a10bf4573107c6"),
    (272, "efd5ff73250bf76d", "edec81d742e3b161"), (300, "d6306a0c4528ae11", "37c2e51cab2517ef"),
    (1000, "984b538c7b372373", "f6e6cbc56b688720"),
    (100_000, "ad438ab8482f6845", "8d86acc59e44e962"),
  ])
  func cityHash(count: Int, low: String, high: String) {
    let hash = Self.sample(count).withUnsafeBytes { CityHash128($0) }
    #expect(String(hash.low, radix: 16) == low.drop { $0 == "0" })
    #expect(String(hash.high, radix: 16) == high.drop { $0 == "0" })
  }

  @Test(arguments: CompressionFormat.allCases, [1, 1000, 1 << 20])
  func formatsRoundTripInPieces(format: CompressionFormat, step: Int) throws {
    let original = Self.sample(step == 1 ? 3000 : 3_000_000)
    let compressor = try Compressor(format)
    var compressed: [UInt8] = []
    for start in stride(from: 0, to: original.count, by: max(step, 1000)) {
      let piece = original[start..<min(start + max(step, 1000), original.count)]
      compressed += try piece.withUnsafeBytes { bytes throws(CompressionError) in
        try compressor.compress(bytes)
      }
    }
    compressed += try compressor.finish()
    #expect(compressed.count < original.count)
    // Two streams one after the other are one.
    let twice = compressed + compressed
    let decompressor = try Decompressor(format)
    #expect(try decompress(twice, by: decompressor, step: step) == original + original)
    try decompressor.finish()

    let cut = try Decompressor(format)
    _ = try decompress(Array(compressed.dropLast()), by: cut, step: step)
    #expect(throws: CompressionError.self) { try cut.finish() }
  }

  private func decompress(
    _ bytes: [UInt8], by decompressor: Decompressor, step: Int
  ) throws -> [UInt8] {
    var output: [UInt8] = []
    var position = 0
    while position < bytes.count {
      let end = min(position + step, bytes.count)
      while true {
        let (piece, consumed) = try bytes[position..<end].withUnsafeBytes {
          bytes throws(CompressionError) in try decompressor.decompress(bytes)
        }
        position += consumed
        output += piece
        if piece.isEmpty { break }
      }
    }
    return output
  }

  @Test(arguments: CompressionFormat.allCases)
  func whatIsNotCompressedIsRefused(format: CompressionFormat) throws {
    let decompressor = try Decompressor(format)
    #expect(throws: CompressionError.self) {
      _ = try decompress(
        Array("SELECT 1 is not compressed at all".utf8), by: decompressor, step: 1000)
      try decompressor.finish()
    }
  }

  @Test func blocksRoundTripAndAreChecked() throws {
    let original = Self.sample(100_000)
    var block: [UInt8] = []
    original.withUnsafeBytes { CompressedBlock.append($0, to: &block) }
    let first = try #require(try Self.first(block + [1, 2, 3]))
    #expect(first.content == original)
    #expect(first.byteCount == block.count)
    for count in stride(from: 0, to: block.count, by: 97) {
      #expect(try Self.first(Array(block[..<count])) == nil)
    }
    for position in stride(from: 0, to: block.count, by: 31) where !(17..<21).contains(position) {
      var damaged = block
      damaged[position] ^= 1
      #expect(throws: CompressedBlockError.self) { try Self.first(damaged) }
    }
  }

  /// A block that another program made.
  @Test func blockOfAnotherProgramIsRead() throws {
    let block = try #require(
      Data(base64Encoded: "Bpuzi9VeQQ77ukNRf40j4oIcAAAAJQAAAG9oZWxsbyAGAASALCBibG9ja3M="))
    let content = try #require(try Self.first([UInt8](block))).content
    #expect(String(decoding: content, as: UTF8.self) == "hello hello hello hello hello, blocks")
  }

  private static func first(
    _ bytes: [UInt8]
  ) throws -> (content: [UInt8], byteCount: Int)? {
    try bytes.withUnsafeBytes { bytes throws(CompressedBlockError) in
      try CompressedBlock.first(in: bytes)
    }
  }
}
