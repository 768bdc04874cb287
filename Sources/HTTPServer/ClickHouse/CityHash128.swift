/// The hash that ClickHouse's compressed blocks are checked with: CityHash128 in its version 1.0.2,
/// which later versions do not agree with.
struct CityHash128: Equatable {
  var low: UInt64
  var high: UInt64

  private static let k0: UInt64 = 0xc3a5_c85c_97cb_3127
  private static let k1: UInt64 = 0xb492_b66f_be98_f273
  private static let k2: UInt64 = 0x9ae1_6a3b_2f90_404f
  private static let k3: UInt64 = 0xc949_d7c7_509e_6557

  private init(_ low: UInt64, _ high: UInt64) {
    self.low = low
    self.high = high
  }

  /// Hashes bytes.
  init(_ bytes: UnsafeRawBufferPointer) {
    let count = bytes.count
    if count >= 16 {
      let seed = CityHash128(bytes.word(0) ^ Self.k3, bytes.word(8))
      self = Self.hash(UnsafeRawBufferPointer(rebasing: bytes[16...]), seed)
    } else if count >= 8 {
      let seed = CityHash128(
        bytes.word(0) ^ (UInt64(count) &* Self.k0), bytes.word(count - 8) ^ Self.k1)
      self = Self.hash(UnsafeRawBufferPointer(start: nil, count: 0), seed)
    } else {
      self = Self.hash(bytes, CityHash128(Self.k0, Self.k1))
    }
  }

  private static func hash(_ bytes: UnsafeRawBufferPointer, _ seed: CityHash128) -> CityHash128 {
    bytes.count < 128 ? hashShort(bytes, seed) : hashLong(bytes, seed)
  }

  private static func hashLong(
    _ bytes: UnsafeRawBufferPointer, _ seed: CityHash128
  ) -> CityHash128 {
    var x = seed.low
    var y = seed.high
    var z = UInt64(bytes.count) &* k1
    var v = CityHash128(0, 0)
    v.low = rotate(y ^ k1, 49) &* k1 &+ bytes.word(0)
    v.high = rotate(v.low, 42) &* k1 &+ bytes.word(8)
    var w = CityHash128(
      rotate(y &+ z, 35) &* k1 &+ x, rotate(x &+ bytes.word(88), 53) &* k1)
    var position = 0
    while bytes.count - position >= 128 {
      for _ in 0..<2 {
        x = rotate(x &+ y &+ v.low &+ bytes.word(position + 16), 37) &* k1
        y = rotate(y &+ v.high &+ bytes.word(position + 48), 42) &* k1
        x ^= w.high
        y ^= v.low
        z = rotate(z ^ w.low, 33)
        v = mix32(bytes, position, v.high &* k1, x &+ w.low)
        w = mix32(bytes, position + 32, z &+ w.high, y)
        swap(&z, &x)
        position += 64
      }
    }
    y &+= rotate(w.low, 37) &* k0 &+ z
    x &+= rotate(v.low &+ z, 49) &* k0
    // The rest is taken from the end, in steps of 32 bytes, the last of which may overlap.
    var taken = 0
    while taken < bytes.count - position {
      taken += 32
      let start = bytes.count - taken
      y = rotate(y &- x, 42) &* k0 &+ v.high
      w.low &+= bytes.word(start + 16)
      x = rotate(x, 49) &* k0 &+ w.low
      w.low &+= v.low
      v = mix32(bytes, start, v.low, v.high)
    }
    x = combine(x, v.low)
    y = combine(y, w.low)
    return CityHash128(combine(x &+ v.high, w.high) &+ y, combine(x &+ w.high, y &+ v.high))
  }

  private static func hashShort(
    _ bytes: UnsafeRawBufferPointer, _ seed: CityHash128
  ) -> CityHash128 {
    let count = bytes.count
    var a = seed.low
    var b = seed.high
    var c: UInt64
    var d: UInt64
    if count <= 16 {
      a = shiftMix(a &* k1) &* k1
      c = b &* k1 &+ hash16(bytes)
      d = shiftMix(a &+ (count >= 8 ? bytes.word(0) : c))
    } else {
      c = combine(bytes.word(count - 8) &+ k1, a)
      d = combine(b &+ UInt64(count), c &+ bytes.word(count - 16))
      a &+= d
      for position in stride(from: 0, to: count - 16, by: 16) {
        a ^= shiftMix(bytes.word(position) &* k1) &* k1
        a &*= k1
        b ^= a
        c ^= shiftMix(bytes.word(position + 8) &* k1) &* k1
        c &*= k1
        d ^= c
      }
    }
    a = combine(a, c)
    b = combine(d, b)
    return CityHash128(a ^ b, combine(b, a))
  }

  /// At most 16 bytes.
  private static func hash16(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    let count = bytes.count
    if count > 8 {
      let a = bytes.word(0)
      let b = bytes.word(count - 8)
      return combine(a, rotate(b &+ UInt64(count), UInt64(count))) ^ b
    }
    if count >= 4 {
      return combine(UInt64(count) &+ (bytes.halfWord(0) << 3), bytes.halfWord(count - 4))
    }
    if count > 0 {
      let y = UInt64(bytes[0]) &+ (UInt64(bytes[count >> 1]) << 8)
      let z = UInt64(count) &+ (UInt64(bytes[count - 1]) << 2)
      return shiftMix((y &* k2) ^ (z &* k3)) &* k2
    }
    return k2
  }

  /// Mixes 32 bytes with two seeds.
  private static func mix32(
    _ bytes: UnsafeRawBufferPointer, _ position: Int, _ a: UInt64, _ b: UInt64
  ) -> CityHash128 {
    let last = bytes.word(position + 24)
    let first = a &+ bytes.word(position)
    var second = rotate(b &+ first &+ last, 21)
    let sum = first &+ bytes.word(position + 8) &+ bytes.word(position + 16)
    second &+= rotate(sum, 44)
    return CityHash128(sum &+ last, second &+ first)
  }

  private static func combine(_ low: UInt64, _ high: UInt64) -> UInt64 {
    let multiplier: UInt64 = 0x9ddf_ea08_eb38_2d69
    var a = (low ^ high) &* multiplier
    a ^= a >> 47
    var b = (high ^ a) &* multiplier
    b ^= b >> 47
    return b &* multiplier
  }

  private static func shiftMix(_ value: UInt64) -> UInt64 { value ^ (value >> 47) }

  private static func rotate(_ value: UInt64, _ shift: UInt64) -> UInt64 {
    value &>> shift | value &<< (64 &- shift)
  }
}

extension UnsafeRawBufferPointer {
  fileprivate func word(_ position: Int) -> UInt64 {
    UInt64(littleEndian: loadUnaligned(fromByteOffset: position, as: UInt64.self))
  }

  fileprivate func halfWord(_ position: Int) -> UInt64 {
    UInt64(UInt32(littleEndian: loadUnaligned(fromByteOffset: position, as: UInt32.self)))
  }
}
