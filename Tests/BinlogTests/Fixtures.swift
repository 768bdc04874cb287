import Foundation
import Testing

/// The binlog files of real servers, in a folder beside the package.
enum Fixtures {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../../shared/fixtures/binlog").standardizedFileURL

  /// Whether the folder is there; the first caller prints when it is not.
  static let areAvailable: Bool = {
    let exists = FileManager.default.fileExists(atPath: folder.path)
    if !exists { print("Skipping tests on binlog fixtures: \(folder.path) is absent.") }
    return exists
  }()

  static func bytes(_ path: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: folder.appending(path: path)))
  }

  /// The paths, relative to the folder, of all files that begin with the magic number.
  static let binlogs: [String] = {
    guard areAvailable, let paths = FileManager.default.enumerator(atPath: folder.path) else {
      return []
    }
    return paths.compactMap { $0 as? String }.filter { path in
      let handle = FileHandle(forReadingAtPath: folder.appending(path: path).path)
      defer { try? handle?.close() }
      return (try? handle?.read(upToCount: 4)) == Data([0xFE, 0x62, 0x69, 0x6E])
    }.sorted()
  }()
}
