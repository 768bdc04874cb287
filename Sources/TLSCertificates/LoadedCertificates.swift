import Foundation
import NIOSSL

/// What the two files hold.
struct CertificateFiles: Equatable {
  var certificateFile: String
  var privateKeyFile: String
  var certificates: [UInt8]
  var privateKey: [UInt8]

  init(certificateFile: String, privateKeyFile: String) throws {
    self.certificateFile = certificateFile
    self.privateKeyFile = privateKeyFile
    self.certificates = try Self.read(certificateFile)
    self.privateKey = try Self.read(privateKeyFile)
  }

  private static func read(_ file: String) throws -> [UInt8] {
    guard let stream = fopen(file, "r") else { throw unreadable(file) }
    defer { fclose(stream) }
    var contents: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16384)
    while true {
      let count = fread(&chunk, 1, chunk.count, stream)
      if count > 0 { contents += chunk[..<count] }
      if ferror(stream) != 0 { throw unreadable(file) }
      if feof(stream) != 0 { return contents }
    }
  }

  private static func unreadable(_ file: String) -> TLSCertificatesError {
    TLSCertificatesError(
      kind: .unreadable, description: "cannot read \(file): \(String(cString: strerror(errno)))")
  }
}

/// What the files say, made ready for connections.
struct LoadedCertificates {
  let files: CertificateFiles
  let http1: NIOSSLContext
  let http2: NIOSSLContext

  init(files: CertificateFiles) throws {
    self.files = files
    let chain = (try? NIOSSLCertificate.fromPEMBytes(files.certificates)) ?? []
    guard !chain.isEmpty else {
      throw TLSCertificatesError(
        kind: .noCertificate,
        description: "\(files.certificateFile) holds no certificate in PEM form")
    }
    guard let key = try? NIOSSLPrivateKey(bytes: files.privateKey, format: .pem) else {
      throw TLSCertificatesError(
        kind: .noPrivateKey,
        description: "\(files.privateKeyFile) holds no unencrypted private key in PEM form")
    }
    var configuration = TLSConfiguration.makeServerConfiguration(
      certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
    configuration.minimumTLSVersion = .tlsv12
    do {
      http1 = try Self.context(configuration, .http1)
      http2 = try Self.context(configuration, .http2)
    } catch {
      throw TLSCertificatesError(
        kind: .mismatch,
        description: "the private key in \(files.privateKeyFile) is not that of the first "
          + "certificate in \(files.certificateFile)")
    }
  }

  private static func context(
    _ configuration: TLSConfiguration, _ applicationProtocol: TLSCertificates.ApplicationProtocol
  ) throws -> NIOSSLContext {
    var configuration = configuration
    configuration.applicationProtocols = [applicationProtocol.rawValue]
    return try NIOSSLContext(configuration: configuration)
  }
}
