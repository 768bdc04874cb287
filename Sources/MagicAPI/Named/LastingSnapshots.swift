import Foundation
import MagicCore

/// What is noted with the state of a lasting snapshot.
private struct LastingSnapshot: Codable {
  var id: String
  var owner: Caller.Owner
  /// In seconds.
  var lifetime: Double
}

extension MagicAPI {
  /// Opens a snapshot of a table that outlives the process.
  ///
  /// - Throws: ``APIError``, `EngineError`.
  func openLasting(
    _ table: TableReference, owner: Caller.Owner, lifetime: Duration
  ) async throws -> (pin: CommitPin, id: String) {
    let snapshot = LastingSnapshot(
      id: randomName(), owner: owner.atStart, lifetime: lifetime / .seconds(1))
    let note = String(decoding: try JSONEncoder().encode(snapshot), as: UTF8.self)
    let pin = try await database.lastingSnapshot(of: table, note: note)
    do {
      let id = try snapshots.add(pin, name: snapshot.id, owner: owner, lifetime: lifetime)
      return (pin, id)
    } catch {
      await forget(pin)
      throw error
    }
  }

  /// Forgets the state of a snapshot that has ended, if it was to outlive the process.
  func forget(_ pin: CommitPin) async {
    guard let number = pin.lasting else { return }
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
    for (pin, note) in database.lastingSnapshots {
      do {
        let snapshot = try JSONDecoder().decode(LastingSnapshot.self, from: Data(note.utf8))
        _ = try snapshots.add(
          pin, name: snapshot.id, owner: snapshot.owner,
          lifetime: .seconds(snapshot.lifetime))
      } catch {
        logger.warning(
          "A lasting snapshot cannot be kept any longer",
          metadata: ["tables": "\(pin.tables ?? [])", "reason": "\(error)"])
        await forget(pin)
      }
    }
  }
}
