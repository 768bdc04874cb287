import ArgumentParser
import EtcdClient
import FlightServer
import Foundation
import GRPCCore
import GatheringTransport
import LatchService
import Logging
import MagicAPI

/// Where the latches of a server are kept.
struct LatchStoreAddress: ExpressibleByArgument, CustomStringConvertible, Hashable {
  /// The form of the address, without a word about where the folder is.
  let etcd: EtcdAddress?
  private let text: String

  static let file = LatchStoreAddress(etcd: nil, text: "file")

  private init(etcd: EtcdAddress?, text: String) {
    self.etcd = etcd
    self.text = text
  }

  init?(argument: String) {
    if argument == "file" {
      self = .file
      return
    }
    guard let etcd = EtcdAddress(argument) else { return nil }
    self.init(etcd: etcd, text: argument)
  }

  var description: String { text }
  var defaultValueDescription: String { text }
}

/// How several nodes serve latches together.
struct LatchNodeOptions: ParsableArguments {
  @Option(
    help: """
      The HOST:PORT at which clients and other nodes reach this one's latches (default: where it \
      listens).
      """)
  var latchAdvertise: String?

  @Option(
    help: "Certificates in PEM form that those of etcd and of the other nodes are signed by.",
    completion: .file())
  var latchPeerCa: String?

  /// A node that keeps its latches where it is told.
  func makeNode(
    folder: String, store: LatchStoreAddress, listen: ListenAddress, usesTLS: Bool, logger: Logger
  ) throws -> LatchNode {
    let name = latchAdvertise ?? "\(ProcessInfo.processInfo.hostName):\(listen.port)"
    guard let etcd = store.etcd else {
      return LatchNode(name: name, store: try FileStore(folder: folder), logger: logger)
    }
    let address = latchAdvertise ?? listen.description
    if listen.port == 0, latchAdvertise == nil {
      throw Failure(
        "other nodes must know where this one listens: give a port, or --latch-advertise")
    }
    return LatchNode(
      name: address,
      store: EtcdStore(
        etcd, node: address, address: address, usesTLS: usesTLS,
        authorityFile: latchPeerCa, logger: logger),
      peerAuthorityFile: latchPeerCa, logger: logger)
  }
}

/// A server of latches, to whom the guard lets in.
func makeLatchServer(
  _ node: LatchNode, listen: ListenAddress, _ guardian: Guard, logger: Logger
) -> LatchServer {
  var transport: GatheringServerTransport?
  if let host = listen.host {
    var limits = GatheringServerTransport.Limits()
    // Every call that waits for a latch is one that runs.
    limits.callsPerConnection = 10_000
    limits.connectionCount = 10_000
    limits.messageByteCount = 16 << 20
    limits.windowByteCount = 64 << 10
    limits.shutdownGrace = .milliseconds(500)
    transport = GatheringServerTransport(
      host: host, port: listen.port,
      tls: { [certificates = guardian.certificates] in certificates?.context(for: .http2) },
      limits: limits, logger: logger)
  }
  let authenticator = guardian.authenticator
  return LatchServer(node: node, transport: transport, logger: logger) { metadata, address in
    try await authenticator.principal(metadata, address)
  }
}

extension Authenticator {
  /// Who sent a call to the latch service.
  fileprivate func principal(_ metadata: Metadata, _ address: String) async throws -> Principal {
    do {
      var (user, password) = ("", "")
      if let header = metadata[stringValues: "authorization"].first(where: { _ in true }) {
        switch try Credentials.Proof(authorization: header) {
        case .none: break
        case .password(let name, let secret): (user, password) = (name, secret)
        case .token(let token): password = token
        }
      } else if !isOpen {
        throw APIError(
          .unauthenticated, "say who you are, by a user and a password, or by a token")
      }
      let caller = try await authenticate(
        user: user, password: password, interface: "latch", address: address)
      return Principal(
        user: caller.user, isAdmin: caller.role == .admin, mayChange: caller.role >= .writer,
        rights: caller.rights, sees: { caller.sees($0) })
    } catch let error as APIError {
      throw RPCError(
        code: error.kind == .unauthenticated ? .unauthenticated : .permissionDenied,
        message: error.message)
    }
  }
}
