import CZlib

/// The CRC-32 of IEEE 802.3 (the polynomial of zlib and of binlog checksums).
public func crc32(_ bytes: RawSpan, seed: UInt32 = 0) -> UInt32 {
  bytes.withUnsafeBytes { buffer in
    UInt32(
      truncatingIfNeeded: crc32_z(
        UInt(seed), buffer.baseAddress?.assumingMemoryBound(to: UInt8.self), buffer.count))
  }
}
