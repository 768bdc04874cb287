import Foundation
import LatchClient
import LatchService
import Latches
import MagicCore
import Synchronization

/// Checks the fencing tokens of changes with a node of the latch service.
final class LatchFence: Fence {
  private struct State {
    var lastID: UInt64 = 0
    var entries: [UInt64: Entry] = [:]
  }

  private let node: LatchNode
  private let state = Mutex(State())

  init(_ node: LatchNode) { self.node = node }

  func enter(_ token: UInt64, for change: FencedChange) async throws -> FenceEntry {
    // Before the node begins to count.
    let start = ContinuousClock.now
    let caller = Principal(user: change.user ?? "", isAdmin: change.user == nil)
    do {
      let entry = try await enter(token, change, caller)
      let id = state.withLock { state in
        state.lastID += 1
        state.entries[state.lastID] = entry
        return state.lastID
      }
      return FenceEntry(id: id, deadline: node.entryLimit.map { start + $0 })
    } catch {
      throw EngineError(message: Self.text(error, token))
    }
  }

  private func enter(
    _ token: UInt64, _ change: FencedChange, _ caller: Principal
  ) async throws -> Entry {
    let rows = change.rows.subtracting(change.tables)
    if change.tables.isEmpty {
      return try await node.enter(token, changing: rows.map(\.path), for: caller)
    }
    let entry = try await node.enter(
      token, changing: change.tables.map(\.path), wholly: true, for: caller)
    if rows.isEmpty { return entry }
    do {
      // One entry keeps the whole grant.
      await node.leave(try await node.enter(token, changing: rows.map(\.path), for: caller))
      return entry
    } catch {
      await node.leave(entry)
      throw error
    }
  }

  func leave(_ entry: FenceEntry) async {
    guard let entry = state.withLock({ $0.entries.removeValue(forKey: entry.id) }) else { return }
    await node.leave(entry)
  }

  private static func text(_ error: any Error, _ token: UInt64) -> String {
    switch error {
    case LatchError.notHeld:
      "the fencing token \(token) is stale: its latch was released or lost, so nothing was changed"
    case LatchError.notCovered(_, let path):
      "the latch of the fencing token \(token) does not allow to change \(path.joined(separator: "."))"
    case NodeError.notAllowed: "the latch of the fencing token \(token) is another user's"
    default: "the fencing token \(token) cannot be checked, so nothing was changed: \(error)"
    }
  }
}

extension TableReference {
  /// The table as latches name it; a reference without a table is of a database.
  fileprivate var path: [String] { table.isEmpty ? [database] : [database, table] }
}
