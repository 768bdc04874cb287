import Foundation
import MagicCore

/// A file that has no name, but that the engine can open. It goes with its last user.
final class UnnamedFile: Sendable {
  let descriptor: Descriptor

  /// Makes a file in memory.
  ///
  /// - Throws: ``EngineError`` when the system gives none.
  init() throws {
    let name = "/magic-\(UUID().uuidString)"
    let number = shm_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard number >= 0 else {
      throw EngineError(message: "no shared memory: \(String(cString: strerror(errno)))")
    }
    shm_unlink(name)
    descriptor = Descriptor(number)
  }

  /// Makes a file on the disk of a folder.
  ///
  /// - Throws: ``EngineError`` when none can be made there.
  init(folder: String) throws {
    let path = "\(folder)/magic-\(UUID().uuidString)"
    let number = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard number >= 0 else {
      throw EngineError(
        message: "no temporary file in the data folder: \(String(cString: strerror(errno)))")
    }
    unlink(path)
    descriptor = Descriptor(number)
  }

  /// The path by which this process can open it.
  var path: String { "/proc/self/fd/\(descriptor.number ?? -1)" }

  func write(_ bytes: [UInt8]) throws {
    guard let number = descriptor.number else { return }
    _ = try writeAll(bytes, to: number)
  }
}

/// Writes all bytes; false when nobody reads them any more.
func writeAll(_ bytes: [UInt8], to descriptor: Int32) throws -> Bool {
  try bytes.withUnsafeBytes { try writeAll($0, to: descriptor) }
}

/// Writes all bytes; false when nobody reads them any more.
func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) throws -> Bool {
  var rest = bytes[...]
  while !rest.isEmpty {
    let count = write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
    if count > 0 {
      rest = rest.dropFirst(count)
    } else if errno == EPIPE {
      return false
    } else if count == 0 || errno != EINTR {
      throw EngineError(
        message: "a temporary file cannot be written: \(String(cString: strerror(errno)))")
    }
  }
  return true
}
