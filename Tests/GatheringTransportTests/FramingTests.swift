import GRPCCore
import NIOCore
import NIOHPACK
import Testing

@testable import GatheringTransport

@Suite struct FramingTests {
  private func framed(_ messages: [[UInt8]]) -> ByteBuffer {
    var bytes = ByteBuffer()
    for message in messages {
      bytes.writeMultipleIntegers(UInt8(0), UInt32(message.count))
      bytes.writeBytes(message)
    }
    return bytes
  }

  @Test(arguments: [1, 2, 3, 5, 7, 64, 1000, 1 << 17, 1 << 30])
  func messagesComeWholeHoweverTheyAreCut(pieceByteCount: Int) throws {
    let messages = [0, 1, 5, 0, 300, 65_535, 65_536, 100_000, 0].map { count in
      (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ count) }
    }
    var bytes = framed(messages)
    var deframer = MessageDeframer(maximumByteCount: 1 << 20)
    var received: [[UInt8]] = []
    while bytes.readableBytes > 0 {
      let piece = bytes.readSlice(length: min(pieceByteCount, bytes.readableBytes)) ?? ByteBuffer()
      received += try deframer.append(piece).map { Array($0.readableBytesView) }
    }
    #expect(received == messages)
    #expect(deframer.isBetweenMessages)
  }

  @Test func everyPrefixOfAMessageIsIncomplete() throws {
    let bytes = framed([[1, 2, 3, 4]])
    for count in 0..<bytes.readableBytes {
      var deframer = MessageDeframer(maximumByteCount: 100)
      let prefix = try #require(bytes.getSlice(at: 0, length: count))
      #expect(try deframer.append(prefix).isEmpty)
      #expect(deframer.isBetweenMessages == (count == 0))
    }
  }

  @Test func refusesLongAndCompressedMessagesAtTheirPrefix() {
    func error(_ bytes: [UInt8], maximum: Int = 1000) -> RPCError.Code? {
      var deframer = MessageDeframer(maximumByteCount: maximum)
      do throws(RPCError) {
        _ = try deframer.append(ByteBuffer(bytes: bytes))
        return nil
      } catch {
        return error.code
      }
    }
    #expect(error([0, 0, 0, 3, 0xE8]) == nil)
    #expect(error([0, 0, 0, 3, 0xE9]) == .resourceExhausted)
    #expect(error([0, 0xFF, 0xFF, 0xFF, 0xFF]) == .resourceExhausted)
    #expect(error([0, 0x7F, 0xFF, 0xFF, 0xFF], maximum: .max) == nil)
    #expect(error([0, 0xFF, 0xFF, 0xFF, 0xFF], maximum: .max) == .resourceExhausted)
    #expect(error([1, 0, 0, 0, 0]) == .internalError)
    #expect(error([77, 0, 0, 0, 0]) == .internalError)
  }

  @Test func declaredLengthsReserveNoMemory() throws {
    var deframer = MessageDeframer(maximumByteCount: .max)
    // Were its 2 GiB reserved, a few of them would end the process.
    for _ in 0..<1000 {
      deframer = MessageDeframer(maximumByteCount: .max)
      _ = try deframer.append(ByteBuffer(bytes: [0, 0x7F, 0xFF, 0xFF, 0xFF, 1]))
    }
    #expect(!deframer.isBetweenMessages)
  }

  @Test func framerSharesLargeBuffersAndJoinsSmallOnes() throws {
    var framer = MessageFramer()
    let large = ByteBuffer(repeating: 9, count: MessageFramer.sharedByteCount)
    framer.append(.headers([:]))
    try framer.append(MessageBytes(ByteBuffer(bytes: [1, 2])))
    try framer.append(
      MessageBytes(gathering: [ByteBuffer(bytes: [3]), large, ByteBuffer(bytes: [4])]))
    framer.append(.trailers([:]))
    #expect(framer.byteCount == 2 + 1 + large.readableBytes + 1)
    let parts = framer.takeParts()
    let prefix = UInt32(large.readableBytes + 2)
    let expected: [[UInt8]] = [
      [0, 0, 0, 0, 2, 1, 2, 0] + withUnsafeBytes(of: prefix.bigEndian, Array.init) + [3],
      Array(large.readableBytesView), [4],
    ]
    #expect(
      parts.compactMap { part in
        if case .data(let bytes) = part { Array(bytes.readableBytesView) } else { nil }
      } == expected)
    if case .data(let shared) = parts[2] {
      shared.withUnsafeReadableBytes { one in
        large.withUnsafeReadableBytes { #expect(one.baseAddress == $0.baseAddress) }
      }
    }
    #expect(parts.count == 5)
    #expect(framer.isEmpty && framer.byteCount == 0)
  }

  @Test func messageBytesAreOneBagOfBytes() {
    var bytes = MessageBytes(gathering: [ByteBuffer(bytes: [1, 2]), ByteBuffer(bytes: [3])])
    #expect(bytes.count == 3)
    #expect(bytes.withUnsafeBytes { Array($0) } == [1, 2, 3])
    bytes.withUnsafeMutableBytes { $0[1] = 7 }
    #expect(Array(bytes.contiguous.readableBytesView) == [1, 7, 3])
    #expect(bytes.buffers.count == 1)
    #expect(MessageBytes(repeating: 5, count: 2).withUnsafeBytes { Array($0) } == [5, 5])
    #expect(MessageBytes([1, 2] as [UInt8]).count == 2)
    #expect(MessageBytes(gathering: []).count == 0)
  }

  @Test func timeoutsAndMessagesFollowTheProtocol() {
    #expect(RequestHead.timeout("99999999H") == .seconds(99_999_999 * 3600))
    #expect(RequestHead.timeout("1M") == .seconds(60))
    #expect(RequestHead.timeout("7S") == .seconds(7))
    #expect(RequestHead.timeout("7m") == .milliseconds(7))
    #expect(RequestHead.timeout("7u") == .microseconds(7))
    #expect(RequestHead.timeout("0n") == .zero)
    for text in ["", "H", "-1S", "+1S", "100000000S", "1", "1 S", "1s"] {
      #expect(RequestHead.timeout(text) == nil, "\(text)")
    }
    #expect(ResponseHead.percentEncoded("a b~%é\n") == "a b~%25%C3%A9%0A")
    let long = ResponseHead.percentEncoded(String(repeating: "é", count: 10_000))
    #expect(long.hasSuffix("%C3%A9...") && long.utf8.count <= 4100)
  }
}
