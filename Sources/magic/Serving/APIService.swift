import MagicAPI
import ServiceLifecycle

/// Keeps the house of the Magic API; stops it once the servers before it have stopped.
struct APIService: Service {
  let api: MagicAPI

  func run() async throws {
    let house = Task { await api.run() }
    try? await gracefulShutdown()
    await api.shutdown()
    house.cancel()
    await house.value
  }
}
