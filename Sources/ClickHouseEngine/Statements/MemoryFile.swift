import Foundation
import MagicCore

/// A file in memory that has no name, but that the engine can open. It goes with its last user.
final class MemoryFile: Sendable {
  private let descriptor: Int32

  /// - Throws: ``EngineError`` when the system gives none.
  init() throws {
    let name = "/magic-\(UUID().uuidString)"
    descriptor = shm_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw EngineError(message: "no shared memory: \(String(cString: strerror(errno)))")
    }
    shm_unlink(name)
  }

  deinit { close(descriptor) }

  /// The path by which this process can open it.
  var path: String { "/proc/self/fd/\(descriptor)" }

  func write(_ bytes: [UInt8]) throws {
    try bytes.withUnsafeBytes { bytes in
      var rest = bytes[...]
      while !rest.isEmpty {
        let count = Foundation.write(
          descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
        guard count > 0 else {
          if count < 0, errno == EINTR { continue }
          throw EngineError(message: "shared memory: \(String(cString: strerror(errno)))")
        }
        rest = rest.dropFirst(count)
      }
    }
  }
}
