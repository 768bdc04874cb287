import MagicCore

/// The SQL functions that tell a statement which commit point it reads: `magicCommitPoint()` its number,
/// `magicGTID()` the transactions of the source that are in it.
enum CommitPointFunctions {
  /// A text setting that nothing here uses carries the GTIDs into statements, beside
  /// ``MutableView/commitPointSetting``.
  static let gtidSetting = "distributed_cache_client_id"

  private static let bodies = [
    ("magicCommitPoint", "toUInt64(getSetting('\(MutableView.commitPointSetting)'))"),
    ("magicGTID", "toString(getSetting('\(gtidSetting)'))"),
  ]

  /// What they are called.
  static let names = bodies.map(\.0)

  static func make(on connection: any EngineConnection) async throws {
    for (name, body) in bodies {
      try await connection.execute("CREATE OR REPLACE FUNCTION \(name) AS () -> \(body)")
    }
  }
}
