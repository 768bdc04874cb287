import GRPCCore
import NIOCore
import NIOSSL
import TLSCertificates
import TestSupport
import Testing

@testable import GatheringTransport

@Suite(.timeLimit(.minutes(1))) struct TLSTests {
  /// Trusts what a file holds, and nothing else.
  private func trusting(_ files: TestCertificates) throws -> NIOSSLContext {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.trustRoots = .certificates(
      try NIOSSLCertificate.fromPEMFile(files.certificateFile))
    configuration.applicationProtocols = ["h2"]
    return try NIOSSLContext(configuration: configuration)
  }

  private func echo(_ client: TestClient, _ text: String) async throws -> String? {
    let call = try await client.call("Echo")
    try await call.send(text, isLast: true)
    let answer = try await call.nextText()
    #expect(try await call.status() == "0")
    return answer
  }

  @Test func certificatesAreRenewedWhileConnectionsGoOn() async throws {
    let files = try await TestCertificates(name: "first")
    defer { files.remove() }
    let certificates = try TLSCertificates(
      certificateFile: files.certificateFile, privateKeyFile: files.privateKeyFile)
    let isEncrypted: TestHandler = { _, context, writer in
      #expect((context.transportSpecific as? ConnectionInfo)?.isEncrypted == true)
      return [:]
    }
    try await withServer(
      ["Echo": TestService.echo, "IsEncrypted": isEncrypted],
      tls: { certificates.context(for: .http2) }
    ) { port, _ in
      let first = try trusting(files)
      let early = try await TestClient.connect(port: port, tls: first)
      #expect(try await echo(early, "one") == "one")
      let call = try await early.call("IsEncrypted")
      try await call.sendEnd()
      #expect(try await call.status() == "0")

      try await files.renew(name: "second")
      #expect(try await certificates.reload())
      // Who trusts the first certificate only, no longer gets in; open connections go on.
      let distrustful = try await TestClient.connect(port: port, tls: first)
      await #expect(throws: (any Error).self) { _ = try await echo(distrustful, "no") }
      let late = try await TestClient.connect(port: port, tls: try trusting(files))
      #expect(try await echo(late, "two") == "two")
      #expect(try await echo(early, "three") == "three")
      for client in [early, late, distrustful] { await client.close() }
    }
  }

  @Test func plainTextToATLSPortIsClosed() async throws {
    let files = try await TestCertificates(name: "one")
    defer { files.remove() }
    let certificates = try TLSCertificates(
      certificateFile: files.certificateFile, privateKeyFile: files.privateKeyFile)
    try await withServer(
      ["Echo": TestService.echo], tls: { certificates.context(for: .http2) }
    ) { port, _ in
      let plain = try await RawConnection.connect(port: port)
      try await plain.write(RawConnection.preface)
      #expect(try await plain.readToEnd() != nil)
      let client = try await TestClient.connect(port: port, tls: try trusting(files))
      let body = ByteBuffer(repeating: 5, count: 5 << 20)
      let call = try await client.call("Echo")
      try await call.send(body, isLast: true)
      #expect(try await call.next() == body)
      #expect(try await call.status() == "0")
      await client.close()
    }
  }
}
