import Foundation
import MagicCore
import Threads

/// The tables that a commit makes visible, or removes, besides its rows. It is on disk before the commit is
/// published, and is carried out after that: by the commit itself, or by recovery.
///
/// The form is described in `docs/commit-log.md`.
struct CommitIntent: Hashable, Sendable, Codable {
  struct Table: Hashable, Sendable, Codable {
    /// Whose storage is shown, such as `u7`.
    var owner: String
    /// The name under which it is shown.
    var name: TableReference
    var comment: String
    /// Whose storage was shown under that name before.
    var replaced: String?
  }

  /// The commit; when it was never published, nothing is to be done.
  var commit: UInt64
  var tables: [Table]
  /// Whose storage is removed; nil when none is.
  var dropped: [String]?

  /// Where the intent of a data folder is.
  static func path(besides commitLog: String) -> String { commitLog + ".intent" }

  /// - Returns: nil when nothing is intended.
  static func read(_ path: String) throws -> CommitIntent? {
    guard let data = FileManager.default.contents(atPath: path) else { return nil }
    do {
      return try JSONDecoder().decode(CommitIntent.self, from: data)
    } catch {
      throw EngineError(
        message: "\(path) is damaged: restore the data folder from a backup (\(error))")
    }
  }

  /// Makes the intent durable.
  func write(_ path: String) async throws {
    let data = try JSONEncoder().encode(self)
    try await onOwnThread("magic-intent") {
      let temporary = path + ".new"
      let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
      guard file >= 0 else { throw Self.systemError("make", temporary) }
      defer { close(file) }
      try data.withUnsafeBytes { bytes in
        var rest = bytes[...]
        while !rest.isEmpty {
          let count = Foundation.write(
            file, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
          if count < 0, errno == EINTR { continue }
          guard count > 0 else { throw Self.systemError("write", temporary) }
          rest = rest.dropFirst(count)
        }
      }
      guard fsync(file) == 0, rename(temporary, path) == 0 else {
        throw Self.systemError("make", path)
      }
      try Self.syncFolder(of: path)
    }
  }

  /// Removes the intent once it is carried out or given up.
  static func remove(_ path: String) async throws {
    try await onOwnThread("magic-intent") {
      guard unlink(path) == 0 || errno == ENOENT else { throw systemError("remove", path) }
      try syncFolder(of: path)
    }
  }

  private static func syncFolder(of path: String) throws {
    let folder = (path as NSString).deletingLastPathComponent
    let directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directory >= 0 else { throw systemError("open", folder) }
    defer { close(directory) }
    guard fsync(directory) == 0 else { throw systemError("sync", folder) }
  }

  private static func systemError(_ action: String, _ path: String) -> EngineError {
    EngineError(message: "cannot \(action) \(path): \(String(cString: strerror(errno)))")
  }
}
