import Foundation
import Testing

@testable import Backup

struct TarTests {
  /// An archive of some files.
  private func archive(_ files: [(String, [UInt8])]) throws -> [UInt8] {
    var bytes: [UInt8] = []
    for (name, content) in files {
      let header = TarHeader(name: name, byteCount: UInt64(content.count))
      bytes += try header.encoded(modified: 1_700_000_000) + content
      bytes += [UInt8](repeating: 0, count: header.padding)
    }
    return bytes + TarHeader.end
  }

  /// What an archive holds, read in pieces of `step` bytes.
  private func files(in archive: [UInt8], step: Int = 100) throws -> [(String, [UInt8])] {
    var position = 0
    var reader = TarReader { limit in
      let end = min(archive.count, position + min(limit, step))
      defer { position = end }
      return Array(archive[position..<end])
    }
    var found: [(String, [UInt8])] = []
    while let header = try reader.next() {
      var content: [UInt8] = []
      while let bytes = try reader.read(upTo: 70) { content += bytes }
      found.append((header.name, content))
    }
    return found
  }

  private let sample: [(String, [UInt8])] = [
    ("plan.json", Array("{}".utf8)), ("data/0-0-end.native.zst", []),
    ("data/1-0.native.zst", [UInt8](repeating: 7, count: 512)),
    ("data/1-1-end.native.zst", [UInt8](repeating: 9, count: 1300)),
  ]

  @Test(arguments: [1, 13, 512, 4096])
  func whatIsWrittenIsRead(step: Int) throws {
    let found = try files(in: archive(sample), step: step)
    #expect(found.map(\.0) == sample.map(\.0))
    #expect(found.map(\.1) == sample.map(\.1))
  }

  @Test func filesMayBePassedOver() throws {
    let bytes = try archive(sample)
    var position = 0
    var reader = TarReader { limit in
      let end = min(bytes.count, position + limit)
      defer { position = end }
      return Array(bytes[position..<end])
    }
    var names: [String] = []
    while let header = try reader.next() { names.append(header.name) }
    #expect(names == sample.map(\.0))
  }

  @Test func theSystemsTarReadsIt() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "a.tar")
    try Data(try archive(sample)).write(to: file)
    let tar = Process()
    tar.executableURL = URL(filePath: "/usr/bin/env")
    tar.arguments = ["tar", "-xf", file.path, "-C", folder.path]
    try tar.run()
    tar.waitUntilExit()
    #expect(tar.terminationStatus == 0)
    for (name, content) in sample {
      #expect(try Data(contentsOf: folder.appending(path: name)) == Data(content))
    }
  }

  @Test func anArchiveThatEndsAnywhereIsRefused() throws {
    let bytes = try archive(sample)
    for count in 0..<(bytes.count - TarHeader.end.count + 511) where count % 7 == 0 {
      #expect(throws: BackupError.self) { try files(in: Array(bytes[..<count]), step: 512) }
    }
  }

  @Test func aDamagedHeaderIsRefused() throws {
    let bytes = try archive(sample)
    // The name, the size, the checksum, the kind.
    for place in [0, 50, 130, 150, 156, 260] {
      var damaged = bytes
      damaged[place] ^= 0x11
      #expect(throws: BackupError.self) { try files(in: damaged) }
    }
  }

  @Test func whatDoesNotFitIsAnError() {
    #expect(throws: BackupError.self) {
      try TarHeader(name: String(repeating: "n", count: 101), byteCount: 0).encoded(modified: 0)
    }
    #expect(throws: BackupError.self) {
      try TarHeader(name: "n", byteCount: 1 << 33).encoded(modified: 0)
    }
  }

  @Test func theDigestIsSHA256() {
    let digest = Digest()
    digest.add(Array("a".utf8))
    digest.add([])
    digest.add(Array("bc".utf8))
    #expect(
      digest.finish() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(
      Digest().finish() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
  }
}
