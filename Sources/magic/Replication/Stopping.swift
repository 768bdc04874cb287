import Dispatch
import Glibc

/// Calls a handler once when the process is asked to end (SIGTERM or SIGINT).
final class Stopping: Sendable {
  private let sources: [any DispatchSourceSignal]

  init(_ handler: @escaping @Sendable () async -> Void) {
    sources = [SIGTERM, SIGINT].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number)
      source.setEventHandler { Task { await handler() } }
      source.resume()
      return source
    }
  }

  /// Lets the signals end the process again.
  func end() {
    for source in sources { source.cancel() }
    for number in [SIGTERM, SIGINT] { signal(number, SIG_DFL) }
  }
}
