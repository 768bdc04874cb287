import Foundation
import MagicCore
import Threads
import WireFormat

/// What one publication makes durable.
public struct CommitRecord: Hashable, Sendable {
  /// The published commit point: rows of later commits are seen by nobody. The first is 1.
  public var commit: UInt64 = 1
  /// Above every version that the layer ever gave to a row.
  public var nextVersion: UInt64 = 1
  /// What the writer of replicated tables needs to go on from here; empty before it ran.
  public var checkpoint: [UInt8] = []
}

/// The file of the published commit point. A record is one write into the older one of two slots
/// and one sync, so a crash leaves either the old record or the new one.
///
/// The form is described in `docs/commit-log.md`.
public actor CommitLog {
  /// Raised when an older program could not read the data folder's tables.
  static let formatVersion: UInt32 = 2
  private static let magic: [UInt8] = Array("MAGICCMT".utf8)
  private static let slotByteCount = 64 << 10
  private static let headerByteCount = 48

  private let executor = ThreadExecutor(name: "magic-commit")
  private let path: String
  private let file: Int32
  private var sequence: UInt64

  /// The thread that syncs.
  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    executor.asUnownedSerialExecutor()
  }

  private init(path: String, file: Int32, sequence: UInt64) {
    self.path = path
    self.file = file
    self.sequence = sequence
  }

  deinit { close(file) }

  /// The newest record of a file; nil when there is no file.
  ///
  /// - Throws: `EngineError` when it cannot be read, is damaged, or is of a newer format.
  public static func read(path: String) throws -> CommitRecord? {
    try newestSlot(path: path)?.record
  }

  /// Opens the file, making it if necessary; gives its newest record too.
  static func open(path: String) async throws -> (log: CommitLog, record: CommitRecord) {
    try await onOwnThread("magic-commit") {
      let newest = try newestSlot(path: path)
      if newest == nil { try make(path: path) }
      let file = Foundation.open(path, O_RDWR | O_CLOEXEC)
      guard file >= 0 else { throw systemError("open", path) }
      let log = CommitLog(path: path, file: file, sequence: newest?.sequence ?? 1)
      return (log, newest?.record ?? CommitRecord())
    }
  }

  /// Makes a record durable.
  ///
  /// - Throws: ``EngineError``; what is on disk is unknown then until the file is read again.
  func write(_ record: CommitRecord) throws {
    let slot = try Self.slot(record, sequence: sequence + 1)
    let offset = off_t((sequence + 1) % 2) * off_t(Self.slotByteCount)
    try Self.write(slot, to: file, at: offset, path)
    guard fdatasync(file) == 0 else { throw Self.systemError("sync", path) }
    sequence += 1
  }

  /// Both slots are written at once beside the name, so that the file never has another length.
  private static func make(path: String) throws {
    let temporary = path + ".new"
    let file = Foundation.open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw systemError("make", temporary) }
    defer { close(file) }
    var bytes = try slot(CommitRecord(), sequence: 0)
    bytes += [UInt8](repeating: 0, count: slotByteCount - bytes.count)
    let second = try slot(CommitRecord(), sequence: 1)
    bytes += second + [UInt8](repeating: 0, count: slotByteCount - second.count)
    try write(bytes, to: file, at: 0, temporary)
    guard fsync(file) == 0, rename(temporary, path) == 0 else { throw systemError("make", path) }
    let folder = (path as NSString).deletingLastPathComponent
    let directory = Foundation.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directory >= 0 else { throw systemError("open", folder) }
    defer { close(directory) }
    guard fsync(directory) == 0 else { throw systemError("sync", folder) }
  }

  private static func newestSlot(path: String) throws -> (record: CommitRecord, sequence: UInt64)? {
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    guard let data = FileManager.default.contents(atPath: path) else {
      throw systemError("read", path)
    }
    let bytes = [UInt8](data)
    let slots = try stride(from: 0, to: bytes.count, by: slotByteCount).compactMap { start in
      try readSlot(Array(bytes[start..<min(start + slotByteCount, bytes.count)]), path)
    }
    guard let newest = slots.max(by: { $0.sequence < $1.sequence }) else {
      throw EngineError(
        message: "\(path) is damaged: restore the data folder from a backup, or start with an "
          + "empty one")
    }
    return newest
  }

  /// Magic, format version, payload length, sequence, commit, next version, checksum, payload;
  /// numbers are little-endian.
  private static func slot(_ record: CommitRecord, sequence: UInt64) throws -> [UInt8] {
    guard headerByteCount + record.checkpoint.count <= slotByteCount else {
      throw EngineError(message: "a checkpoint of \(record.checkpoint.count) bytes is too long")
    }
    var bytes = magic
    append(formatVersion, to: &bytes)
    append(UInt32(record.checkpoint.count), to: &bytes)
    for number in [sequence, record.commit, record.nextVersion] { append(number, to: &bytes) }
    let checksum = crc32(record.checkpoint.span.bytes, seed: crc32(bytes.span.bytes))
    append(UInt64(checksum), to: &bytes)
    return bytes + record.checkpoint
  }

  /// - Returns: nil for a slot that was not written to its end.
  private static func readSlot(
    _ bytes: [UInt8], _ path: String
  ) throws -> (record: CommitRecord, sequence: UInt64)? {
    guard bytes.count >= headerByteCount, bytes.starts(with: magic) else { return nil }
    let version = number(bytes, at: 8, as: UInt32.self)
    guard version <= formatVersion else {
      throw EngineError(
        message: "\(path) has format version \(version); this program reads versions up to "
          + "\(formatVersion): use a newer one")
    }
    let length = Int(number(bytes, at: 12, as: UInt32.self))
    guard length <= bytes.count - headerByteCount else { return nil }
    let payload = Array(bytes[headerByteCount..<(headerByteCount + length)])
    let checksum = crc32(payload.span.bytes, seed: crc32(Array(bytes[..<40]).span.bytes))
    guard UInt64(checksum) == number(bytes, at: 40, as: UInt64.self) else { return nil }
    let record = CommitRecord(
      commit: number(bytes, at: 24, as: UInt64.self),
      nextVersion: number(bytes, at: 32, as: UInt64.self), checkpoint: payload)
    return (record, number(bytes, at: 16, as: UInt64.self))
  }

  private static func append(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
  }

  private static func number<T: FixedWidthInteger>(
    _ bytes: [UInt8], at offset: Int, as: T.Type
  ) -> T {
    bytes[offset..<(offset + MemoryLayout<T>.size)].reversed().reduce(0) { $0 << 8 | T($1) }
  }

  private static func write(
    _ bytes: [UInt8], to file: Int32, at offset: off_t, _ path: String
  ) throws {
    var written = 0
    while written < bytes.count {
      let count = bytes[written...].withUnsafeBytes {
        pwrite(file, $0.baseAddress, $0.count, offset + off_t(written))
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw systemError("write", path) }
      written += count
    }
  }

  private static func systemError(_ action: String, _ path: String) -> EngineError {
    EngineError(message: "cannot \(action) \(path): \(String(cString: strerror(errno)))")
  }
}
