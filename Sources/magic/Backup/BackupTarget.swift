import Backup
import Foundation
import Threads
import UnixSocket

/// Where a backup is written: a folder, an archive, or stdout. It has its name once it is whole.
actor BackupTarget {
  private enum Place {
    case folder(partial: String)
    case archive(partial: String, descriptor: CInt)
    case standardOutput
  }

  private let executor = ThreadExecutor(name: "magic-backup")
  private let path: String
  private let place: Place
  private let began = UInt64(max(0, time(nil)))

  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  /// Makes the file or folder, beside its name.
  ///
  /// - Throws: `Failure` when there is something of that name.
  init(path: String) throws {
    var path = path
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    self.path = path
    if path == "-" {
      guard isatty(STDOUT_FILENO) == 0 else {
        throw Failure("an archive is no text for a terminal: redirect stdout, or name a file")
      }
      place = .standardOutput
      return
    }
    let partial = path + ".partial"
    for name in [path, partial] where access(name, F_OK) == 0 {
      throw Failure(
        name == path
          ? "'\(name)' exists already: a backup is written under a new name"
          : "'\(name)' exists: another backup writes it, or one did not end; remove it then")
    }
    if path.hasSuffix(".tar") {
      let descriptor = Foundation.open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
      guard descriptor >= 0 else { throw SystemError("make \(partial)") }
      place = .archive(partial: partial, descriptor: descriptor)
    } else {
      for folder in [partial, partial + "/data"] where mkdir(folder, 0o700) != 0 {
        throw SystemError("make \(folder)")
      }
      place = .folder(partial: partial)
    }
  }

  /// Writes a file.
  func write(_ bytes: [UInt8], as name: String) throws -> Manifest.File {
    let digest = Digest()
    digest.add(bytes)
    switch place {
    case .folder(let partial):
      let file = partial + "/" + name
      let descriptor = Foundation.open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
      guard descriptor >= 0 else { throw SystemError("make \(file)") }
      defer { close(descriptor) }
      guard writeAll(bytes, to: descriptor) else { throw SystemError("write \(file)") }
      guard fsync(descriptor) == 0 else { throw SystemError("sync \(file)") }
    case .archive(_, let descriptor): try append(bytes, name, to: descriptor)
    case .standardOutput: try append(bytes, name, to: STDOUT_FILENO)
    }
    return Manifest.File(name: name, byteCount: UInt64(bytes.count), sha256: digest.finish())
  }

  private func append(_ bytes: [UInt8], _ name: String, to descriptor: CInt) throws {
    let header = TarHeader(name: name, byteCount: UInt64(bytes.count))
    let padding = [UInt8](repeating: 0, count: header.padding)
    for part in [try header.encoded(modified: began), bytes, padding] {
      guard writeAll(part, to: descriptor) else { throw SystemError("write \(path)") }
    }
  }

  /// Writes the manifest, and gives the backup its name.
  func finish(_ manifest: Manifest) throws {
    _ = try write(try manifest.encoded(), as: Manifest.name)
    switch place {
    case .folder(let partial):
      try sync(partial + "/data")
      try sync(partial)
      try rename(partial)
    case .archive(let partial, let descriptor):
      guard writeAll(TarHeader.end, to: descriptor) else { throw SystemError("write \(path)") }
      guard fsync(descriptor) == 0 else { throw SystemError("sync \(partial)") }
      close(descriptor)
      try rename(partial)
    case .standardOutput:
      guard writeAll(TarHeader.end, to: STDOUT_FILENO) else { throw SystemError("write stdout") }
    }
  }

  private func rename(_ partial: String) throws {
    guard Foundation.rename(partial, path) == 0 else { throw SystemError("rename \(partial)") }
    try sync((path as NSString).deletingLastPathComponent)
  }

  private func sync(_ folder: String) throws {
    let folder = folder.isEmpty ? "." : folder
    let descriptor = Foundation.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw SystemError("open \(folder)") }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw SystemError("sync \(folder)") }
  }

  /// Removes what was written.
  func abandon() {
    switch place {
    case .folder(let partial): try? FileManager.default.removeItem(atPath: partial)
    case .archive(let partial, let descriptor):
      close(descriptor)
      unlink(partial)
    case .standardOutput: break
    }
  }
}
