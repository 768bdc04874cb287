import GatheringTransport
import ServiceLifecycle

/// Keeps gRPC's health service up to date. It stops before the server, whose watchers it lets go.
struct HealthUpdates: Service {
  let health: HealthService
  /// Whether everything is there that is served.
  let isReady: @Sendable () async -> Bool

  func run() async throws {
    while !Task.isShuttingDownGracefully {
      health.set(await isReady() ? .serving : .notServing)
      try? await cancelWhenGracefulShutdown { try await Task.sleep(for: .milliseconds(500)) }
    }
    health.stop()
  }
}
