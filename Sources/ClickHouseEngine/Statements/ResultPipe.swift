import Glibc
import MagicCore
import Threads

/// A pipe through which the engine's output comes back to this process, with a thread of its own
/// that reads it.
actor ResultPipe {
  private static let chunkByteCount = 256 << 10

  private let executor = ThreadExecutor(name: "magic-result")
  private let readEnd: Descriptor
  /// Where the engine writes: it opens this path itself.
  nonisolated let writePath: String
  private let writeEnd: Descriptor

  /// The thread that reads.
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  /// - Throws: ``EngineError`` when the process has too many open files.
  init() throws {
    (readEnd, writeEnd) = try makePipe()
    writePath = "/proc/self/fd/\(writeEnd.number ?? -1)"
  }

  /// The next bytes; nil when the writers are gone. Blocks the pipe's thread until there are some.
  func read() -> [UInt8]? {
    guard let readEnd = readEnd.number else { return nil }
    let chunk = [UInt8](unsafeUninitializedCapacity: Self.chunkByteCount) { buffer, count in
      repeat {
        count = max(Glibc.read(readEnd, buffer.baseAddress, buffer.count), -1)
      } while count < 0 && errno == EINTR
      count = max(count, 0)
    }
    return chunk.isEmpty ? nil : chunk
  }

  /// Reads to the end and forgets it. A statement that was cancelled must be able to write what it
  /// has: the engine does not end one whose pipe is full, nor one whose pipe has no reader.
  func drain() {
    while read() != nil {}
  }

  /// Gives up this process's own write end, so that the end of the engine's output is seen.
  nonisolated func closeWriteEnd() { writeEnd.close() }
}

/// The ends of a new pipe.
///
/// - Throws: ``EngineError`` when the process has too many open files.
func makePipe() throws -> (readEnd: Descriptor, writeEnd: Descriptor) {
  var ends: (Int32, Int32) = (-1, -1)
  let failure = withUnsafeMutableBytes(of: &ends) { bytes in
    bytes.withMemoryRebound(to: Int32.self) { pipe($0.baseAddress) }
  }
  guard failure == 0 else {
    throw EngineError(message: "no pipe for a statement: \(String(cString: strerror(errno)))")
  }
  for end in [ends.0, ends.1] { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
  // Linux's F_SETPIPE_SZ: fewer switches between the two threads. A smaller pipe works as well.
  _ = fcntl(ends.1, 1031, Int32(1 << 20))
  return (Descriptor(ends.0), Descriptor(ends.1))
}

/// A file descriptor that is closed once.
final class Descriptor: Sendable {
  private let state: Monitor<Int32?>

  init(_ number: Int32) { state = Monitor(number) }

  deinit { close() }

  /// nil after ``close()``.
  var number: Int32? { state.withLock { $0 } }

  func close() {
    let number = state.withLock { number in
      defer { number = nil }
      return number
    }
    if let number { Glibc.close(number) }
  }
}
