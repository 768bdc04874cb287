import Foundation
import Logging
import MagicAPI
import ServiceLifecycle
import TLSCertificates
import UnixSignals

/// Who may come in, and with which certificate the server answers. Reads both again when their files
/// change, and on SIGHUP.
struct Guard: Service {
  let directory: UserDirectory?
  let certificates: TLSCertificates?
  let logger: Logger

  /// Tells who a client is.
  var authenticator: any Authenticator {
    if let directory { directory } else { Everybody() }
  }

  func run() async throws {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await directory?.watch(logger: logger) }
      group.addTask { await certificates?.watch(logger: logger) }
      group.addTask { await reloadOnSignal() }
      try? await gracefulShutdown()
      group.cancelAll()
    }
  }

  private func reloadOnSignal() async {
    for await _ in await UnixSignalsSequence(trapping: .sighup) where !Task.isCancelled {
      do {
        try await directory?.reload()
        try await certificates?.reload()
        logger.notice("Read users and certificates again")
      } catch {
        logger.error("Users or certificates cannot be read again, and stay: \(error)")
      }
    }
  }
}

/// Lets everybody in as an administrator: for servers that only this machine reaches.
struct Everybody: Authenticator {
  var isOpen: Bool { true }

  func authenticate(
    user: String, password: String, interface: String, address: String
  ) async throws -> Caller {
    Caller(
      user: user.isEmpty ? "default" : user, role: .admin, interface: interface, address: address)
  }
}
