import Binlog
import CZlib
import Foundation
import Threads
import WireFormat

/// Reads the events of a binlog file, plain or compressed with gzip, on a thread of its own.
public actor BinlogFileReader {
  private let executor = ThreadExecutor(name: "binlog-file")
  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    executor.asUnownedSerialExecutor()
  }

  /// The file's name as its server knows it: without folder and `.gz`.
  public nonisolated let name: String
  private let path: String
  private let chunkBytes: Int
  private let file: GzipFile
  private var framer: EventFramer

  /// - Parameters:
  ///   - path: the file's path.
  ///   - chunkBytes: about how many bytes ``next()`` takes at a time.
  /// - Throws: ``SourceError`` when the file cannot be opened.
  public init(path: String, chunkBytes: Int = 4 << 20) throws(SourceError) {
    self.path = path
    self.chunkBytes = chunkBytes
    let last = path.split(separator: "/").last.map(String.init) ?? path
    name = last.hasSuffix(".gz") ? String(last.dropLast(3)) : last
    file = try GzipFile(path: path)
    framer = EventFramer(file: path)
  }

  /// The next events in the file, or nil at its end.
  ///
  /// - Throws: `DecodeError` when the file is not a binlog or ends within an event; ``SourceError``
  ///   when it cannot be read.
  public func next() throws -> [[UInt8]]? {
    var events: [[UInt8]] = []
    while events.isEmpty {
      let chunk = try file.read(atMost: chunkBytes)
      if chunk.isEmpty {
        try framer.finish()
        return nil
      }
      try framer.push(chunk.span.bytes) { event, _ in
        events.append(event.withUnsafeBytes { Array($0) })
      }
    }
    return events
  }
}

/// A file that zlib reads, whether it is compressed or not.
///
/// `@unchecked Sendable` because it belongs to one actor, which makes every call.
private final class GzipFile: @unchecked Sendable {
  private let handle: gzFile
  private let path: String

  init(path: String) throws(SourceError) {
    guard let handle = gzopen(path, "rb") else {
      throw SourceError(.file, "cannot open \(path): \(String(cString: strerror(errno)))")
    }
    self.handle = handle
    self.path = path
    gzbuffer(handle, 256 << 10)
  }

  deinit { gzclose(handle) }

  /// Up to `count` bytes; none at the end.
  func read(atMost count: Int) throws(SourceError) -> [UInt8] {
    var result: Int32 = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, used in
      result = gzread(handle, buffer.baseAddress, UInt32(count))
      used = max(0, Int(result))
    }
    var code: Int32 = 0
    let message = gzerror(handle, &code).map { String(cString: $0) } ?? ""
    guard result >= 0, code == Z_OK || code == Z_STREAM_END else {
      throw SourceError(
        .file, "cannot read \(path): \(message.isEmpty ? String(cString: strerror(errno)) : message)")
    }
    return bytes
  }
}
