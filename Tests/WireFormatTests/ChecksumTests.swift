import Testing
import WireFormat

/// The CRC-32 by its definition, one bit at a time.
private func slowCRC32(_ bytes: [UInt8]) -> UInt32 {
  var crc = ~UInt32(0)
  for byte in bytes {
    crc ^= UInt32(byte)
    for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
  }
  return ~crc
}

@Test("The CRC-32 of every length is that of the definition, also in two parts")
func crc32OfEveryLength() {
  var state: UInt32 = 1
  let bytes = (0..<400).map { _ in
    state = state &* 1_664_525 &+ 1_013_904_223
    return UInt8(state >> 24)
  }
  for count in 0...bytes.count {
    let part = Array(bytes[..<count])
    let expected = slowCRC32(part)
    #expect(crc32(part.span.bytes) == expected)
    let (head, tail) = (Array(part[..<(count / 3)]), Array(part[(count / 3)...]))
    #expect(crc32(tail.span.bytes, seed: crc32(head.span.bytes)) == expected)
  }
}
