import Foundation
import GRPCCore
public import GatheringTransport
public import Logging
import NIOCore
public import ServiceLifecycle

/// Serves latches on a TCP address, and runs the node behind them.
///
/// On graceful shutdown it stops at once: calls that wait for a latch are told to go elsewhere, sessions
/// live on in the store.
public struct LatchServer: Service {
  private let node: LatchNode
  private let transport: GatheringServerTransport?
  private let authenticate: LatchRPCService.Authenticator
  private let logger: Logger

  /// Makes a server; it answers once ``run()`` is called. `transport` is nil when only this process
  /// uses the node.
  public init(
    node: LatchNode, transport: GatheringServerTransport?, logger: Logger,
    authenticate: @escaping LatchRPCService.Authenticator
  ) {
    self.node = node
    self.transport = transport
    self.logger = logger
    self.authenticate = authenticate
  }

  /// Serves until graceful shutdown or cancellation.
  public func run() async throws {
    let health = HealthService()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await node.run() }
      group.addTask { await updateHealth(health) }
      if let transport {
        group.addTask { try await serve(transport, health) }
      }
      group.addTask { try? await gracefulShutdown() }
      defer { group.cancelAll() }
      // The first to end is the shutdown, or an error.
      try await group.next()
    }
  }

  private func serve(
    _ transport: GatheringServerTransport, _ health: HealthService
  ) async throws {
    let service = LatchRPCService(node: node, authenticate: authenticate)
    let server = GRPCServer(transport: transport, services: [service, health])
    async let serving: Void = server.serve()
    do {
      let address = try await transport.listeningAddress
      let host = address.ipAddress ?? ""
      logger.notice("Latches on \(host.contains(":") ? "[\(host)]" : host):\(address.port ?? 0)")
    } catch let error as IOError {
      throw LatchStoreError(
        "cannot listen on \(transport.listenAddress): \(String(cString: strerror(error.errnoCode)))"
      )
    }
    try await serving
  }

  private func updateHealth(_ health: HealthService) async {
    while !Task.isCancelled {
      let isServing = await node.isServing
      for name in ["", "magic.latch.v1.Latches"] {
        health.set(isServing ? .serving : .notServing, for: name)
      }
      try? await Task.sleep(for: .milliseconds(500))
    }
    health.stop()
  }
}
