import MagicCore
import Synchronization

/// Runs "statements" that name what the fake shall do.
final class FakeStatements: StatementService {
  /// What a statement does.
  enum Script: Sendable {
    case chunks([[UInt8]])
    case failEarly(EngineError)
    case failAfter([UInt8], EngineError)
    /// Never ends by itself.
    case endless([UInt8])
    /// Gives one chunk, then nothing until it is cancelled.
    case hang([UInt8])
  }

  private struct State {
    var received: [(statement: String, format: String)] = []
    var pulled = 0
    var cancelled = 0
  }

  private let script: Script
  private let state = Mutex(State())

  init(_ script: Script) { self.script = script }

  var received: [String] { state.withLock { $0.received.map(\.statement) } }
  var formats: [String] { state.withLock { $0.received.map(\.format) } }
  var pulled: Int { state.withLock { $0.pulled } }
  var cancelled: Int { state.withLock { $0.cancelled } }

  func run(_ statement: String, format: String) async throws -> StatementResult {
    state.withLock { $0.received.append((statement, format)) }
    if case .failEarly(let error) = script { throw error }
    let position = Mutex(0)
    return StatementResult(
      format: format,
      next: {
        self.state.withLock { $0.pulled += 1 }
        let index = position.withLock { position in
          defer { position += 1 }
          return position
        }
        return try await self.chunk(index)
      },
      cancel: { self.state.withLock { $0.cancelled += 1 } })
  }

  private func chunk(_ index: Int) async throws -> [UInt8]? {
    switch script {
    case .chunks(let chunks): return index < chunks.count ? chunks[index] : nil
    case .failEarly(let error): throw error
    case .failAfter(let bytes, let error):
      if index == 0 { return bytes }
      throw error
    case .endless(let bytes): return bytes
    case .hang(let bytes):
      if index == 0 { return bytes }
      while cancelled == 0 {
        // Ends by cancellation of the statement alone, as an engine's statement does.
        try? await Task.sleep(for: .milliseconds(2))
        await Task.yield()
      }
      throw EngineError(code: 394, message: "Code: 394. DB::Exception: Query was cancelled.")
    }
  }
}
