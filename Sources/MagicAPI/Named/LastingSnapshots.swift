import Foundation
import MagicCore

/// What is noted with the state of a lasting snapshot.
struct LastingSnapshot: Codable, Sendable {
  var id: String
  /// Whose it is in a process that begins later.
  var owner: Caller.Owner
  /// In seconds.
  var lifetime: Double
  /// About when it was used last, in seconds since 1970.
  var used: Double

  /// How long no process may have run: what was not used for longer is forgotten at the next start.
  private static let longestRest = 7 * 86400.0

  var text: String {
    get throws { String(decoding: try JSONEncoder().encode(self), as: UTF8.self) }
  }

  func hasEnded(at now: Double) -> Bool { now - used > lifetime + Self.longestRest }
}

extension MagicAPI {
  /// Opens a snapshot of a table that outlives the process.
  ///
  /// - Throws: ``APIError``, `EngineError`.
  func openLasting(
    _ table: TableReference, owner: Caller.Owner, lifetime: Duration
  ) async throws -> (pin: CommitPin, id: String) {
    try disk.check()
    try snapshots.requireRoom(for: owner)
    let snapshot = LastingSnapshot(
      id: randomName(), owner: owner.atStart, lifetime: lifetime / .seconds(1),
      used: Date().timeIntervalSince1970)
    let pin = try await database.lastingSnapshot(of: table, note: try snapshot.text)
    do {
      // The caller would not learn its name.
      try Task.checkCancellation()
      let id = try snapshots.add(pin, name: snapshot.id, owner: owner, lifetime: lifetime)
      if let number = pin.lasting { lasting.withLock { $0[number] = snapshot } }
      return (pin, id)
    } catch {
      await forget(pin)
      throw error
    }
  }

  /// Forgets the state of a snapshot that has ended, if it was to outlive the process.
  func forget(_ pin: CommitPin) async {
    guard let number = pin.lasting else { return }
    lasting.withLock { $0[number] = nil }
    do {
      try await database.forget(lasting: number)
    } catch {
      logger.warning(
        "A snapshot has ended, but its state may come back at the next start",
        metadata: ["reason": "\(error)"])
    }
  }

  /// Has the lasting snapshots of services before under their names again; their time runs anew.
  func takeOverSnapshots() async throws {
    let now = Date().timeIntervalSince1970
    for (pin, note) in database.lastingSnapshots {
      do {
        var snapshot = try JSONDecoder().decode(LastingSnapshot.self, from: Data(note.utf8))
        if snapshot.hasEnded(at: now) {
          await forget(pin)
          continue
        }
        _ = try snapshots.add(
          pin, name: snapshot.id, owner: snapshot.owner, lifetime: .seconds(snapshot.lifetime))
        // Being taken over is no use, which would be noted.
        snapshot.used = now
        if let number = pin.lasting { lasting.withLock { $0[number] = snapshot } }
      } catch {
        logger.warning(
          "A lasting snapshot cannot be kept any longer",
          metadata: ["tables": "\(pin.tables ?? [])", "reason": "\(error)"])
        await forget(pin)
      }
    }
  }

  /// Notes now and then that lasting snapshots are in use.
  func noteUses() async {
    let now = Date().timeIntervalSince1970
    for (_, _, pin, remaining) in snapshots.all {
      guard let number = pin.lasting, var snapshot = lasting.withLock({ $0[number] }) else {
        continue
      }
      // Its time began anew when it was used last.
      let used = now - (snapshot.lifetime - remaining / .seconds(1))
      guard used - snapshot.used > snapshot.lifetime / 4 else { continue }
      snapshot.used = used
      lasting.withLock { $0[number] = snapshot }
      do {
        try await database.note(try snapshot.text, ofLasting: number)
      } catch {
        logger.warning(
          "The use of a snapshot could not be noted", metadata: ["reason": "\(error)"])
      }
    }
  }
}
