import Binlog
import Foundation
import Synchronization
import Threads

/// Keeps the catalog, and why replication ended, as files of a data folder.
///
/// A write replaces the file whole and is on disk when it returns: after a crash the file is
/// either the old or the new one.
public struct StateStore: Sendable {
  private let folder: URL
  private let published = PublishedCatalogs()
  /// Events that are not applied yet.
  let relay: RelayStore

  public init(folder: URL) {
    self.folder = folder
    relay = RelayStore(dataFolder: folder)
  }

  /// The catalog as it was when a checkpoint was published, since this store was made. What is newer
  /// than the checkpoint all the same is told by its position, see ``Catalog/asOf(_:holding:)``.
  public func catalog(publishedAt position: BinlogPosition) throws -> Catalog {
    try published.catalog(at: position) ?? loadCatalog() ?? Catalog()
  }

  /// Notes the catalog of a checkpoint that is about to be published.
  func note(_ catalog: Catalog, publishedAt position: BinlogPosition) {
    published.note(catalog, at: position)
  }

  /// Notes the catalog that is stored when a process begins to change it.
  func noteFirst(_ catalog: Catalog) { published.noteFirst(catalog) }

  /// - Throws: ``ReplicationError`` when the file is damaged or of a newer version.
  public func loadCatalog() throws -> Catalog? {
    guard let catalog = try load(Catalog.self, from: "catalog.json") else { return nil }
    guard catalog.formatVersion <= Catalog.currentFormatVersion else {
      throw ReplicationError(
        .dataFolder,
        "the data folder \(folder.path) has format version \(catalog.formatVersion); this program "
          + "reads versions up to \(Catalog.currentFormatVersion): use a newer one")
    }
    return catalog
  }

  public func save(_ catalog: Catalog) async throws {
    try await onOwnThread("magic-catalog") { try save(catalog, to: "catalog.json") }
  }

  /// Why the last process that followed the source ended, when that was an error.
  public func loadFailure() throws -> String? {
    try load(String?.self, from: "failure.json") ?? nil
  }

  /// - Parameter failure: nil once a process follows the source again.
  public func save(failure: String?) async throws {
    try await onOwnThread("magic-failure") { try save(failure, to: "failure.json") }
  }

  private func load<Value: Decodable>(_ type: Value.Type, from name: String) throws -> Value? {
    let file = folder.appending(path: name)
    guard FileManager.default.fileExists(atPath: file.path) else { return nil }
    do {
      return try JSONDecoder().decode(type, from: Data(contentsOf: file))
    } catch {
      throw ReplicationError(
        .dataFolder,
        "\(file.path) is damaged (\(error)): restore the data folder from a backup or start with "
          + "an empty one")
    }
  }

  private func save(_ value: some Encodable, to name: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    try replaceFile(named: name, with: encoder.encode(value))
  }

  /// Writes beside the old file, syncs, renames over it and syncs the folder.
  private func replaceFile(named name: String, with data: Data) throws {
    let target = folder.appending(path: name).path
    let temporary = target + ".new"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw Self.failure("create", temporary) }
    do {
      try Self.write(data, to: descriptor, temporary)
      guard fsync(descriptor) == 0 else { throw Self.failure("sync", temporary) }
    } catch {
      close(descriptor)
      throw error
    }
    close(descriptor)
    guard rename(temporary, target) == 0 else { throw Self.failure("rename", temporary) }
    let directory = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directory >= 0 else { throw Self.failure("open", folder.path) }
    defer { close(directory) }
    guard fsync(directory) == 0 else { throw Self.failure("sync", folder.path) }
  }

  private static func write(_ data: Data, to descriptor: Int32, _ path: String) throws {
    try data.withUnsafeBytes { bytes in
      var written = 0
      while written < bytes.count {
        let count = Foundation.write(
          descriptor, bytes.baseAddress?.advanced(by: written), bytes.count - written)
        if count < 0 {
          if errno == EINTR { continue }
          throw failure("write", path)
        }
        written += count
      }
    }
  }

  private static func failure(_ action: String, _ path: String) -> ReplicationError {
    ReplicationError(.dataFolder, "cannot \(action) \(path): \(String(cString: strerror(errno)))")
  }
}

/// The catalogs of published checkpoints, for those who read an earlier one.
private final class PublishedCatalogs: Sendable {
  private struct State {
    /// The one that was stored before the first publication.
    var first: Catalog?
    /// Those that differ from the one before, by the position of the first checkpoint that had them.
    var later: [(position: BinlogPosition, catalog: Catalog)] = []
  }

  /// Snapshots that are older than so many changes of the catalog are rare, and find the oldest kept.
  private static let countLimit = 1000

  private let state = Mutex(State())

  func noteFirst(_ catalog: Catalog) {
    state.withLock { state in
      if state.first == nil { state.first = catalog }
    }
  }

  func note(_ catalog: Catalog, at position: BinlogPosition) {
    state.withLock { state in
      // What was noted for a publication that failed is read again.
      state.later.removeAll { $0.position >= position }
      guard (state.later.last?.catalog ?? state.first) != catalog else { return }
      state.later.append((position, catalog))
      if state.later.count > Self.countLimit { state.first = state.later.removeFirst().catalog }
    }
  }

  func catalog(at position: BinlogPosition) -> Catalog? {
    state.withLock { state in
      state.later.last { $0.position <= position }?.catalog ?? state.first
    }
  }
}
