import Synchronization

/// How many bytes of incomplete messages all calls hold together, and may hold.
///
/// What little a call holds is not counted, so that small requests get through when large ones have
/// taken everything.
final class RequestMemory: Sendable {
  /// What a call may hold without being counted, in bytes.
  static let freeByteCount = 1 << 20

  private let maximumByteCount: Int
  private let byteCount = Atomic<Int>(0)

  init(maximumByteCount: Int) {
    self.maximumByteCount = maximumByteCount
  }

  /// One call's part; given back when it is dropped.
  struct Share: ~Copyable {
    private let memory: RequestMemory
    private var byteCount = 0

    init(of memory: RequestMemory) {
      self.memory = memory
    }

    /// Notes how much the call holds now.
    ///
    /// - Returns: whether there is room for it; it is noted in either case.
    mutating func hold(_ heldByteCount: Int) -> Bool {
      let counted = heldByteCount > RequestMemory.freeByteCount ? heldByteCount : 0
      guard counted != byteCount else { return true }
      let total = memory.byteCount.add(counted - byteCount, ordering: .relaxed).newValue
      defer { byteCount = counted }
      return counted <= byteCount || total <= memory.maximumByteCount
    }

    deinit {
      memory.byteCount.subtract(byteCount, ordering: .relaxed)
    }
  }
}
