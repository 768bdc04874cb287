import Foundation
import GRPCCore
import GatheringTransport
import Logging
import NIOCore
import ServiceLifecycle

/// Why a server cannot listen.
struct ListenError: Error, CustomStringConvertible {
  let description: String
}

/// Runs a ``FlightService``, and others beside it, on a TCP address.
///
/// On graceful shutdown it accepts nobody any more and lets running calls finish for a bounded time.
public struct FlightServer: Service {
  private let transport: GatheringServerTransport
  private let services: [any RegistrableRPCService]
  private let logger: Logger

  /// Makes a server of the ``FlightService`` and others, such as gRPC's health; it answers once
  /// ``run()`` is called.
  public init(
    transport: GatheringServerTransport, services: [any RegistrableRPCService], logger: Logger
  ) {
    self.transport = transport
    self.services = services
    self.logger = logger
  }

  /// Serves until graceful shutdown or cancellation.
  public func run() async throws {
    let server = GRPCServer(transport: transport, services: services)
    try await withGracefulShutdownHandler {
      async let address = transport.listeningAddress
      async let serving: Void = server.serve()
      do {
        let address = try await address
        let host = address.ipAddress ?? ""
        let isV6 = host.contains(":")
        logger.notice("Flight SQL on \(isV6 ? "[\(host)]" : host):\(address.port ?? 0)")
      } catch let error as IOError {
        let reason = String(cString: strerror(error.errnoCode))
        throw ListenError(description: "cannot listen on \(transport.listenAddress): \(reason)")
      }
      try await serving
    } onGracefulShutdown: {
      server.beginGracefulShutdown()
    }
  }
}
