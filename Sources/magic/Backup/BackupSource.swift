import Backup
import Foundation
import Threads
import UnixSocket

/// Reads the files of a backup in their order: the plan, the rows, the manifest.
actor BackupSource {
  private enum Place {
    case folder(rest: [String], file: Descriptor?)
    case archive(TarReader, Descriptor?)
  }

  /// An open file.
  private final class Descriptor {
    let number: CInt
    let path: String

    init(opening path: String) throws {
      self.path = path
      number = Foundation.open(path, O_RDONLY | O_CLOEXEC)
      guard number >= 0 else { throw SystemError("open \(path)") }
    }

    deinit { close(number) }

    func read(upTo limit: Int) throws -> [UInt8] { try BackupSource.read(number, limit, path) }
  }

  private let executor = ThreadExecutor(name: "magic-restore")
  private let path: String
  private var place: Place

  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  /// Opens a folder, an archive, or stdin for `-`.
  init(path: String) throws {
    self.path = path
    if path == "-" {
      place = .archive(TarReader { try Self.read(STDIN_FILENO, $0, "stdin") }, nil)
      return
    }
    var status = stat()
    guard stat(path, &status) == 0 else { throw SystemError("open \(path)") }
    guard status.st_mode & S_IFMT == S_IFDIR else {
      let file = try Descriptor(opening: path)
      place = .archive(TarReader { try file.read(upTo: $0) }, file)
      return
    }
    guard access(path + "/" + Manifest.name, F_OK) == 0 else {
      throw Failure(
        "'\(path)' has no \(Manifest.name): it is no backup, or one that did not end")
    }
    let file = try Descriptor(opening: path + "/" + Manifest.name)
    let manifest = try Manifest(
      decoding: try Self.all { try file.read(upTo: 1 << 20) })
    let files = manifest.loadOrder.joined().flatMap { manifest.tables[$0].files }.map(\.name)
    // A name must not lead out of the folder.
    if let name = files.first(where: { PartName($0) == nil }) {
      throw Failure("the manifest names a file '\(name)', which no backup has")
    }
    place = .folder(rest: [Manifest.planName] + files + [Manifest.name], file: nil)
  }

  /// The name of the next file; nil at the end.
  func next() throws -> String? {
    switch place {
    case .folder(var rest, _):
      guard !rest.isEmpty else { return nil }
      let name = rest.removeFirst()
      place = .folder(rest: rest, file: try Descriptor(opening: path + "/" + name))
      return name
    case .archive(var reader, let file):
      defer { place = .archive(reader, file) }
      return try reader.next()?.name
    }
  }

  /// The next bytes of the file; nil at its end.
  func read(upTo limit: Int = 1 << 20) throws -> [UInt8]? {
    switch place {
    case .folder(_, let file):
      let bytes = try file?.read(upTo: limit) ?? []
      return bytes.isEmpty ? nil : bytes
    case .archive(var reader, let file):
      defer { place = .archive(reader, file) }
      return try reader.read(upTo: limit)
    }
  }

  /// The rest of the file.
  func readAll() throws -> [UInt8] { try Self.all { try read() ?? [] } }

  private static func all(_ read: () throws -> [UInt8]) throws -> [UInt8] {
    var bytes: [UInt8] = []
    while true {
      let more = try read()
      if more.isEmpty { return bytes }
      bytes += more
      guard bytes.count <= Manifest.byteCountLimit else {
        throw Failure("the backup's plan is longer than \(Manifest.byteCountLimit >> 20) MiB")
      }
    }
  }

  private static func read(_ descriptor: CInt, _ limit: Int, _ path: String) throws -> [UInt8] {
    var failure: SystemError?
    let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
      while count < limit {
        let got = Foundation.read(
          descriptor, buffer.baseAddress?.advanced(by: count), limit - count)
        if got < 0, errno == EINTR { continue }
        if got < 0 { failure = SystemError("read \(path)") }
        guard got > 0 else { break }
        count += got
      }
    }
    if let failure { throw failure }
    return bytes
  }
}
