import Foundation
import Threads

/// Keeps events of the source, as it wrote them, until they are applied: as files in a folder of the data
/// folder, each event after its length, 4 bytes, lowest first. `docs/relay-files.md` tells the form.
struct RelayStore: Sendable {
  private let folder: URL
  /// How much is read at once, in bytes.
  private static let chunkByteCount = 4 << 20

  init(dataFolder: URL) { folder = dataFolder.appending(path: "relay") }

  /// Adds events to a file; all of it is on disk when this returns.
  ///
  /// - Parameter offset: where they begin; what the file has from there on, which a process had written
  ///   that ended before its checkpoint, is replaced.
  func append(_ events: [[UInt8]], to name: String, at offset: UInt64) async throws {
    try await onOwnThread("magic-relay") {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      let file = folder.appending(path: name)
      if offset == 0 {
        try Data().write(to: file)
        try sync(folder)
      }
      let handle = try open(name) { try FileHandle(forWritingTo: $0) }
      defer { try? handle.close() }
      guard try handle.seekToEnd() >= offset else { throw damaged(file) }
      try handle.truncate(atOffset: offset)
      for event in events {
        let length = UInt32(event.count)
        try handle.write(contentsOf: withUnsafeBytes(of: length.littleEndian) { Data($0) })
        try handle.write(contentsOf: Data(event))
      }
      try handle.synchronize()
    }
  }

  /// Lets the names in a folder last.
  private func sync(_ folder: URL) throws {
    let descriptor = Foundation.open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    defer { if descriptor >= 0 { close(descriptor) } }
    guard descriptor >= 0, fsync(descriptor) == 0 else {
      throw ReplicationError(
        .dataFolder, "cannot sync \(folder.path): \(String(cString: strerror(errno)))")
    }
  }

  /// The bytes that events take in a file.
  static func byteCount(of events: [[UInt8]]) -> UInt64 {
    events.reduce(0) { $0 + UInt64($1.count) + 4 }
  }

  /// Reads the events of a file, a few at a time.
  ///
  /// - Parameter end: where to end; nil reads all of it.
  /// - Throws: ``ReplicationError`` when the file is missing or damaged; what `body` throws.
  func read(
    _ name: String, to end: UInt64? = nil, isolation: isolated (any Actor)? = #isolation,
    _ body: ([[UInt8]]) async throws -> Void
  ) async throws {
    var offset: UInt64 = 0
    while offset < end ?? .max {
      let start = offset
      let events = try await onOwnThread("magic-relay") {
        try chunk(of: name, from: start, to: end)
      }
      if events.isEmpty {
        guard end == nil else { throw damaged(folder.appending(path: name)) }
        return
      }
      offset += Self.byteCount(of: events)
      try await body(events)
    }
  }

  private func chunk(of name: String, from offset: UInt64, to end: UInt64?) throws -> [[UInt8]] {
    let handle = try open(name) { try FileHandle(forReadingFrom: $0) }
    defer { try? handle.close() }
    try handle.seek(toOffset: offset)
    var events: [[UInt8]] = []
    var byteCount = 0
    while byteCount < Self.chunkByteCount, offset + UInt64(byteCount) < end ?? .max,
      let head = try handle.read(upToCount: 4), !head.isEmpty
    {
      let length = head.enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
      guard head.count == 4, let event = try handle.read(upToCount: length), event.count == length
      else { throw damaged(folder.appending(path: name)) }
      events.append([UInt8](event))
      byteCount += length + 4
    }
    return events
  }

  private func open(_ name: String, _ body: (URL) throws -> FileHandle) throws -> FileHandle {
    let file = folder.appending(path: name)
    do {
      return try body(file)
    } catch {
      throw ReplicationError(
        .dataFolder,
        "\(file.path), which holds changes that are not applied yet, cannot be opened (\(error)): restore "
          + "a backup")
    }
  }

  private func damaged(_ file: URL) -> ReplicationError {
    ReplicationError(
      .dataFolder,
      "\(file.path), which holds changes that are not applied yet, is damaged: restore a backup")
  }

  /// Removes files, if they are there.
  func remove(_ names: [String]) async throws {
    if names.isEmpty { return }
    try await onOwnThread("magic-relay") {
      for name in names {
        let file = folder.appending(path: name)
        if FileManager.default.fileExists(atPath: file.path) {
          try FileManager.default.removeItem(at: file)
        }
      }
    }
  }

  /// Removes all files but these.
  func removeAll(but names: Set<String>) async throws {
    try await onOwnThread("magic-relay") {
      guard let found = try? FileManager.default.contentsOfDirectory(atPath: folder.path) else {
        return
      }
      for name in found where !names.contains(name) {
        try FileManager.default.removeItem(at: folder.appending(path: name))
      }
    }
  }
}
