import CChecksum
import CZlib

/// The CRC-32 of IEEE 802.3 (the polynomial of zlib and of binlog checksums).
///
/// - Parameter seed: the CRC of what comes before the bytes.
public func crc32(_ bytes: RawSpan, seed: UInt32 = 0) -> UInt32 {
  bytes.withUnsafeBytes { buffer in
    guard let start = buffer.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return seed }
    var crc = seed
    let folded = magic_crc32_fold(&crc, start, buffer.count)
    if folded < buffer.count {
      crc = UInt32(truncatingIfNeeded: crc32_z(UInt(crc), start + folded, buffer.count - folded))
    }
    return crc
  }
}
