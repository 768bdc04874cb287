import Binlog
import CZlib
import Foundation
import WireFormat

/// A binlog file, plain or compressed with gzip. It belongs to one task, whose reads block.
final class BinlogFile {
  /// The file's path, which errors name.
  let path: String
  /// The file's name as its server knows it: without folder and `.gz`.
  let name: String
  private let handle: gzFile
  private var framer: EventFramer
  private var chunk: [UInt8]

  /// How far the uncompressed file is read.
  var offset: UInt64 { framer.offset }

  /// Opens a file.
  ///
  /// - Parameter keys: what its server encrypted it with, if it did.
  /// - Throws: ``Failure`` when it cannot be opened.
  init(path: String, chunkByteCount: Int = 1 << 20, keys: BinlogKeys? = nil) throws {
    // zlib reads a file that is not compressed as it is.
    guard let handle = gzopen(path, "rbe") else {
      throw Failure("'\(path)' cannot be opened: \(String(cString: strerror(errno)))")
    }
    gzbuffer(handle, 256 << 10)
    self.path = path
    name = BinlogFileName.logical(path)
    self.handle = handle
    framer = EventFramer(file: path, keys: keys)
    chunk = [UInt8](repeating: 0, count: chunkByteCount)
  }

  deinit { gzclose(handle) }

  /// Reads on, and visits the events that are complete by then with their offsets in the
  /// uncompressed file.
  ///
  /// - Returns: whether there is more to read.
  /// - Throws: `DecodeError` when the file is not a binlog or ends within an event; ``Failure``
  ///   when it cannot be read; what `visit` throws.
  func read(_ visit: (RawSpan, UInt64) throws -> Void) throws -> Bool {
    errno = 0
    let count = gzread(handle, &chunk, UInt32(clamping: chunk.count))
    guard count > 0 else {
      try checkEnd()
      try framer.finish()
      return false
    }
    let bytes = chunk
    try framer.push(bytes.span.bytes.extracting(first: Int(count)), visit: visit)
    return true
  }

  /// Tells the end of the file from an error: a compressed file can be cut or damaged.
  private func checkEnd() throws {
    var code: CInt = Z_OK
    let message = gzerror(handle, &code).map { String(cString: $0) } ?? ""
    // zlib puts the path in front.
    let detail = message.trimmingPrefix(path + ": ")
    guard code != Z_OK, code != Z_STREAM_END else { return }
    let reason = code == Z_ERRNO ? String(cString: strerror(errno)) : String(detail)
    throw Failure("'\(path)' cannot be read after byte \(framer.offset) of its content: \(reason)")
  }
}

extension BinlogKeys {
  /// Reads the key file of MariaDB's plugin file_key_management.
  ///
  /// - Throws: ``Failure``.
  init(path: String) throws {
    guard let bytes = FileManager.default.contents(atPath: path) else {
      throw Failure("'\(path)' cannot be read")
    }
    do {
      try self.init(keyFile: Array(bytes))
    } catch {
      throw Failure("'\(path)' holds no keys in the form 'ID;HEX': \(error)")
    }
  }
}
