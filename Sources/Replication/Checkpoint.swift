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
  /// The version that the next row change gets. Versions follow the order of the binlog, so that
  /// a replay from here writes identical rows.
  public var nextVersion: UInt64
  /// When the last stored transaction was logged, in seconds since 1970; 0 before the first.
  public var timestamp: UInt32
  public var counters: Counters

  public init(
    position: BinlogPosition, gtid: String? = nil, gtids: String? = nil, nextVersion: UInt64 = 1,
    timestamp: UInt32 = 0,
    counters: Counters = Counters()
  ) {
    self.position = position
    self.gtid = gtid
    self.gtids = gtids
    self.nextVersion = nextVersion
    self.timestamp = timestamp
    self.counters = counters
  }
}

extension Checkpoint {
  /// Reads the form that ``encoded()`` gives.
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

  public init() {}
}
