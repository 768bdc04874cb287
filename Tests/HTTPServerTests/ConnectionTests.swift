import Foundation
import HTTPServer
import MagicClient
import MagicCore
import ServiceLifecycle
import Testing
import UnixSocket

@Suite struct ConnectionTests {
  @Test func clientThatGoesAwayCancelsItsStatement() async throws {
    let statements = FakeService(.hang([1]))
    try await withServer(statements) { _, path in
      // curl leaves after a second at most.
      _ = try await curl(["--max-time", "0.3", "--unix-socket", path, "http://m/?query=x"])
      #expect(await eventually { statements.cancelled > 0 })
    }
  }

  @Test func cancelledTaskOfTheClientCancelsItsStatement() async throws {
    let statements = FakeService(.hang([1]))
    try await withServer(statements) { client, _ in
      let task = Task { try await collect(client, "SELECT 1", format: "TSV") }
      #expect(await eventually { statements.pulled == 2 })
      task.cancel()
      await #expect(throws: (any Error).self) { try await task.value }
      #expect(await eventually { statements.cancelled > 0 })
    }
  }

  @Test func statementRunsNoFurtherThanItsReaderPulls() async throws {
    let statements = FakeService(.endless([UInt8](repeating: 0, count: 64 << 10)))
    try await withServer(statements) { client, _ in
      let result = try await client.run("SELECT 1", format: "TSV")
      _ = try await result.next()
      try await Task.sleep(for: .milliseconds(200))
      let settled = statements.pulled
      try await Task.sleep(for: .milliseconds(200))
      #expect(statements.pulled == settled)
      // Socket buffers and watermarks hold a few chunks, not thousands.
      #expect(settled < 100)
      await result.cancel()
    }
  }

  @Test func socketIsForItsOwnerOnlyAndIsRemoved() async throws {
    let path = try await withServer(FakeService(.chunks([]))) { client, path in
      #expect(await client.isAnswering())
      let attributes = try FileManager.default.attributesOfItem(atPath: path)
      #expect(attributes[.posixPermissions] as? Int == 0o600)
      return path
    }
    #expect(!FileManager.default.fileExists(atPath: path))
  }

  @Test func pathsLongerThanASocketAddressWork() async throws {
    let name = Array(repeating: String(repeating: "d", count: 60), count: 4).joined(separator: "/")
    try await withServer(FakeService(.chunks([[42]])), folderName: name) { client, path in
      #expect(path.utf8.count > 240)
      let bytes = try await collect(client, "SELECT 1", format: "TSV")
      #expect(bytes == [42])
      #expect(FileManager.default.fileExists(atPath: path))
    }
  }

  @Test func socketOfALivingProcessIsNotReplaced() async throws {
    try await withServer(FakeService(.chunks([]))) { client, path in
      let thrown = #expect(throws: SystemError.self) { try Listener(unixSocket: path) }
      #expect(thrown?.code == EADDRINUSE)
      #expect(await client.isAnswering())
    }
  }

  @Test func staleSocketIsReplacedAndOtherFilesAreNot() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appending(path: "s").path(percentEncoded: false)
    let stale = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let bound = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(stale, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    #expect(bound == 0)
    close(stale)
    #expect(FileManager.default.fileExists(atPath: path))
    _ = try Listener(unixSocket: path)

    try Data("precious".utf8).write(to: URL(filePath: path))
    let thrown = #expect(throws: SystemError.self) { try Listener(unixSocket: path) }
    #expect(thrown?.code == EEXIST)
    #expect(try Data(contentsOf: URL(filePath: path)) == Data("precious".utf8))
  }

  @Test func clientOfNobodySaysSo() async throws {
    let client = try MagicClient(unixSocket: "/tmp/nobody-\(UUID().uuidString).sock")
    #expect(await client.isAnswering() == false)
    await #expect(throws: ClientError.self) { try await client.run("SELECT 1", format: "TSV") }
  }

  @Test func tcpServesToo() async throws {
    let listener = try Listener(host: "127.0.0.1", port: 0)
    let service = FakeService(.chunks([[5]]))
    let server = HTTPServer(
      listeners: [listener],
      contents: .init(services: service.service, authenticator: OpenDoor()), logger: silentLogger)
    let running = Task { try await server.run() }
    let client = try MagicClient(url: "http://127.0.0.1:\(try #require(listener.port))/")
    #expect(try await collect(client, "SELECT 1", format: "TSV") == [5])
    running.cancel()
    _ = await running.result
  }

  @Test(arguments: [true, false])
  func gracefulShutdownWaitsForABoundedTime(statementEnds: Bool) async throws {
    let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).sock").path()
    let statements = FakeService(
      statementEnds ? .chunks([[1], [2], [3]]) : .hang([1]))
    var limits = HTTPServer.Limits()
    limits.shutdownGrace = .milliseconds(300)
    let server = HTTPServer(
      listeners: [try Listener(unixSocket: path)], contents: .init(services: statements.service),
      limits: limits, logger: silentLogger)
    let group = ServiceGroup(services: [server], logger: silentLogger)
    let running = Task { try await group.run() }
    let client = try MagicClient(unixSocket: path)
    let result = try await client.run("SELECT 1", format: "TSV")
    await group.triggerGracefulShutdown()
    if statementEnds {
      var bytes: [UInt8] = []
      while let chunk = try await result.next() { bytes += chunk }
      #expect(bytes == [1, 2, 3])
    } else {
      await #expect(throws: (any Error).self) { while try await result.next() != nil {} }
      #expect(await eventually { statements.cancelled > 0 })
    }
    try await running.value
  }
}
