import Foundation

/// A self-signed certificate for `localhost` and its key in a temporary folder, made by `openssl`.
public struct TestCertificates: Sendable {
  public let folder: URL
  private let alternatives: String
  public var certificateFile: String { folder.appendingPathComponent("certificate.pem").path }
  public var privateKeyFile: String { folder.appendingPathComponent("key.pem").path }

  /// - Parameters:
  ///   - name: the subject's common name, to tell certificates apart.
  ///   - alternatives: for whom it is.
  public init(name: String, alternatives: String = "DNS:localhost,IP:127.0.0.1") async throws {
    self.alternatives = alternatives
    folder = FileManager.default.temporaryDirectory.appendingPathComponent(
      "magic-certificates-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try await renew(name: name)
  }

  /// Writes another certificate with another key over the files.
  public func renew(name: String) async throws {
    guard let openssl = findProgram("openssl") else {
      throw SubprocessError(description: "openssl is not installed")
    }
    try await runProgram(
      openssl,
      [
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-days", "2", "-subj", "/CN=\(name)",
        "-addext", "subjectAltName=\(alternatives)",
        "-keyout", privateKeyFile, "-out", certificateFile,
      ])
  }

  public func remove() {
    try? FileManager.default.removeItem(at: folder)
  }
}
