import Foundation
import Logging
import NIOSSL
import TLSCertificates
import TestSupport
import Testing

@Suite struct TLSCertificatesTests {
  @Test func loadsAndReloads() async throws {
    let files = try await TestCertificates(name: "first")
    defer { files.remove() }
    let certificates = try load(files)
    let first = certificates.context(for: .http2)
    #expect(certificates.context(for: .http1) !== first)
    #expect(try await certificates.reload() == false)
    #expect(certificates.context(for: .http2) === first)

    try await files.renew(name: "second")
    #expect(try await certificates.reload())
    let second = certificates.context(for: .http2)
    #expect(second !== first)

    // Broken files leave what was loaded in use, and are told.
    try Data("nothing".utf8).write(to: URL(fileURLWithPath: files.certificateFile))
    await #expect(throws: TLSCertificatesError.self) { try await certificates.reload() }
    #expect(certificates.context(for: .http2) === second)
  }

  @Test func watchingSeesARenewal() async throws {
    let files = try await TestCertificates(name: "first")
    defer { files.remove() }
    let certificates = try load(files)
    let first = certificates.context(for: .http2)
    let watching = Task {
      await certificates.watch(every: .milliseconds(10), logger: Logger(label: "test"))
    }
    try FileManager.default.removeItem(atPath: files.privateKeyFile)
    try await Task.sleep(for: .milliseconds(50))
    try await files.renew(name: "second")
    for _ in 0..<500 where certificates.context(for: .http2) === first {
      try await Task.sleep(for: .milliseconds(10))
    }
    #expect(certificates.context(for: .http2) !== first)
    watching.cancel()
    await watching.value
  }

  @Test func tellsWhatIsWrong() async throws {
    let one = try await TestCertificates(name: "one")
    defer { one.remove() }
    let other = try await TestCertificates(name: "other")
    defer { other.remove() }
    let empty = one.folder.appendingPathComponent("empty.pem").path
    try Data().write(to: URL(fileURLWithPath: empty))

    let problems: [(certificate: String, key: String, TLSCertificatesError.Kind)] = [
      (one.folder.appendingPathComponent("none.pem").path, one.privateKeyFile, .unreadable),
      (one.folder.path, one.privateKeyFile, .unreadable),
      (empty, one.privateKeyFile, .noCertificate),
      (one.privateKeyFile, one.privateKeyFile, .noCertificate),
      (one.certificateFile, empty, .noPrivateKey),
      (one.certificateFile, one.certificateFile, .noPrivateKey),
      (one.certificateFile, other.privateKeyFile, .mismatch),
    ]
    for (certificate, key, kind) in problems {
      let error = #expect(throws: TLSCertificatesError.self) {
        try TLSCertificates(certificateFile: certificate, privateKeyFile: key)
      }
      #expect(error?.kind == kind)
      #expect(error?.description.contains(kind == .noPrivateKey ? key : certificate) == true)
    }
  }

  @Test func refusesAnEncryptedKey() async throws {
    let files = try await TestCertificates(name: "one")
    defer { files.remove() }
    let encrypted = files.folder.appendingPathComponent("encrypted.pem").path
    try await runProgram(
      try #require(findProgram("openssl")),
      ["pkcs8", "-topk8", "-in", files.privateKeyFile, "-out", encrypted, "-passout", "pass:x"])
    let error = #expect(throws: TLSCertificatesError.self) {
      try TLSCertificates(certificateFile: files.certificateFile, privateKeyFile: encrypted)
    }
    #expect(error?.kind == .noPrivateKey)
  }

  private func load(_ files: TestCertificates) throws -> TLSCertificates {
    try TLSCertificates(
      certificateFile: files.certificateFile, privateKeyFile: files.privateKeyFile)
  }
}
