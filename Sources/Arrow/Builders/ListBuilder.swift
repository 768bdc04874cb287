/// Builds columns of lists: append the items to ``child``, then call ``endList()``.
public final class ListBuilder: ArrayBuilder {
  public let type: DataType
  /// Collects the items of all lists.
  public let child: any ArrayBuilder
  /// Where each list ends in ``child``.
  @exclusivity(unchecked) private var offsets = GrowableBytes()
  @exclusivity(unchecked) private var validity = ValidityBits()
  @exclusivity(unchecked) private var length = 0
  private var end: Int32 = 0
  private var hasTooManyItems = false

  public var count: Int { length }
  public var byteCount: Int { offsets.count + validity.byteCount + child.byteCount }
  public var hasRejectedValue: Bool { hasTooManyItems || child.hasRejectedValue }

  /// - Precondition: `child` builds arrays of the item's type.
  public init(item: Field, child: any ArrayBuilder) {
    precondition(item.type == child.type, "\(child.type) items in a list of \(item.type)")
    self.type = .list(item)
    self.child = child
    offsets.append(Int32(0))
  }

  /// Completes a list of the items that were appended to ``child`` since the last one.
  public func endList() {
    guard let next = Int32(exactly: child.count) else {
      hasTooManyItems = true
      return appendNull()
    }
    end = next
    offsets.append(next)
    validity.appendValid(at: length)
    length += 1
  }

  /// Appends a null. No items may have been appended to ``child`` since the last list.
  public func appendNull() {
    offsets.append(end)
    validity.appendNull(at: length)
    length += 1
  }

  public func finish() -> ArrayData {
    let isComplete = !hasRejectedValue
    let (nullCount, bits) = validity.finish()
    let array = ArrayData(
      type: type, length: length, nullCount: nullCount, validity: bits,
      buffers: [offsets.finish()], children: [child.finish()])
    (length, end, hasTooManyItems) = (0, 0, false)
    offsets.append(Int32(0))
    return isComplete ? array : ArrayData(emptyOf: type)
  }
}
