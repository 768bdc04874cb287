import CArrowABI

/// A structure of the C Data Interface: it owns what it points to until its `release` was called
/// or it was moved.
protocol CArrowStruct {
  init()
  /// Calls `release` through `pointer`, unless the structure was released or moved before.
  static func release(_ pointer: UnsafeMutablePointer<Self>)
}

extension ArrowSchema: CArrowStruct {
  static func release(_ pointer: UnsafeMutablePointer<Self>) {
    if let release = pointer.pointee.release { release(pointer) }
  }
}

extension ArrowArray: CArrowStruct {
  static func release(_ pointer: UnsafeMutablePointer<Self>) {
    if let release = pointer.pointee.release { release(pointer) }
  }
}

extension ArrowArrayStream: CArrowStruct {
  static func release(_ pointer: UnsafeMutablePointer<Self>) {
    if let release = pointer.pointee.release { release(pointer) }
  }
}

/// The child structures of an exported one. Those that the consumer has not moved away are
/// released with it, as the interface demands.
final class ExportedChildren<Struct: CArrowStruct> {
  let count: Int
  /// What the C structure points to.
  let pointers: UnsafeMutablePointer<UnsafeMutablePointer<Struct>?>

  /// Makes `count` structures, all marked as released.
  init(count: Int) {
    self.count = count
    pointers = .allocate(capacity: max(count, 1))
    for index in 0..<count {
      let child = UnsafeMutablePointer<Struct>.allocate(capacity: 1)
      child.initialize(to: Struct())
      (pointers + index).initialize(to: child)
    }
  }

  subscript(index: Int) -> UnsafeMutablePointer<Struct>? { pointers[index] }

  deinit {
    for index in 0..<count {
      guard let child = pointers[index] else { continue }
      Struct.release(child)
      child.deallocate()
    }
    pointers.deallocate()
  }
}
