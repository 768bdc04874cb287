import Arrow
import MagicCore
import Synchronization

/// A result that closes its session when it ends.
final class SessionReader: RecordBatchReader {
  private let reader: any RecordBatchReader
  private let session: StatementSession
  private let scope: StatementScope
  private let hasEnded = Atomic(false)

  init(_ reader: any RecordBatchReader, session: StatementSession, scope: StatementScope) {
    self.reader = reader
    self.session = session
    self.scope = scope
  }

  deinit {
    guard !hasEnded.load(ordering: .relaxed) else { return }
    Task.detached { [reader, session, scope] in await Self.end(reader, session, scope) }
  }

  var schema: Schema { reader.schema }

  func next() async throws -> RecordBatch? {
    do {
      if let batch = try await reader.next() { return batch }
    } catch {
      await end()
      throw error
    }
    await end()
    return nil
  }

  func cancel() async { await end() }

  private func end() async {
    guard !hasEnded.exchange(true, ordering: .relaxed) else { return }
    await Self.end(reader, session, scope)
  }

  private static func end(
    _ reader: any RecordBatchReader, _ session: StatementSession, _ scope: StatementScope
  ) async {
    await reader.cancel()
    await session.close()
    scope.kept?.end()
  }
}
