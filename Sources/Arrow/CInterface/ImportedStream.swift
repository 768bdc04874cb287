import CArrowABI
import Synchronization

/// Reads the record batches of a foreign stream, which it owns and releases at the end of its
/// life. Batches may outlive it.
///
/// `@unchecked Sendable` because every call into the stream happens under the lock; the interface
/// allows any thread, one at a time.
public final class ImportedStream: @unchecked Sendable {
  private enum State {
    case open
    case finished
    case failed(ArrowError)
  }

  public let schema: Schema
  private let views: ViewLayout?
  private let state = Mutex(State.open)
  /// Only used while the lock is held.
  private var stream: ArrowArrayStream

  /// Takes over the stream at `pointer` and asks for its schema, which may block.
  ///
  /// - Throws: `stream` with the producer's own message, or why the schema cannot be used; the
  ///   stream is then released.
  public init(moving pointer: UnsafeMutablePointer<ArrowArrayStream>) throws(ArrowError) {
    var stream = pointer.pointee
    pointer.pointee.release = nil
    do throws(ArrowError) {
      (schema, views) = try readSchema(of: &stream)
    } catch {
      ArrowArrayStream.release(&stream)
      throw error
    }
    self.stream = stream
  }

  deinit { ArrowArrayStream.release(&stream) }

  /// The next batch, or `nil` at the end of the stream. Blocks until the producer has one.
  ///
  /// - Throws: `stream` with the producer's own message, or why the batch cannot be used. Later
  ///   calls throw the same.
  public func next() throws(ArrowError) -> RecordBatch? {
    try state.withLock { state throws(ArrowError) in
      switch state {
      case .finished: return nil
      case .failed(let error): throw error
      case .open: break
      }
      do throws(ArrowError) {
        let batch = try readNext()
        if batch == nil { state = .finished }
        return batch
      } catch {
        state = .failed(error)
        throw error
      }
    }
  }

  private func readNext() throws(ArrowError) -> RecordBatch? {
    var array = ArrowArray()
    guard let getNext = stream.get_next else {
      throw ArrowError(.malformed, "a stream without get_next")
    }
    let code = getNext(&stream, &array)
    guard code == 0 else { throw lastError(of: &stream, code: code) }
    return array.release == nil
      ? nil : try RecordBatch(importing: &array, schema: schema, views: views)
  }
}

private func readSchema(
  of stream: inout ArrowArrayStream
) throws(ArrowError) -> (Schema, ViewLayout?) {
  var schema = ArrowSchema()
  guard stream.release != nil, let getSchema = stream.get_schema else {
    throw ArrowError(.malformed, "a stream that was released")
  }
  let code = getSchema(&stream, &schema)
  guard code == 0 else { throw lastError(of: &stream, code: code) }
  return try Schema.importWithViews(&schema)
}

private func lastError(of stream: inout ArrowArrayStream, code: CInt) -> ArrowError {
  let message = stream.get_last_error.flatMap { $0(&stream) }.map { String(cString: $0) }
  return ArrowError(.stream(code), message ?? "no message")
}
