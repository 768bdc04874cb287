import Binlog
import Foundation

/// How far the copy is: everything before ``position`` is stored. Written at the end of a
/// transaction of the source only.
public struct Checkpoint: Hashable, Sendable, Codable {
  /// The end of the last transaction that is stored.
  public var position: BinlogPosition
  /// That transaction's GTID as text, when the source assigns them.
  public var gtid: String?
  /// All transactions of the source that are stored, when it assigns GTIDs.
  public var gtids: String?
  /// What identifies the server that ``position`` is of; nil for files, and in older data folders.
  public var server: String?
  /// Whether the stream goes on by GTID at that server too: the copy began with another one, or with files,
  /// and transactions after ``position`` may be stored already.
  public var isByGTID: Bool?
  /// Where the rows of distributed transactions (XA) are kept that are prepared and have not ended, by
  /// their identifiers.
  public var prepared: [String: String]?
  /// How much is kept, by table, of changes that wait for the end of its copying, in bytes.
  public var relayed: [UInt64: UInt64]?
  /// The version that the next row change gets. Versions follow the order of the binlog, so that
  /// a replay from here writes identical rows.
  public var nextVersion: UInt64
  /// When the last stored transaction was logged, in seconds since 1970; 0 before the first.
  public var timestamp: UInt32
  public var counters: Counters

  /// Versions below are those of copied rows.
  public static let firstVersion: UInt64 = 1 << 32

  public init(
    position: BinlogPosition, gtid: String? = nil, gtids: String? = nil, server: String? = nil,
    nextVersion: UInt64 = Self.firstVersion, timestamp: UInt32 = 0, counters: Counters = Counters()
  ) {
    self.position = position
    self.gtid = gtid
    self.gtids = gtids
    self.server = server
    self.nextVersion = nextVersion
    self.timestamp = timestamp
    self.counters = counters
  }
}

extension Checkpoint {
  /// The files that hold changes which are not applied yet.
  var relayFiles: Set<String> {
    Set((relayed ?? [:]).keys.map(RelayFile.name(ofTable:))).union((prepared ?? [:]).values)
  }

  /// Reads the form that `encoded()` gives.
  ///
  /// - Throws: ``ReplicationError`` when the bytes are of another form.
  public init(decoding bytes: [UInt8]) throws {
    do {
      self = try JSONDecoder().decode(Checkpoint.self, from: Data(bytes))
    } catch {
      throw ReplicationError(
        .dataFolder,
        "the stored checkpoint is damaged (\(error)): restore the data folder from a backup or "
          + "start with an empty one")
    }
  }

  /// The checkpoint for a copy that does not have the files of changes which are not applied yet: when one
  /// of them takes effect, the tables that it may concern are copied anew.
  public func withoutRelayFiles() throws -> [UInt8] {
    var checkpoint = self
    checkpoint.prepared = nil
    checkpoint.relayed = nil
    return try checkpoint.encoded()
  }

  /// The checkpoint as it is stored: JSON.
  func encoded() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    return Array(try encoder.encode(self))
  }
}

/// What was done, and everything unusual that was met, since the copy was first made.
public struct Counters: Hashable, Sendable, Codable {
  public var transactions: UInt64 = 0
  public var rowChanges: UInt64 = 0
  public var copiedRows: UInt64 = 0
  /// Zero and partial dates, stored as NULL.
  public var zeroDates: UInt64 = 0
  /// Texts with bytes that are invalid in their column's charset, stored with U+FFFD.
  public var invalidTexts: UInt64 = 0

  /// Tables that were copied whole.
  public var copiedTables: UInt64 = 0
  /// Statements of the source that changed tables.
  public var schemaChanges: UInt64 = 0
  /// Transactions and parts of them that were rolled back in the binlog.
  public var rolledBack: UInt64 = 0

  public init() {}

  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    // What an older program did not count is 0.
    func count(_ key: CodingKeys) throws -> UInt64 {
      try values.decodeIfPresent(UInt64.self, forKey: key) ?? 0
    }
    transactions = try count(.transactions)
    rowChanges = try count(.rowChanges)
    copiedRows = try count(.copiedRows)
    zeroDates = try count(.zeroDates)
    invalidTexts = try count(.invalidTexts)
    copiedTables = try count(.copiedTables)
    schemaChanges = try count(.schemaChanges)
    rolledBack = try count(.rolledBack)
  }
}
