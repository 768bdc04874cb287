import Synchronization

/// Knows the published commit point and who still reads an earlier one.
///
/// A statement enters before it resolves its first name and leaves after its last row. What a
/// statement may still need is kept: settling waits for readers of earlier commit points, and
/// tables that no view names any more are dropped once everyone who may have resolved the old view
/// has left.
final class ReaderRegistry: Sendable {
  /// A reader's hold on a commit point.
  struct Pin: Hashable, Sendable {
    fileprivate let id: UInt64
    /// What the reader sees: everything up to this commit.
    let commit: UInt64
  }

  private struct State {
    var published: UInt64
    var nextID: UInt64 = 0
    var pins: [UInt64: UInt64] = [:]
  }

  private let state: Mutex<State>

  init(published: UInt64) { state = Mutex(State(published: published)) }

  /// The commit point that a statement which starts now sees.
  var published: UInt64 { state.withLock { $0.published } }

  /// Takes hold of the published commit point.
  func enter() -> Pin { enter { $0 } }

  /// Takes hold of a commit point that is about to be published, or is.
  func enter(at commit: UInt64) -> Pin { enter { _ in commit } }

  private func enter(_ commit: (_ published: UInt64) -> UInt64) -> Pin {
    state.withLock { state in
      defer { state.nextID += 1 }
      let commit = commit(state.published)
      state.pins[state.nextID] = commit
      return Pin(id: state.nextID, commit: commit)
    }
  }

  /// Idempotent.
  func leave(_ pin: Pin) { state.withLock { state in _ = state.pins.removeValue(forKey: pin.id) } }

  /// Makes a commit point the one that later statements see. Commit points never go back.
  func publish(_ commit: UInt64) {
    state.withLock { $0.published = max($0.published, commit) }
  }

  /// Whether someone reads a commit point from `first` on and before `commit`.
  func hasReaders(from first: UInt64 = 0, below commit: UInt64) -> Bool {
    state.withLock { state in state.pins.values.contains { $0 >= first && $0 < commit } }
  }

  /// A mark between the readers that have entered and those that are yet to come.
  var mark: UInt64 { state.withLock { $0.nextID } }

  /// Whether someone is left of those who entered before `mark` was taken.
  func hasReaders(before mark: UInt64) -> Bool {
    state.withLock { state in state.pins.keys.contains { $0 < mark } }
  }
}
