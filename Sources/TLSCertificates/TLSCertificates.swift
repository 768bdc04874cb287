import Foundation
import Logging
import NIOSSL
import Synchronization
import Threads

/// A server's certificate chain and private key, kept in PEM files that may be renewed while the
/// server runs.
///
/// A server asks for a ``context(for:)`` at each new connection, so that a renewal needs no restart;
/// connections that are open go on with what they began with.
public final class TLSCertificates: Sendable {
  /// What is spoken inside of TLS; agreed on during the handshake (ALPN).
  public enum ApplicationProtocol: String, Sendable {
    /// HTTP/1.1.
    case http1 = "http/1.1"
    /// HTTP/2, which gRPC needs.
    case http2 = "h2"
  }

  /// The file with the server's certificate, followed by those that lead to its root.
  public let certificateFile: String
  /// The file with the private key of the server's certificate, which must not be encrypted.
  public let privateKeyFile: String
  private let loaded: Mutex<LoadedCertificates>

  /// Loads both files, blocking the caller.
  ///
  /// - Throws: ``TLSCertificatesError`` when they cannot be read or do not belong together.
  public init(certificateFile: String, privateKeyFile: String) throws {
    self.certificateFile = certificateFile
    self.privateKeyFile = privateKeyFile
    self.loaded = Mutex(
      try LoadedCertificates(
        files: CertificateFiles(certificateFile: certificateFile, privateKeyFile: privateKeyFile)))
  }

  /// What a new connection is encrypted with.
  public func context(for applicationProtocol: ApplicationProtocol) -> NIOSSLContext {
    loaded.withLock { loaded in
      switch applicationProtocol {
      case .http1: loaded.http1
      case .http2: loaded.http2
      }
    }
  }

  /// Reads the files again and, if they changed, uses what they hold for connections to come.
  ///
  /// - Returns: whether they changed.
  /// - Throws: ``TLSCertificatesError``; then what was loaded before stays in use.
  @discardableResult
  public func reload() async throws -> Bool {
    try await onOwnThread("certificates") { [self] in
      let files = try CertificateFiles(
        certificateFile: certificateFile, privateKeyFile: privateKeyFile)
      guard files != loaded.withLock({ $0.files }) else { return false }
      let renewed = try LoadedCertificates(files: files)
      loaded.withLock { $0 = renewed }
      return true
    }
  }

  /// Reloads the files whenever they changed, until the task is cancelled. While they are broken,
  /// which a renewal causes for a moment when it writes one after the other, what was loaded before
  /// stays in use, and the log says why.
  public func watch(every interval: Duration = .seconds(5), logger: Logger) async {
    var complaint: String?
    while (try? await Task.sleep(for: interval)) != nil {
      do {
        if try await reload() {
          logger.info("Renewed TLS certificate", metadata: ["file": "\(certificateFile)"])
        }
        complaint = nil
      } catch {
        // Once for each state of the files, not at every look.
        guard complaint != "\(error)" else { continue }
        complaint = "\(error)"
        logger.error(
          "The TLS certificate cannot be renewed; the one loaded before stays in use",
          metadata: ["reason": "\(error)"])
      }
    }
  }
}

/// Why a certificate or its private key cannot be used.
public struct TLSCertificatesError: Error, Hashable, CustomStringConvertible {
  /// What is wrong with the files.
  public enum Kind: Hashable, Sendable {
    /// A file is missing, or may not be read.
    case unreadable
    /// The certificate file holds no certificate.
    case noCertificate
    /// The key file holds no private key, or an encrypted one.
    case noPrivateKey
    /// The key is not the certificate's.
    case mismatch
  }

  /// What is wrong with the files.
  public var kind: Kind
  /// In words, with what to do; never what is in the files.
  public var description: String
}
