import Foundation
import MagicCore
import Testing

@testable import ClickHouseEngine

extension EngineTests {
  @Test func aFolderOfAnotherProcessIsRefused() async throws {
    guard engineIsInstalled else { return }
    let folder = temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let child = Process()
    child.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    child.arguments = ["--testing-library", "swift-testing", "--filter", "holdsAFolder"]
    child.environment = ProcessInfo.processInfo.environment.merging(
      ["MAGIC_TEST_FOLDER": folder]) { $1 }
    let input = Pipe()
    child.standardInput = input
    child.standardOutput = FileHandle.nullDevice
    try child.run()
    defer {
      input.fileHandleForWriting.closeFile()
      child.waitUntilExit()
    }
    let marker = folder + "-ready"
    defer { try? FileManager.default.removeItem(atPath: marker) }
    for _ in 0..<1_000 where !FileManager.default.fileExists(atPath: marker) {
      try await Task.sleep(for: .milliseconds(10))
    }
    let error = await engineError { _ = try await ClickHouseEngine.open(dataFolder: folder) }
    let start =
      "the data folder \(folder) is in use by another process (PID: \(child.processIdentifier)): "
    #expect(error?.message.hasPrefix(start) == true, "\(error?.message ?? "")")
  }

  /// What the child process of the test above does: holds a folder until its input ends.
  @Test func holdsAFolder() async throws {
    guard let folder = ProcessInfo.processInfo.environment["MAGIC_TEST_FOLDER"] else { return }
    let engine = try await ClickHouseEngine.open(dataFolder: folder)
    _ = FileManager.default.createFile(atPath: folder + "-ready", contents: nil)
    _ = FileHandle.standardInput.readDataToEndOfFile()
    await engine.shutdown()
  }

  @Test func oneProcessOpensOneFolderAtATime() async throws {
    try await withEngine { engine in
      let other = temporaryFolder()
      defer { try? FileManager.default.removeItem(atPath: other) }
      let error = await engineError { _ = try await ClickHouseEngine.open(dataFolder: other) }
      #expect(error?.message.contains("this process has \(engine.dataFolder) open") == true)
      // The first is not harmed.
      let connection = try await engine.connect()
      #expect(try await connection.value("SELECT 1") == "1")
      await connection.close()
    }
  }

  @Test func aSecondLibraryIsRefused() async throws {
    try await withEngine { _ in
      let error = await engineError {
        _ = try await ClickHouseEngine.open(dataFolder: "/dev/null/x", library: "/proc/self/exe")
      }
      #expect(error?.message.hasPrefix("/proc/self/exe cannot be loaded beside /") == true)
    }
  }

  @Test func aFolderThatCannotBeMadeIsRefused() async throws {
    guard engineIsInstalled else { return }
    let error = await engineError { _ = try await ClickHouseEngine.open(dataFolder: "/dev/null/x") }
    #expect(error?.message == "the data folder /dev/null/x cannot be made: Not a directory")
  }
}

@Suite struct LibrarySearchTests {
  @Test func aMissingLibraryNamesWhatToDo() {
    #expect(
      throws: EngineError(
        message: "the ClickHouse engine library given cannot be read: /nowhere/lib.so: "
          + "No such file or directory; run scripts/setup")
    ) { try EngineLibrary.find(explicit: "/nowhere/lib.so") }
  }

  @Test func aLibraryThatIsGivenIsTaken() throws {
    #expect(try EngineLibrary.find(explicit: "/proc/self/exe") == "/proc/self/exe")
  }
}
