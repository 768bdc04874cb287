/// Latches by name, which exist as long as somebody holds or awaits them.
actor NamedLatches {
  /// The latches, and how many have or await each.
  private var latches: [String: (latch: WriteLatch, users: Int)] = [:]

  /// Runs `body` while nobody else holds any of the latches.
  ///
  /// - Throws: what `body` throws; ``EngineError`` when the task is cancelled while it waits.
  func withLatches<Result: Sendable>(
    _ names: Set<String>, _ body: @Sendable () async throws -> Result
  ) async throws -> Result {
    // Always in the same order, so that two never wait for each other.
    var held: [String] = []
    defer { for name in held { release(name) } }
    for name in names.sorted() {
      let latch = latches[name]?.latch ?? WriteLatch()
      latches[name] = (latch, (latches[name]?.users ?? 0) + 1)
      do {
        try await latch.acquire()
      } catch {
        forget(name)
        throw error
      }
      held.append(name)
    }
    return try await body()
  }

  private func release(_ name: String) {
    latches[name]?.latch.release()
    forget(name)
  }

  private func forget(_ name: String) {
    latches[name]?.users -= 1
    if latches[name]?.users == 0 { latches[name] = nil }
  }
}
