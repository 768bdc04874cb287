import Glibc

/// Immutable bytes with one owner: memory from `malloc`, or an object that keeps foreign memory
/// alive.
///
/// `@unchecked Sendable` because nobody writes to the bytes after the buffer was made, and the
/// owner is released only when the last reference is gone.
public final class Buffer: @unchecked Sendable {
  @usableFromInline let base: UnsafeRawPointer
  /// The number of bytes.
  public let byteCount: Int
  /// Keeps the memory alive; without one the memory came from `malloc` and is freed here.
  private let owner: AnyObject?

  /// A buffer of no bytes.
  public static let empty = Buffer(copying: [])

  /// Takes over `byteCount` bytes at `base`, which came from `malloc`.
  init(adopting base: UnsafeMutableRawPointer, byteCount: Int) {
    self.base = UnsafeRawPointer(base)
    self.byteCount = byteCount
    self.owner = nil
  }

  /// Refers to memory that lives at least as long as `owner`.
  ///
  /// The caller vouches for the length, that nobody writes to the memory, and that `owner` may be
  /// released on any thread.
  public init(unowned bytes: UnsafeRawBufferPointer, keptAliveBy owner: AnyObject) {
    if let base = bytes.baseAddress {
      self.base = base
      self.owner = owner
    } else {
      self.base = Self.empty.base
      self.owner = Self.empty
    }
    self.byteCount = bytes.count
  }

  /// Copies `bytes`.
  public init(copying bytes: UnsafeRawBufferPointer) {
    let memory = allocateBytes(bytes.count)
    if let source = bytes.baseAddress { memory.copyMemory(from: source, byteCount: bytes.count) }
    self.base = UnsafeRawPointer(memory)
    self.byteCount = bytes.count
    self.owner = nil
  }

  /// Copies `bytes`.
  public convenience init(copying bytes: [UInt8]) {
    // `init` cannot run inside a closure, so the bytes pass through a second allocation.
    var copy = GrowableBytes()
    bytes.withUnsafeBytes { copy.append(contentsOf: $0) }
    self.init(adopting: copy.release(), byteCount: bytes.count)
  }

  /// `byteCount` bytes that are zero.
  init(zeroed byteCount: Int) {
    let memory = allocateBytes(byteCount)
    memset(memory, 0, byteCount)
    self.base = UnsafeRawPointer(memory)
    self.byteCount = byteCount
    self.owner = nil
  }

  deinit {
    if owner == nil { free(UnsafeMutableRawPointer(mutating: base)) }
  }

  /// Calls `body` with the bytes, which must not be used after it returns.
  @inlinable @inline(__always)
  public func withUnsafeBytes<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try body(UnsafeRawBufferPointer(start: base, count: byteCount))
  }

  /// The bytes in `range`, which shares this buffer's memory.
  ///
  /// - Precondition: `range` lies within the buffer.
  public func slice(_ range: Range<Int>) -> Buffer {
    precondition(range.lowerBound >= 0 && range.upperBound <= byteCount)
    if range == 0..<byteCount { return self }
    let bytes = UnsafeRawBufferPointer(start: base + range.lowerBound, count: range.count)
    return Buffer(unowned: bytes, keptAliveBy: self)
  }

  /// This buffer, or a copy of it when its memory is not aligned to 8 bytes.
  var aligned: Buffer {
    UInt(bitPattern: base) % 8 == 0
      ? self : Buffer(copying: UnsafeRawBufferPointer(start: base, count: byteCount))
  }
}

/// At least one byte from `malloc`. Like every allocation in Swift it ends the process when there
/// is no memory.
func allocateBytes(_ count: Int) -> UnsafeMutableRawPointer {
  guard let memory = malloc(max(count, 1)) else { preconditionFailure("out of memory") }
  return memory
}

/// Memory that grows by doubling and is handed over to a ``Buffer`` without a copy.
@usableFromInline
struct GrowableBytes: ~Copyable {
  @usableFromInline var base: UnsafeMutableRawPointer
  /// The number of bytes in use.
  @usableFromInline var count = 0
  /// The number of bytes allocated; 0 while `base` is the placeholder.
  @usableFromInline var capacity = 0
  /// The size to begin with: what was needed the time before.
  @usableFromInline var firstCapacity = 64

  /// Stands for memory that is not allocated yet. It is never read or written, because the
  /// capacity is then 0, so sharing it between threads is safe.
  private nonisolated(unsafe) static let placeholder = allocateBytes(1)

  @usableFromInline init() { base = Self.placeholder }

  // Inlinable, or else the optimiser of Swift 6.3 stops at the setters of properties of this type.
  @inlinable deinit { if capacity > 0 { free(base) } }

  /// Makes room for `extra` more bytes.
  @inlinable @inline(__always)
  mutating func reserve(_ extra: Int) {
    if extra > capacity &- count { grow(by: extra) }
  }

  @usableFromInline @inline(never)
  mutating func grow(by extra: Int) {
    let wanted = max(count + extra, capacity * 2, firstCapacity)
    guard let memory = realloc(capacity > 0 ? base : nil, wanted) else {
      preconditionFailure("out of memory")
    }
    base = memory
    capacity = wanted
  }

  /// Appends the bytes of a value in memory order.
  @inlinable @inline(__always)
  mutating func append<T: BitwiseCopyable>(_ value: T) {
    reserve(MemoryLayout<T>.size)
    (base + count).storeBytes(of: value, as: T.self)
    count &+= MemoryLayout<T>.size
  }

  @inlinable @inline(__always)
  mutating func append(contentsOf bytes: UnsafeRawBufferPointer) {
    guard let source = bytes.baseAddress else { return }
    reserve(bytes.count)
    (base + count).copyMemory(from: source, byteCount: bytes.count)
    count &+= bytes.count
  }

  /// Appends `extra` bytes that are zero.
  mutating func appendZeros(_ extra: Int) {
    reserve(extra)
    memset(base + count, 0, extra)
    count += extra
  }

  /// Gives the memory, which is then the caller's to free, and becomes empty.
  mutating func release() -> UnsafeMutableRawPointer {
    let memory = capacity > 0 ? base : allocateBytes(1)
    firstCapacity = max(count, 64)
    base = Self.placeholder
    count = 0
    capacity = 0
    return memory
  }

  /// Hands the bytes over to a buffer and becomes empty.
  mutating func finish() -> Buffer {
    let byteCount = count
    return Buffer(adopting: release(), byteCount: byteCount)
  }
}
