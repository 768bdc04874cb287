import Foundation
import MySQLSource
import TestSupport
import Testing

private let openssl = findProgram("openssl")

@Suite(.enabled(if: MariaDBServer.isAvailable), .enabled(if: openssl != nil))
struct TLSTests {
  /// Two authorities and a certificate of the first, whose names are as given.
  private func makeCertificates(in folder: URL, names: String) async throws {
    let script = """
      cd "$1"
      for ca in ca other; do
        "$0" req -x509 -newkey rsa:2048 -nodes -days 2 -keyout $ca.key -out $ca.pem \
          -subj "/CN=test $ca"
      done
      "$0" req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj "/CN=server"
      printf 'subjectAltName=%s' "$2" > names
      "$0" x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
        -extfile names -out server.pem
      chmod a+r *
      """
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try await runProgram("/bin/sh", ["-e", "-c", script, openssl ?? "", folder.path, names])
  }

  @Test(.timeLimit(.minutes(2))) func modes() async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
      "magic-tls-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    // The certificate is for another address than the one that the tests connect to.
    try await makeCertificates(in: folder, names: "DNS:db.example.org,IP:127.0.0.2")
    let path = folder.path
    let server = try await MariaDBServer.start(options: [
      "--ssl-ca=\(path)/ca.pem", "--ssl-cert=\(path)/server.pem", "--ssl-key=\(path)/server.key",
      "--bind-address=0.0.0.0",
    ])
    func connect(_ options: String, host: String = "127.0.0.1") async throws -> String? {
      let url = server.url().replacing("127.0.0.1", with: host) + "?" + options
      let source = try await SourceConnection.connect(to: try sourceURL(url))
      let cipher = await source.cipher
      await source.close()
      return cipher
    }
    #expect(try await connect("ssl-mode=disabled") == nil)
    #expect(try await connect("ssl-mode=preferred") != nil)
    #expect(try await connect("ssl-mode=required") != nil)
    #expect(try await connect("ssl-mode=verify-ca&ssl-ca=\(path)/ca.pem") != nil)
    #expect(
      try await connect("ssl-mode=verify-identity&ssl-ca=\(path)/ca.pem", host: "127.0.0.2") != nil)
    for refused in [
      "ssl-mode=verify-ca&ssl-ca=\(path)/other.pem",
      "ssl-mode=verify-ca",
      "ssl-mode=verify-identity&ssl-ca=\(path)/ca.pem",
      "ssl-mode=verify-identity&ssl-ca=\(path)/other.pem",
      "ssl-mode=verify-identity",
      "ssl-mode=required&ssl-ca=\(path)/other.pem",
      "ssl-mode=preferred&ssl-ca=\(path)/other.pem",
      "ssl-mode=required&ssl-ca=/no/such/file",
    ] {
      let error = await #expect(throws: SourceError.self, "\(refused)") {
        _ = try await connect(refused)
      }
      #expect(error?.code == .unreachable || error?.code == .configuration)
    }
    await server.stop()
  }
}
