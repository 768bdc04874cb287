import Arrow
import CArrowABI
import MagicAPI
import MagicCore
import Synchronization
import Threads

/// Takes over a batch that a program binds, which must be a struct of its columns.
func boundRows(
  moving array: UnsafeMutablePointer<ArrowArray>, _ schema: UnsafeMutablePointer<ArrowSchema>
) throws -> any RecordBatchReader {
  guard array.pointee.release != nil, schema.pointee.release != nil else {
    throw DriverError.invalidArgument("the bound data was released already")
  }
  return BatchReader(try RecordBatch(importing: array, schema))
}

/// Takes over a stream that a program binds.
func boundRows(
  moving stream: UnsafeMutablePointer<ArrowArrayStream>
) throws -> any RecordBatchReader {
  ForeignReader(try ImportedStream(moving: stream))
}

/// Reads one batch.
final class BatchReader: RecordBatchReader {
  let schema: Schema
  private let batch: Mutex<RecordBatch?>

  init(_ batch: RecordBatch) {
    schema = batch.schema
    self.batch = Mutex(batch)
  }

  func next() async throws -> RecordBatch? { batch.withLock { $0.take() } }

  func cancel() async { batch.withLock { $0 = nil } }
}

/// Reads a stream of the program's, whose calls may block or wait for a lock of the program, on a
/// thread of its own.
private actor ForeignReader: RecordBatchReader {
  nonisolated let schema: Schema
  private let executor = ThreadExecutor(name: "magic-bound")
  private var stream: ImportedStream?

  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  init(_ stream: ImportedStream) {
    schema = stream.schema
    self.stream = stream
  }

  func next() async throws -> RecordBatch? {
    do throws(ArrowError) {
      return try stream?.next()
    } catch {
      throw APIError(.invalid, "the bound rows cannot be read: \(error)")
    }
  }

  func cancel() async { stream = nil }
}
