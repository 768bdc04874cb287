import CDeflate

/// The CRC-32 of IEEE 802.3 (the polynomial of zlib and of binlog checksums).
///
/// `seed` is the checksum of the bytes before these.
public func crc32(_ bytes: RawSpan, seed: UInt32 = 0) -> UInt32 {
  bytes.withUnsafeBytes { libdeflate_crc32(seed, $0.baseAddress, $0.count) }
}
