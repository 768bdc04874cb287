import Glibc

/// A Unix domain socket's path in a form that fits a socket address.
///
/// `sun_path` holds 107 bytes (unix(7)); data folders can lie deeper than that. A path that is too
/// long is reached through an open descriptor of its folder, which lasts as long as this object:
/// keep it for as long as ``connectable`` is in use.
public final class SocketPath: Sendable {
  /// The longest path that a socket address holds, in bytes, without its terminating zero.
  public static let maximumByteCount = 107

  /// The path as it was given.
  public let path: String
  /// A path to the same file for `bind` and `connect` in this process.
  public let connectable: String
  private let folderDescriptor: CInt?

  /// Prepares a path; the file itself need not exist yet.
  ///
  /// - Throws: ``SystemError`` when the path is too long and its folder cannot be opened.
  public init(_ path: String) throws(SystemError) {
    self.path = path
    guard path.utf8.count > Self.maximumByteCount else {
      connectable = path
      folderDescriptor = nil
      return
    }
    let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
    let folder = slash.map { String(path[..<$0]) } ?? "."
    let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
    let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw SystemError("open \(folder)") }
    folderDescriptor = descriptor
    connectable = "/proc/self/fd/\(descriptor)/\(name)"
  }

  deinit {
    if let folderDescriptor { close(folderDescriptor) }
  }
}

/// A system call that failed.
public struct SystemError: Error, Sendable, CustomStringConvertible {
  /// What was attempted, on what.
  public let action: String
  /// The call's `errno`.
  public let code: CInt

  /// Notes a failure; `code` is the calling thread's `errno` unless it is given.
  public init(_ action: String, code: CInt = errno) {
    self.action = action
    self.code = code
  }

  /// The action with the system's text for the error.
  public var description: String { "\(action): \(String(cString: strerror(code)))" }
}
