import Backup
import Foundation
import MagicAPI
import MagicCore
import Replication

/// Asks the process that serves a folder what a backup at a snapshot is made of.
struct BackupPlanRequest: Codable {
  static let route = "backup/plan"

  /// The snapshot's name.
  var snapshot: String
  /// The tables that are wanted; nil for everything.
  var tables: Set<TableReference>?
}

extension ServedFolder {
  /// The plan of a backup, which belongs to the commit point of its snapshot exactly.
  func plan(_ request: BackupPlanRequest) async throws -> Manifest {
    guard let pin = api.pin(ofSnapshot: request.snapshot) else {
      throw APIError(
        .notFound,
        "there is no snapshot \(request.snapshot): it ended, or was not used for too long")
    }
    guard pin.lasting == nil else {
      throw APIError(
        .invalid, "a lasting snapshot may be older than what replication remembers: back up another"
      )
    }
    var contents = try await open.statements.contents(at: pin)
    var leftOut: [Manifest.LeftOut] = []
    let wanted = request.tables ?? pin.tables
    if let wanted {
      let missing = wanted.subtracting(contents.tables.map(\.name))
      if let name = missing.map(\.description).min() {
        throw APIError(.notFound, "there is no table \(name) at the snapshot")
      }
      contents.functions = []
      contents.tables.removeAll { !wanted.contains($0.name) }
      let databases = Set(wanted.map(\.database))
      contents.databases.removeAll { !databases.contains($0.name) }
    }
    contents.tables.removeAll { $0.name == TableReference(database: "magic", table: "query_log") }
    contents.tables.removeAll {
      $0.name == TableReference(database: "magic", table: "slow_queries")
    }
    let secret =
      "a secret is in its declaration, which the engine does not tell: make it anew by hand"
    for table in contents.tables where table.statement.contains(Self.hiddenSecret) {
      leftOut.append(Manifest.LeftOut(name: "\(table.name)", reason: secret))
    }
    contents.tables.removeAll { $0.statement.contains(Self.hiddenSecret) }
    for database in contents.databases where database.statement.contains(Self.hiddenSecret) {
      leftOut.append(Manifest.LeftOut(name: database.name, reason: secret))
      contents.tables.removeAll { $0.name.database == database.name }
    }
    contents.databases.removeAll { $0.statement.contains(Self.hiddenSecret) }
    let replication = try replication(at: pin.point, &contents, &leftOut, of: wanted)
    return Manifest(
      program: "magic \(Magic.configuration.version)", created: Date().timeIntervalSince1970,
      point: pin.point, replication: replication, contents: contents, leftOut: leftOut)
  }

  /// What the engine shows in the place of passwords.
  private static let hiddenSecret = "[HIDDEN]"

  /// The state of replication at a commit point, and only those of its tables that belong to it.
  private func replication(
    at point: CommitPoint, _ contents: inout DatabaseContents,
    _ leftOut: inout [Manifest.LeftOut], of wanted: Set<TableReference>?
  ) throws -> Manifest.Replication? {
    var catalog = Catalog()
    var replication: Manifest.Replication?
    if !point.checkpoint.isEmpty {
      let checkpoint = try Checkpoint(decoding: point.checkpoint)
      let position = checkpoint.position
      let stored = Set(contents.tables.compactMap(\.replicationID))
      let known = try store.catalog(publishedAt: position)
      catalog = known.asOf(position, holding: stored)
      let kept = Set(catalog.tables.map(\.id))
      for table in known.tables where !kept.contains(table.id) && table.hasStorage {
        guard wanted == nil else { continue }
        guard known.sourceIdentity != nil || (table.copyPosition ?? position) > position else {
          throw APIError(
            .unavailable,
            "\(table.schema.name) has rows but is not visible yet: run `magic load` to its end first"
          )
        }
        leftOut.append(
          Manifest.LeftOut(
            name: "\(table.schema.name)",
            reason: "it had not reached the commit point: replication copies it anew",
            isReplicated: true))
      }
      replication = Manifest.Replication(
        checkpoint: String(decoding: try checkpoint.withoutRelayFiles(), as: UTF8.self),
        catalog: catalog)
    }
    let kept = Set(catalog.tables.map(\.id))
    contents.tables.removeAll { $0.replicationID.map { !kept.contains($0) } ?? false }
    return replication
  }

  /// The plan for another process.
  func plan(json: [UInt8]) async throws -> [UInt8] {
    let request: BackupPlanRequest
    do {
      request = try JSONDecoder().decode(BackupPlanRequest.self, from: Data(json))
    } catch {
      throw APIError(.invalid, "a plan is asked for by a snapshot's name: \(error)")
    }
    return try await plan(request).encoded()
  }
}
