import Dispatch
import Glibc

/// Calls a handler when the process is asked to end (SIGTERM or SIGINT).
///
/// `@unchecked Sendable` because signal sources may be used from any thread, though their type does
/// not say so.
final class Stopping: @unchecked Sendable {
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
