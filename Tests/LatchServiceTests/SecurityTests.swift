import GatheringTransport
import LatchClient
import Latches
import Logging
import ServiceLifecycle
import TLSCertificates
import TestSupport
import Testing

@testable import LatchService

/// Encrypted connections, and what is told of those that cannot be made.
@Suite(.enabled(if: findProgram("openssl") != nil)) struct SecurityTests {
  private func withServer(
    _ files: TestCertificates?, _ body: @escaping @Sendable (Int) async throws -> Void
  ) async throws {
    let folder = TemporaryFolder()
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let node = LatchNode(
      name: "test", store: try FileStore(folder: folder.path), logger: logger)
    let certificates = try files.map {
      try TLSCertificates(certificateFile: $0.certificateFile, privateKeyFile: $0.privateKeyFile)
    }
    let transport = GatheringServerTransport(
      port: 0, tls: { certificates?.context(for: .http2) }, logger: logger)
    let server = LatchServer(node: node, transport: transport, logger: logger) { _, _ in
      Principal(user: "ana", isAdmin: false)
    }
    let running = Task { try await server.run() }
    let port = try await transport.listeningAddress.port ?? 0
    let result = await Task { try await body(port) }.result
    running.cancel()
    _ = await running.result
    withExtendedLifetime(folder) {}
    try result.get()
  }

  private func inspect(
    _ host: String, _ port: Int, usesTLS: Bool = true, authorityFile: String? = nil
  ) async throws {
    var configuration = LatchClientConfiguration(endpoints: ["\(host):\(port)"])
    configuration.usesTLS = usesTLS
    configuration.authorityFile = authorityFile
    let client = LatchClient(configuration)
    defer { client.close() }
    _ = try await client.inspect()
  }

  private func isTold(_ what: String, _ body: () async throws -> Void) async {
    let start = ContinuousClock.now
    await #expect {
      try await body()
    } throws: { error in
      guard let error = error as? LatchCallError else { return false }
      return error.kind == .unavailable && error.message.contains(what)
    }
    #expect(ContinuousClock.now - start < .seconds(10), "\(what)")
  }

  @Test func serversAreKnownByNameAndByAddress() async throws {
    let files = try await TestCertificates(name: "latches")
    defer { files.remove() }
    try await withServer(files) { port in
      for host in ["localhost", "127.0.0.1"] {
        try await inspect(host, port, authorityFile: files.certificateFile)
      }
      await isTold("not signed") { try await inspect("127.0.0.1", port) }
      await isTold("encrypt") { try await inspect("127.0.0.1", port, usesTLS: false) }
    }
  }

  @Test func aCertificateForAnotherNameIsTold() async throws {
    let files = try await TestCertificates(
      name: "latches", alternatives: "DNS:elsewhere,IP:10.1.2.3")
    defer { files.remove() }
    try await withServer(files) { port in
      for host in ["localhost", "127.0.0.1"] {
        await isTold("another name") {
          try await inspect(host, port, authorityFile: files.certificateFile)
        }
      }
    }
  }

  @Test func aServerThatDoesNotEncryptIsTold() async throws {
    try await withServer(nil) { port in
      await isTold("does not encrypt") { try await inspect("127.0.0.1", port) }
    }
  }
}
