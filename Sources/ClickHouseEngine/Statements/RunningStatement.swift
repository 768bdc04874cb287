import MagicCore

/// A statement that writes into a pipe. Dropped half-read, it ends the statement.
actor RunningStatement {
  private enum State { case running, ended, cancelled }

  private let pipe: ResultPipe
  private let execution: Task<Void, any Error>
  private var first: [UInt8]?
  private var state = State.running

  init(pipe: ResultPipe, execution: Task<Void, any Error>) {
    self.pipe = pipe
    self.execution = execution
  }

  deinit {
    execution.cancel()
    Task.detached { [pipe] in await pipe.drain() }
  }

  /// Waits for the first bytes or the end, so that early errors are seen before any result.
  func readFirst() async throws { first = try await read() }

  func next() async throws -> [UInt8]? {
    if let chunk = first {
      first = nil
      return chunk
    }
    return try await read()
  }

  func cancel() async {
    guard state == .running else { return }
    state = .cancelled
    first = nil
    execution.cancel()
    await pipe.drain()
    _ = await execution.result
  }

  private func read() async throws -> [UInt8]? {
    let chunk = try await withTaskCancellationHandler { () -> [UInt8]? in
      if let chunk = await pipe.read() { return chunk }
      if state == .cancelled { throw EngineError.cancelled }
      try await execution.value
      return nil
    } onCancel: {
      execution.cancel()
    }
    if chunk == nil { state = .ended }
    return chunk
  }
}
