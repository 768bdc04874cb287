import CArrowABI
import Glibc

/// Writes a stream of record batches into `pointer`. The consumer releases it.
///
/// The consumer calls `next`, one call at a time, on threads of its choosing, until it gives
/// `nil`. An error that it throws, and a batch with other fields than `schema`, end the stream:
/// the consumer sees `EIO` or `EINVAL` and the error's text.
public func exportStream(
  schema: Schema, into pointer: UnsafeMutablePointer<ArrowArrayStream>,
  next: sending @escaping () throws -> RecordBatch?
) {
  var stream = ArrowArrayStream()
  stream.get_schema = { stream, out in
    guard let source = ExportedStream.of(stream), let out else { return EINVAL }
    source.schema.export(into: out)
    return 0
  }
  stream.get_next = { stream, out in
    guard let source = ExportedStream.of(stream), let out else { return EINVAL }
    return source.next(into: out)
  }
  stream.get_last_error = { stream in
    ExportedStream.of(stream)?.lastError.map { UnsafePointer($0) }
  }
  stream.release = { stream in
    guard let stream, let data = stream.pointee.private_data else { return }
    stream.pointee.release = nil
    Unmanaged<ExportedStream>.fromOpaque(data).release()
  }
  stream.private_data = Unmanaged.passRetained(ExportedStream(schema: schema, next: next))
    .toOpaque()
  pointer.initialize(to: stream)
}

/// Calls `body` with a stream of record batches, and releases it afterwards unless `body` moved
/// it elsewhere. See ``exportStream(schema:into:next:)``.
public func withExportedStream<Result>(
  schema: Schema, next: sending @escaping () throws -> RecordBatch?,
  _ body: (UnsafeMutablePointer<ArrowArrayStream>) throws -> Result
) rethrows -> Result {
  var stream = ArrowArrayStream()
  exportStream(schema: schema, into: &stream, next: next)
  defer { ArrowArrayStream.release(&stream) }
  return try body(&stream)
}

/// What an exported `ArrowArrayStream` refers to; lives until its `release`.
private final class ExportedStream {
  let schema: Schema
  private let next: () throws -> RecordBatch?
  private(set) var lastError: UnsafeMutablePointer<CChar>?

  init(schema: Schema, next: @escaping () throws -> RecordBatch?) {
    self.schema = schema
    self.next = next
  }

  deinit { lastError?.deallocate() }

  static func of(_ stream: UnsafeMutablePointer<ArrowArrayStream>?) -> ExportedStream? {
    stream?.pointee.private_data.map {
      Unmanaged<ExportedStream>.fromOpaque($0).takeUnretainedValue()
    }
  }

  func next(into out: UnsafeMutablePointer<ArrowArray>) -> CInt {
    do {
      guard let batch = try next() else {
        out.initialize(to: ArrowArray())
        return 0
      }
      guard batch.schema.fields == schema.fields else {
        return fail(EINVAL, "a record batch whose fields are not those of its stream")
      }
      batch.export(into: out)
      return 0
    } catch {
      return fail(EIO, "\(error)")
    }
  }

  private func fail(_ code: CInt, _ message: String) -> CInt {
    lastError?.deallocate()
    lastError = allocateCString(message)
    return code
  }
}
