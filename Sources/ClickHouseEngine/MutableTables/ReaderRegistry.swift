import MagicCore
import Synchronization

/// Knows the published commit point and who still reads an earlier one.
///
/// A *statement* enters before it resolves its first name and leaves after its last row. What it may
/// still need is kept: settling waits for readers of earlier commit points, and tables that no view
/// names any more are dropped once everyone who may have resolved the old view has left.
///
/// A *snapshot* reads nothing by itself: statements that read at it enter. It says which commit point
/// has to stay readable, of which tables; ``PastTables`` see to it.
final class ReaderRegistry: Sendable {
  /// A reader's hold on a commit point.
  struct Pin: Hashable, Sendable {
    /// Grows from pin to pin.
    let id: UInt64
    /// What the reader sees.
    let point: CommitPoint
  }

  private struct Statement {
    var commit: UInt64
    var isAtSnapshot: Bool
    /// Whether it has found all of its tables, so that no name matters to it any more.
    var hasFoundTables = false
  }

  private struct Snapshot {
    var commit: UInt64
    /// The tables that it is of; nil for all.
    var owners: Set<StorageOwner>?
  }

  private struct State {
    var published: CommitPoint
    var nextID: UInt64 = 0
    var statements: [UInt64: Statement] = [:]
    var snapshots: [UInt64: Snapshot] = [:]

    mutating func newID() -> UInt64 {
      defer { nextID += 1 }
      return nextID
    }
  }

  private let state: Mutex<State>

  init(published: CommitPoint) { state = Mutex(State(published: published)) }

  /// The commit point that a statement which starts now sees.
  var published: CommitPoint { state.withLock { $0.published } }

  /// Makes a commit point the one that later statements see. Commit points never go back.
  func publish(_ point: CommitPoint) {
    state.withLock { if point.commit > $0.published.commit { $0.published = point } }
  }

  // MARK: Statements

  /// A statement takes hold of the published commit point.
  func enter() -> Pin {
    state.withLock { state in
      let id = state.newID()
      state.statements[id] = Statement(commit: state.published.commit, isAtSnapshot: false)
      return Pin(id: id, point: state.published)
    }
  }

  /// A statement takes hold of a commit point that is about to be published, or is.
  ///
  /// - Parameter isAtSnapshot: whether a snapshot has pinned it.
  func enter(at point: CommitPoint, isAtSnapshot: Bool = false) -> Pin {
    state.withLock { state in
      let id = state.newID()
      state.statements[id] = Statement(commit: point.commit, isAtSnapshot: isAtSnapshot)
      return Pin(id: id, point: point)
    }
  }

  /// Whether a statement reads a commit point from `first` on and before `commit`.
  ///
  /// - Parameter mark: leaves out those that have entered since it was taken.
  func hasStatements(
    from first: UInt64 = 0, below commit: UInt64 = .max, before mark: UInt64 = .max
  ) -> Bool {
    state.withLock { state in
      state.statements.contains { $0.key < mark && (first..<commit).contains($0.value.commit) }
    }
  }

  /// Whether a statement that is not at a snapshot reads a commit point before `commit`.
  func hasStatementsAtNewest(below commit: UInt64) -> Bool {
    state.withLock { state in
      state.statements.values.contains { !$0.isAtSnapshot && $0.commit < commit }
    }
  }

  /// Whether a statement at a snapshot is left, of those that entered before `mark` was taken, which has
  /// not found all of its tables.
  func hasStatementsAtSnapshots(before mark: UInt64) -> Bool {
    state.withLock { state in
      state.statements.contains {
        $0.key < mark && $0.value.isAtSnapshot && !$0.value.hasFoundTables
      }
    }
  }

  /// Notes that a statement has found all of its tables.
  func noteFound(_ pin: Pin) {
    state.withLock { $0.statements[pin.id]?.hasFoundTables = true }
  }

  /// A mark between the statements that have entered and those that are yet to come.
  var mark: UInt64 { state.withLock { $0.nextID } }

  // MARK: Snapshots

  /// A snapshot takes hold of the published commit point of some tables; nil for all.
  func pin(_ owners: Set<StorageOwner>?) -> Pin {
    state.withLock { state in
      let id = state.newID()
      state.snapshots[id] = Snapshot(commit: state.published.commit, owners: owners)
      return Pin(id: id, point: state.published)
    }
  }

  /// The commit points that snapshots of a table, nil for any, have pinned, and those that statements at
  /// snapshots read which may have gone meanwhile.
  func snapshotCommits(of owner: StorageOwner?) -> Set<UInt64> {
    state.withLock { state in
      var commits = Set(state.statements.values.filter(\.isAtSnapshot).map(\.commit))
      for snapshot in state.snapshots.values {
        if let owner, let owners = snapshot.owners, !owners.contains(owner) { continue }
        commits.insert(snapshot.commit)
      }
      return commits
    }
  }

  /// Ends a statement's or a snapshot's hold; idempotent.
  func leave(_ pin: Pin) {
    state.withLock { state in
      state.statements[pin.id] = nil
      state.snapshots[pin.id] = nil
    }
  }
}
