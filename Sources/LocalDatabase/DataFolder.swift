import FoundationEssentials
import Glibc
import UnixSocket

/// A folder that holds a copy, its engine and its socket. One process at a time owns it.
public struct DataFolder: Sendable {
  /// The folder's absolute path: the engine needs one to sync its folders.
  public let path: String

  /// The socket of the process that owns the folder.
  public var socketPath: String { path + "/magic.sock" }
  /// The published commit point and the checkpoint.
  public var commitLogPath: String { path + "/commits" }
  /// The engine's files.
  public var enginePath: String { path + "/engine" }
  private var lockPath: String { path + "/lock" }
  /// There as long as the folder is being restored.
  private var restoringPath: String { path + "/\(Self.restoringName)" }
  private static let restoringName = "restoring"

  /// Takes an existing folder.
  ///
  /// - Throws: ``FolderError`` when it does not exist, or holds something else.
  public init(existing path: String) throws {
    guard let resolved = realpath(path, nil) else {
      throw FolderError(
        "the data folder '\(path)' cannot be used: \(String(cString: strerror(errno)))")
    }
    defer { free(resolved) }
    self.path = String(cString: resolved)
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: self.path) else {
      throw FolderError("the data folder '\(path)' cannot be read")
    }
    // Someone's home folder, given by mistake, must not fill with the engine's files.
    guard names.isEmpty || names.contains("lock") else {
      throw FolderError("'\(path)' is not a data folder: it holds other files")
    }
    guard !names.contains(Self.restoringName) else {
      throw FolderError(
        "'\(path)' is being restored, or its restore did not end: remove the folder and restore "
          + "the backup again")
    }
  }

  /// Takes a new or empty folder for what a backup holds. Until ``endRestoring()`` nobody else can open
  /// it, in this process or later ones.
  public init(restoringTo path: String) throws {
    if let names = try? FileManager.default.contentsOfDirectory(atPath: path), !names.isEmpty {
      throw FolderError("'\(path)' is not empty: a backup is restored into a new folder")
    }
    try self.init(creating: path)
    let marker = open(restoringPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard marker >= 0 else { throw SystemError("make \(restoringPath)") }
    close(marker)
    sync()
  }

  /// Empties the folder after a restore that failed.
  public func abandonRestoring() throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: path)
    for name in names.filter({ $0 != Self.restoringName }) + [Self.restoringName] {
      try FileManager.default.removeItem(atPath: "\(path)/\(name)")
    }
  }

  /// Makes everything in the folder durable, and lets it be opened from now on.
  public func endRestoring() throws {
    sync()
    guard unlink(restoringPath) == 0 else { throw SystemError("remove \(restoringPath)") }
    sync()
  }

  /// Takes a folder, making it if necessary.
  public init(creating path: String) throws {
    if mkdir(path, 0o700) != 0 && errno != EEXIST {
      throw FolderError(
        "the data folder '\(path)' cannot be made: \(String(cString: strerror(errno)))")
    }
    try self.init(existing: path)
  }

  /// Takes ownership of the folder until the lock is released or this process ends.
  ///
  /// - Throws: ``FolderError`` that names the owner when the folder is in use.
  public func lock() throws -> FolderLock {
    let descriptor = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw SystemError("open \(lockPath)") }
    let lock = FolderLock(descriptor: descriptor)
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      guard errno == EWOULDBLOCK else { throw SystemError("lock \(lockPath)") }
      throw FolderError("the data folder '\(path)' is in use by process \(lock.owner())")
    }
    try lock.recordOwner()
    return lock
  }
}

/// The ownership of a data folder; ends with this object, or with the process however it ends.
public final class FolderLock: Sendable {
  private let descriptor: CInt

  fileprivate init(descriptor: CInt) { self.descriptor = descriptor }

  deinit { close(descriptor) }

  fileprivate func recordOwner() throws {
    let text = "\(getpid())\n"
    guard ftruncate(descriptor, 0) == 0, pwrite(descriptor, text, text.utf8.count, 0) > 0 else {
      throw SystemError("write the lock file")
    }
  }

  fileprivate func owner() -> String {
    var bytes = [UInt8](repeating: 0, count: 32)
    let count = pread(descriptor, &bytes, bytes.count, 0)
    let text = String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
    return Int(text.prefix { $0.isNumber }).map(String.init) ?? "unknown"
  }
}

/// Why a data folder cannot be used, in words for whoever named it.
public struct FolderError: Error, Sendable, CustomStringConvertible {
  /// What is wrong.
  public let description: String

  init(_ description: String) { self.description = description }
}
