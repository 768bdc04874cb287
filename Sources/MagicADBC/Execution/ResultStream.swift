import Arrow
import CArrowABI
import Glibc
import MagicCore
import Synchronization

/// A result as the program reads it. Batches are fetched as it asks for them, and their memory is
/// shared, not copied.
final class ResultStream: Sendable {
  private struct State {
    /// nil at the end.
    var reader: (any RecordBatchReader)?
    var wasCancelled = false
    var failure: StreamFailure?
  }

  private let schema: Schema
  private let work: Work
  private let state: Mutex<State>

  private init(_ reader: any RecordBatchReader, _ work: Work) {
    schema = reader.schema
    self.work = work
    state = Mutex(State(reader: reader))
  }

  /// Writes a stream of a result into `pointer`; whoever reads it releases it.
  ///
  /// - Parameter work: where the result is under way; when that is cancelled, the stream fails.
  static func export(
    _ reader: any RecordBatchReader, into pointer: UnsafeMutablePointer<ArrowArrayStream>,
    work: Work
  ) {
    let result = ResultStream(reader, work)
    // Not a reference that would keep the result alive: it ends when the program releases it.
    let item = work.add { [weak result] in
      guard let reader = result?.noteCancelled() else { return }
      Task.detached { await reader.cancel() }
    }
    var stream = ArrowArrayStream()
    stream.get_schema = { stream, out in
      guard let held = HeldResult.of(stream), let out else { return EINVAL }
      held.result.schema.export(into: out)
      return 0
    }
    stream.get_next = { stream, out in
      guard let held = HeldResult.of(stream), let out else { return EINVAL }
      return held.result.next(into: out)
    }
    stream.get_last_error = { HeldResult.of($0)?.result.failure?.message }
    stream.release = { HeldResult.release($0) }
    stream.private_data = Unmanaged.passRetained(HeldResult(result, item)).toOpaque()
    pointer.initialize(to: stream)
  }

  /// The error that a stream of this driver ended with, and its status; nil when there is none.
  static func error(
    of stream: UnsafeMutablePointer<ArrowArrayStream>?,
    _ status: UnsafeMutablePointer<AdbcStatusCode>?
  ) -> UnsafePointer<AdbcError>? {
    guard let failure = HeldResult.of(stream)?.result.failure else { return nil }
    status?.pointee = failure.status
    return failure.error
  }

  private var failure: StreamFailure? { state.withLock { $0.failure } }

  /// - Returns: the reader to cancel, if the result is still being read.
  private func noteCancelled() -> (any RecordBatchReader)? {
    state.withLock { state in
      if state.reader != nil { state.wasCancelled = true }
      return state.reader
    }
  }

  private func next(into out: UnsafeMutablePointer<ArrowArray>) -> CInt {
    out.initialize(to: ArrowArray())
    let (reader, wasCancelled) = state.withLock { ($0.reader, $0.wasCancelled) }
    if failure != nil { return EIO }
    do {
      if wasCancelled { throw DriverError.cancelled }
      guard let reader else { return 0 }
      let batch = try work.wait { try await reader.next() }
      // A result that was cancelled must not look like a complete one.
      if state.withLock({ $0.wasCancelled }) { throw DriverError.cancelled }
      guard let batch else {
        state.withLock { $0.reader = nil }
        return 0
      }
      guard batch.schema.fields == schema.fields else {
        throw DriverError(
          .internalError, "a record batch whose columns are not those of its result",
          sqlState: "XX000")
      }
      batch.export(into: out)
      return 0
    } catch {
      let error = DriverError(wrapping: error)
      state.withLock { state in
        state.reader = nil
        state.failure = StreamFailure(error)
      }
      return error.status == .cancelled ? ECANCELED : EIO
    }
  }
}

/// What a C stream refers to, until its `release`.
private final class HeldResult {
  let result: ResultStream
  private let item: Work.Item

  init(_ result: ResultStream, _ item: Work.Item) {
    self.result = result
    self.item = item
  }

  deinit { item.remove() }

  /// nil for a stream of someone else, or one that was released.
  static func of(_ stream: UnsafeMutablePointer<ArrowArrayStream>?) -> HeldResult? {
    guard let stream, stream.pointee.release != nil, let data = stream.pointee.private_data else {
      return nil
    }
    return Unmanaged<HeldResult>.fromOpaque(data).takeUnretainedValue()
  }

  static func release(_ stream: UnsafeMutablePointer<ArrowArrayStream>?) {
    guard let stream, let data = stream.pointee.private_data else { return }
    stream.pointee.release = nil
    stream.pointee.private_data = nil
    // Without waiting for the engine: whoever releases it may hold a lock, such as Python's.
    Unmanaged<HeldResult>.fromOpaque(data).release()
  }
}

/// Why a stream ended early, where the program can read it for as long as the stream exists.
///
/// `@unchecked Sendable` because nothing is written to after `init`.
private final class StreamFailure: @unchecked Sendable {
  let status: AdbcStatusCode
  private let pointer: UnsafeMutablePointer<AdbcError>

  init(_ error: DriverError) {
    status = error.status.rawValue
    pointer = .allocate(capacity: 1)
    var place = AdbcError()
    place.vendor_code = privateDataCode
    error.write(to: &place)
    pointer.initialize(to: place)
  }

  deinit {
    ErrorExport.release(pointer)
    pointer.deallocate()
  }

  var error: UnsafePointer<AdbcError> { UnsafePointer(pointer) }
  var message: UnsafePointer<CChar>? { UnsafePointer(pointer.pointee.message) }
}
