import Foundation
import LocalDatabase
import Testing

@Suite struct DataFolderTests {
  @Test func oneOwnerAtATime() throws {
    try withFolder { path in
      let folder = try DataFolder(creating: path + "/data")
      let attributes = try FileManager.default.attributesOfItem(atPath: folder.path)
      #expect(attributes[.posixPermissions] as? Int == 0o700)
      let lock = try folder.lock()
      let thrown = #expect(throws: FolderError.self) { try folder.lock() }
      #expect(
        thrown?.description
          == "the data folder '\(folder.path)' is in use by process \(getpid())")
      withExtendedLifetime(lock) {}
    }
  }

  @Test func ownershipEndsWithItsLock() throws {
    try withFolder { path in
      let folder = try DataFolder(existing: path)
      _ = try folder.lock()
      _ = try folder.lock()
      // A folder that was owned once is known by its lock file.
      #expect(try DataFolder(existing: path + "/.").path == folder.path)
    }
  }

  @Test func otherFoldersAreRefused() throws {
    try withFolder { path in
      try Data("x".utf8).write(to: URL(filePath: path + "/thesis.txt"))
      let occupied = #expect(throws: FolderError.self) { try DataFolder(existing: path) }
      #expect(occupied?.description == "'\(path)' is not a data folder: it holds other files")
      let missing = #expect(throws: FolderError.self) {
        try DataFolder(existing: path + "/missing")
      }
      #expect(missing?.description.hasSuffix("No such file or directory") == true)
    }
  }

  private func withFolder(_ body: (String) throws -> Void) throws {
    let url = FileManager.default.temporaryDirectory.appending(path: "magic-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: url) }
    try body(url.path(percentEncoded: false))
  }
}
