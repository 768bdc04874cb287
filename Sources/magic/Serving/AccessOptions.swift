import ArgumentParser
import Foundation
import Logging
import MagicAPI
import TLSCertificates

/// Who may come in, and how the connection is protected.
struct AccessOptions: ParsableArguments {
  @Option(
    help: """
      The file of the users, JSON; see docs/access.md. MAGIC_USER with MAGIC_PASSWORD or \
      MAGIC_PASSWORD_FILE in the environment make one administrator.
      """, completion: .file())
  var users: String?

  @Option(help: "The file with the certificate chain of the server, PEM.", completion: .file())
  var tlsCertificate: String?

  @Option(help: "The file with the private key of the certificate, PEM.", completion: .file())
  var tlsKey: String?

  func validate() throws {
    guard (tlsCertificate == nil) == (tlsKey == nil) else {
      throw ValidationError("--tls-certificate and --tls-key go together.")
    }
  }

  /// Reads the users and the certificates.
  ///
  /// - Throws: `Failure` when somebody could come in from another machine without saying who they are.
  func makeGuard(
    of addresses: [(option: String, address: ListenAddress)], logger: Logger
  ) throws -> Guard {
    let environment = ProcessInfo.processInfo.environment
    var directory: UserDirectory?
    let variables = ["MAGIC_USER", "MAGIC_PASSWORD", "MAGIC_PASSWORD_FILE"]
    if users != nil || variables.contains(where: { environment[$0] != nil }) {
      directory = try UserDirectory(file: users, environment: environment)
    }
    for (option, address) in addresses where !address.isLoopback {
      guard directory != nil else {
        throw Failure(
          "\(option) \(address) can be reached from other machines, and without users everybody is "
            + "an administrator: give --users, or listen on 127.0.0.1")
      }
      if tlsCertificate == nil {
        logger.warning("Passwords reach \(option) \(address) unencrypted: give --tls-certificate")
      }
    }
    var certificates: TLSCertificates?
    if let tlsCertificate, let tlsKey {
      certificates = try TLSCertificates(certificateFile: tlsCertificate, privateKeyFile: tlsKey)
    }
    return Guard(directory: directory, certificates: certificates, logger: logger)
  }
}
