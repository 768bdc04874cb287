import MagicCore
import Synchronization

/// A transaction that a caller reaches by its name, and its parts, which end with it.
final class OpenTransaction: Sendable {
  private let whole: any Transaction
  /// The parts by what their names have after the whole's.
  private let parts = Mutex<[String: any Transaction]>([:])

  init(_ whole: any Transaction) { self.whole = whole }

  /// The name of a transaction and, for a part, what it is called there.
  static func split(_ name: String) -> (whole: String, part: String?) {
    let pieces = name.split(separator: ".", maxSplits: 1).map(String.init)
    return (pieces.first ?? "", pieces.count > 1 ? pieces[1] : nil)
  }

  /// Begins a part.
  ///
  /// - Returns: what it is called here.
  func beginPart() async throws -> String {
    let part = try await whole.beginPart()
    let name = randomName()
    parts.withLock { $0[name] = part }
    return name
  }

  /// The part that is called so, or, for nil, the transaction itself.
  func member(_ part: String?) throws(APIError) -> any Transaction {
    guard let part else { return whole }
    guard let found = parts.withLock({ $0[part] }) else { throw Self.missing }
    return found
  }

  /// The parts of these names, of which each can be taken once.
  func take(parts names: [String]) throws(APIError) -> [any Transaction] {
    var taken: [any Transaction] = []
    for name in names {
      let part = Self.split(name).part ?? ""
      guard let found = parts.withLock({ $0.removeValue(forKey: part) }) else {
        throw Self.missing
      }
      taken.append(found)
    }
    return taken
  }

  /// Publishes the transaction, as ``Transaction/commit(_:)`` does; parts that `terms` do not name are
  /// forgotten.
  func commit(_ terms: CommitTerms) async throws {
    do {
      try await whole.commit(terms)
    } catch {
      for part in terms.parts { await part.rollback() }
      await rollback()
      throw error
    }
    // A part may still be written to, by who was given up: nobody has to wait for its end.
    Task { await rollback() }
  }

  /// Forgets everything that is not published.
  func rollback() async {
    let left = parts.withLock { parts in
      defer { parts = [:] }
      return Array(parts.values)
    }
    for part in left { await part.rollback() }
    await whole.rollback()
  }

  private static var missing: APIError {
    APIError(.notFound, "there is no such part of the transaction: it ended, or never began")
  }
}
