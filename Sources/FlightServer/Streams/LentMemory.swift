import Arrow
import Foundation
@_spi(CustomByteBufferAllocator) import NIOCore
import Synchronization

/// Arrow buffers whose memory is sent from where it lies: byte buffers refer to it, and it is kept
/// until the last of them is gone.
///
/// A byte buffer can refer to memory that it did not allocate only with an allocator that frees it,
/// whose functions are C functions and know nothing but the address. So the owners are kept by
/// address. Nobody writes into such a byte buffer: the network only reads it.
enum LentMemory {
  /// What keeps the memory at an address: once for each byte buffer that refers to it.
  private static let owners = Mutex<[UInt: [Buffer]]>([:])

  private static let allocator = ByteBufferAllocator(
    allocate: { malloc($0) },
    reallocate: { memory, oldCount, newCount in
      guard let memory, LentMemory.isLent(memory) else { return realloc(memory, newCount) }
      let copy = malloc(newCount)
      copy?.copyMemory(from: memory, byteCount: min(oldCount, newCount))
      LentMemory.giveBack(memory)
      return copy
    },
    deallocate: { if !LentMemory.giveBack($0) { free($0) } },
    copy: { $0.copyMemory(from: $1, byteCount: $2) })

  /// A byte buffer of an Arrow buffer's memory.
  static func lend(_ buffer: Buffer) -> ByteBuffer {
    buffer.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress, bytes.count > 0 else { return ByteBuffer() }
      owners.withLock { $0[UInt(bitPattern: base), default: []].append(buffer) }
      return ByteBuffer(
        takingOwnershipOf: UnsafeMutableRawBufferPointer(mutating: bytes), allocator: allocator)
    }
  }

  /// How many byte buffers refer to memory that was lent.
  static var count: Int { owners.withLock { $0.values.reduce(0) { $0 + $1.count } } }

  private static func isLent(_ memory: UnsafeRawPointer) -> Bool {
    let address = UInt(bitPattern: memory)
    return owners.withLock { $0[address] != nil }
  }

  /// Whether the memory was lent; a byte buffer less refers to it from now on. Each of an address's
  /// owners keeps its memory, so it does not matter which of them goes first.
  @discardableResult private static func giveBack(_ memory: UnsafeRawPointer) -> Bool {
    let address = UInt(bitPattern: memory)
    let owner: Buffer? = owners.withLock { owners in
      let owner = owners[address]?.popLast()
      if owners[address]?.isEmpty == true { owners[address] = nil }
      return owner
    }
    // It is released here, outside of the lock.
    return owner != nil
  }
}
